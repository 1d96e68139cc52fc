"""Sequences and KV blocks of the readable engine: the block pool of vLLM, block by block.

A block that is full has a name: the trace's block id, or one of its own where the trace names none, so
that only the sequence itself finds it again after a preemption. A block that two sequences compute is
cached twice, and both copies age; whoever looks for it finds the copy that was cached first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Block", "BlockStore", "Name", "Sequence"]

Name = int | tuple[int, int]
"""A block id of the trace, or the row of a request and the place of the block in it."""


@dataclass(eq=False)
class Block:
    """A KV block: how many sequences use it, and its name once it is cached."""

    users: int = 1
    name: Name | None = None


@dataclass(eq=False)
class Sequence:
    """One request inside an engine.

    `ids` are the names that the trace gives to its blocks; the first `cached` of its blocks are cached.
    It is `ended` from its last token on, until its blocks come back.
    """

    row: int
    input: int
    output: int
    predicted: int
    priority: int = 0
    accepted: int = 0
    ready: int = 0
    ids: list[int] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    cached: int = 0
    generated: int = 0
    computed: int = 0
    decoding: bool = False
    ended: bool = False

    @property
    def total(self) -> int:
        """Tokens known so far; prefill ends when all are computed."""
        return self.input + self.generated

    def names(self, count: int) -> list[Name]:
        """Return the names of the first `count` blocks."""
        own = range(len(self.ids), count)
        return [*self.ids[:count], *((self.row, place) for place in own)]


@dataclass
class BlockStore:
    """KV blocks: how many hold nothing, the cached ones by name, and those without users by age.

    Attributes:
        free: how many blocks hold nothing.
        caching: whether full blocks are cached.
        copies: cached blocks by name, the one that was cached first at the head.
        idle: cached blocks that nobody uses, the next to be evicted at the head.
    """

    free: int
    caching: bool = False
    copies: dict[Name, list[Block]] = field(default_factory=dict)
    idle: list[Block] = field(default_factory=list)

    @property
    def available(self) -> int:
        """Count the blocks that a sequence could get, free or by evicting an idle one."""
        return self.free + len(self.idle)

    def found(self, names: Iterable[Name]) -> list[Block]:
        """Return the cached blocks of the leading names."""
        blocks = []
        for name in names if self.caching else ():
            if name not in self.copies:
                break
            blocks.append(self.copies[name][0])
        return blocks

    def use(self, sequence: Sequence, blocks: list[Block]) -> None:
        """Let an admitted sequence begin with cached blocks."""
        for block in blocks:
            if block.users == 0:
                self.idle.remove(block)
            block.users += 1
        sequence.blocks, sequence.cached = list(blocks), len(blocks)

    def take(self, sequence: Sequence, count: int) -> None:
        """Give a sequence `count` blocks; evict those that were idle longest if too few are free."""
        while self.free < count:
            evicted = self.idle.pop(0)
            self.free += 1
            if evicted.name is not None:
                self.copies[evicted.name].remove(evicted)
                if not self.copies[evicted.name]:
                    del self.copies[evicted.name]
        self.free -= count
        sequence.blocks += [Block() for _ in range(count)]

    def enter(self, sequence: Sequence, count: int) -> None:
        """Cache the first `count` blocks of a sequence, which are full."""
        if not self.caching:
            return
        names = sequence.names(count)
        for place in range(sequence.cached, count):
            block = sequence.blocks[place]
            block.name = names[place]
            self.copies.setdefault(names[place], []).append(block)
        sequence.cached = max(sequence.cached, count)

    def release(self, sequence: Sequence) -> None:
        """Take the blocks of a sequence back, the deepest first, which is then evicted first."""
        for block in reversed(sequence.blocks):
            block.users -= 1
            if block.users == 0 and block.name is None:
                self.free += 1
            elif block.users == 0:
                self.idle.append(block)
        sequence.blocks, sequence.cached = [], 0
