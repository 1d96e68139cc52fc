"""What a router believes to be cached where, when the engines do not tell it.

Such a router keeps an index of the prompts that it placed. It never hears of an eviction by an engine,
so its belief and the truth part ways as soon as caches are full; its own limits say when it forgets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workloadlab.arguments import checked, number, truth
from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CHARACTERS_PER_TOKEN", "PrefixIndex"]

CHARACTERS_PER_TOKEN = 4
"""Characters of a token where a production limit counts characters: llm-d's constant."""

NO_LIMIT = 2**63 - 1


@checked
@dataclass(frozen=True)
class PrefixIndex:
    """An approximate prefix index: which prompts a router sent where, as far as it remembers.

    A prompt enters when it is placed, all of its blocks as used just now. A look-up finds the leading
    blocks that are still there and changes nothing. The least recently used goes first, and of one
    prompt the deepest. Blocks are those of the trace, whatever the chunks of the production index.

    Attributes:
        kind: "table" of whole blocks, or "tree" of whole prompts, which also holds the rest of a prompt
            behind its last whole block. A rest counts in the size and never matches another's.
        capacity_tokens: most tokens for one instance; "engine" for as many as its KV cache has, None
            for no limit.
        ttl_s: seconds after which what was not used again is forgotten; None for never.
        sweep_s: seconds between the times when the capacity is enforced; 0 for at once.
        shared: the capacity is that of all instances together.

    Raises:
        UsageError: a limit that is not positive, an unknown kind.

    Example:
        >>> PrefixIndex(kind="tree", capacity_tokens=2**26 // CHARACTERS_PER_TOKEN, sweep_s=120)
        PrefixIndex(kind='tree', capacity_tokens=16777216, ttl_s=None, sweep_s=120, shared=False)
    """

    kind: Literal["table", "tree"] = "table"
    capacity_tokens: int | Literal["engine"] | None = None
    ttl_s: float | None = None
    sweep_s: float = 0.0
    shared: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("table", "tree"):
            raise UsageError(f"unknown kind of prefix index {self.kind!r}", fix='"table" or "tree"')
        truth("shared", self.shared)
        for name in ("capacity_tokens", "ttl_s"):
            value = getattr(self, name)
            if value is None or (name, value) == ("capacity_tokens", "engine"):
                continue
            if isinstance(value, str) or not number(name, value) > 0:
                raise UsageError(f"{name} = {value}", fix="a positive number, or None for no limit")
        sweep_s: object = self.sweep_s
        if isinstance(sweep_s, str) or not number("sweep_s", sweep_s) >= 0:
            raise UsageError(f"sweep_s = {self.sweep_s}", fix="seconds, 0 for at once")

    def capacities(self, engine_tokens: Sequence[int]) -> list[int]:
        """Return the most tokens of each instance and, last, of all together.

        Args:
            engine_tokens: tokens in the KV cache of each instance.

        Example:
            >>> PrefixIndex(capacity_tokens="engine").capacities([64, 32])[:2]
            [64, 32]
            >>> PrefixIndex(capacity_tokens=90, shared=True).capacities([64, 32])[-1]
            90
        """
        count, capacity = len(engine_tokens), self.capacity_tokens
        if capacity == "engine":
            each, all_together = list(engine_tokens), sum(engine_tokens)
        else:
            all_together = NO_LIMIT if capacity is None else capacity
            each = [all_together] * count
        return [NO_LIMIT] * count + [all_together] if self.shared else [*each, NO_LIMIT]
