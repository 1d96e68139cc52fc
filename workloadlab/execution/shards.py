"""A shard: every n-th piece of some work, the same pieces wherever it is computed; no engine needed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Shard"]

MOST_SHARDS = 100_000


@dataclass(frozen=True)
class Shard:
    """One of several equal shares of some work.

    Attributes:
        number: which, from 1.
        of: how many there are.

    Example:
        >>> Shard.parse("3/40")
        Shard(number=3, of=40)
        >>> [sorted(Shard(k, 2).share(["a", "b", "c"])) for k in (1, 2)]
        [['a', 'c'], ['b']]
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of <= MOST_SHARDS:
            raise UsageError(
                f"there is no shard {self.number} of {self.of}",
                fix=f"number them from 1; at most {MOST_SHARDS:,}",
            )

    @classmethod
    def parse(cls, words: Shard | str) -> Shard:
        """Read `3/40`; a shard is returned as it is.

        Raises:
            UsageError: other words, or a number beyond the count.
        """
        if isinstance(words, Shard):
            return words
        found = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", str(words))
        if not found:
            raise UsageError(f"--shard {words!r} is not a shard", fix="write --shard 3/40")
        return cls(int(found[1]), int(found[2]))

    def share(self, names: Iterable[str]) -> set[str]:
        """Return the names in this shard; neighbours, which take equally long, are spread.

        Args:
            names: of all pieces of the work, each once.
        """
        spread = sorted(names, key=lambda name: sha256(name.encode()).digest())
        return set(spread[self.number - 1 :: self.of])

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"{self.number}/{self.of}"
