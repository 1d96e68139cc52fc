"""A router's own prefix index, readable: dictionaries in order of last use.

The compiled one must equal it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workloadlab.routing import PrefixIndex
    from workloadlab.simulation.workload import Workload

__all__ = ["IndexByDictionary"]

Entries = dict[tuple[int, Any], tuple[float, int]]


class IndexByDictionary:
    """Entries (instance, name) -> (time of last use, tokens), the least recently used first.

    There is one dictionary per instance, or one for all instances if they share the capacity.
    """

    def __init__(self, settings: PrefixIndex, workload: Workload, engine_tokens: list[int]) -> None:
        self.settings, self.workload = settings, workload
        *each, together = settings.capacities(engine_tokens)
        self.capacities = [together] if settings.shared else each
        self.dictionaries: list[Entries] = [{} for _ in self.capacities]
        self.swept = 0

    def match(self, views: Any, row: int, now: float) -> None:
        """Tell the router what its index knows of a request, on every instance."""
        self.age(now)
        blocks, _ = self.workload.prompt_blocks(row)
        for i in range(len(views)):
            entries, found = self.of(i), 0
            while found < len(blocks) and (i, blocks[found]) in entries:
                found += 1
            views[i].indexed_tokens = found * self.workload.block_size
            views[i].index_size_tokens = sum(
                tokens for (instance, _), (_, tokens) in entries.items() if instance == i
            )

    def insert(self, row: int, i: int, now: float) -> None:
        """Remember that a request was sent to instance `i`: the deepest block first."""
        entries, size = self.of(i), self.workload.block_size
        blocks, rest = self.workload.prompt_blocks(row)
        names: list[tuple[Any, int]] = [(block, size) for block in blocks]
        if self.settings.kind == "tree" and rest > 0:
            names.append((("rest", row), rest))
        for name, tokens in reversed(names):
            entries.pop((i, name), None)
            entries[i, name] = (now, tokens)
        if self.settings.sweep_s == 0:
            self.trim()

    def forget(self, i: int) -> None:
        """Forget all that was sent to instance `i`."""
        entries = self.of(i)
        for key in [key for key in entries if key[0] == i]:
            del entries[key]

    def age(self, now: float) -> None:
        """Forget what is too old by `now`, and what is too much if a sweep was due."""
        ttl_s, sweep_s = self.settings.ttl_s, self.settings.sweep_s
        for entries in self.dictionaries:
            stale = [key for key, (used, _) in entries.items() if ttl_s and used + ttl_s <= now]
            for key in stale:
                del entries[key]
        if sweep_s > 0 and math.floor(now / sweep_s) > self.swept:
            self.swept = math.floor(now / sweep_s)
            self.trim()

    def trim(self) -> None:
        """Forget the least recently used until the capacities are kept."""
        for entries, capacity in zip(self.dictionaries, self.capacities, strict=True):
            while sum(tokens for _, tokens in entries.values()) > capacity:
                del entries[next(iter(entries))]

    def of(self, i: int) -> Entries:
        """Return the dictionary that holds an instance's entries."""
        return self.dictionaries[0 if self.settings.shared else i]
