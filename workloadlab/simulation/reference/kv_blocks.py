"""Sequences and KV blocks of the readable engine: lists and dicts, counted afresh."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["BlockStore", "Sequence"]


@dataclass(eq=False)
class Sequence:
    """One request inside an engine; `ids` names its blocks, `used` says which of those it shares."""

    row: int
    input: int
    output: int
    predicted: int
    priority: int = 0
    accepted: int = 0
    ready: int = 0
    ids: list[int] = field(default_factory=list)
    used: list[bool] = field(default_factory=list)
    generated: int = 0
    computed: int = 0
    blocks: int = 0
    decoding: bool = False

    @property
    def total(self) -> int:
        """Tokens known so far; prefill ends when all are computed."""
        return self.input + self.generated


@dataclass
class BlockStore:
    """KV blocks: private ones, resident ones by id with their users, and the idle ones by age."""

    capacity: int
    private: int = 0
    users: dict[int, int] = field(default_factory=dict)
    idle: list[int] = field(default_factory=list)

    @property
    def available(self) -> int:
        """Count the blocks that a sequence could get, free or by evicting an idle one."""
        return self.capacity - self.private - len(self.users) + len(self.idle)

    def take(self, count: int) -> None:
        """Make `count` blocks private, evicting the least recently used idle ones if needed."""
        while self.capacity - self.private - len(self.users) < count:
            del self.users[self.idle.pop(0)]
        self.private += count

    def hits(self, ids: list[int]) -> int:
        """Count the leading ids that are resident."""
        return next((k for k, name in enumerate(ids) if name not in self.users), len(ids))

    def use(self, name: int) -> None:
        """Add a user to a resident block."""
        if self.users[name] == 0:
            self.idle.remove(name)
        self.users[name] += 1

    def enter(self, sequence: Sequence, blocks: int) -> None:
        """Make the first `blocks` blocks resident, but for those that somebody else made so."""
        for name in sequence.ids[len(sequence.used) : blocks]:
            fresh = name not in self.users
            sequence.used.append(fresh)
            if fresh:
                self.users[name] = 1
                self.private -= 1

    def release(self, sequence: Sequence) -> None:
        """Give back every block, the deepest first."""
        self.private -= sequence.blocks - sum(sequence.used)
        for name, used in reversed(list(zip(sequence.ids, sequence.used, strict=False))):
            if used:
                self.users[name] -= 1
                if self.users[name] == 0:
                    self.idle.append(name)
        sequence.used = []
        sequence.blocks = 0
