"""Uses of some blocks: integers, which those of other blocks are merged with in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.characterization.bounded.partial import Partial
from workloadlab.characterization.bounded.prefix.kernels import (
    CHILD,
    FIELDS,
    LAST,
    LEVELS,
    MASKS,
    PARENT,
    USES,
    count_holders,
    grown,
    meet,
)
from workloadlab.characterization.bounded.rules import add, add_by_key, grouped, largest
from workloadlab.characterization.bounded.sessions import bucketed, counted
from workloadlab.characterization.statistics.blocks import tokens_at
from workloadlab.characterization.statistics.locality import mixed
from workloadlab.characterization.statistics.reuse import TIMES_TO_LIVE_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.prefix.by_block import Uses
    from workloadlab.characterization.bounded.rules import Rule

__all__ = ["COUNTED", "RULES", "WAYS", "tally_uses"]

COUNTED = ("uses", "tokens", "late tokens", "full", "heads")
"""Columns of `counts`: uses, their tokens, those of the later half, of full blocks, of first blocks."""

WAYS = ("random", "round_robin", "session_affinity")
"""Ways to place requests of which a block's holders are kept."""

RULES: dict[str, Rule] = {
    "counts": add,
    "inputs": add_by_key,
    "lengths": add_by_key,
    "gaps": add_by_key,
    "longest": largest,
    "lives": add,
    "uses": add_by_key,
    "tree": add,
    "held": add,
}
"""Quantity by quantity, how those of two sets of blocks become one.

counts: of all uses, and of the first use of each block. inputs: tokens of a prompt, those of its hits.
lengths: blocks of a prompt, its hits. gaps: bucket, how many, their sum above its lowest number in two
parts. lives: by time to live, hits and how long blocks are held, in two parts. uses: of a block, and how
many have so many. tree: blocks, roots, those with several children, those with none. held: by way, level
and instance.
"""

TTL_NS = tuple(seconds * 1_000_000_000 for seconds in TIMES_TO_LIVE_S)


def tally_uses(key: str, place: int, uses: Uses) -> Partial | None:
    """Count the uses in one file; None where a block follows different ones.

    Args:
        key: of the trace's plan.
        place: of the file.
        uses: of all blocks.
    """
    tally = _Tally(uses)
    if not all(tally.take(rows) for rows in uses.read(place)):
        return None
    return Partial(key, (place,), {}, tally.arrays())


class _Tally:
    """Counts of uses, as they come."""

    def __init__(self, uses: Uses) -> None:
        self.size, self.prompts = uses.block_size, uses.prompts
        self.table = np.zeros((1, FIELDS), np.int64)
        self.met = 0
        self.counts = np.zeros((2, len(COUNTED)), np.int64)
        self.lives = np.zeros((len(TTL_NS), 3), np.int64)
        self.longest = -1
        self.tables = {name: np.zeros((0, n), np.int64) for name, n in COLUMNS.items()}

    def take(self, rows: pl.DataFrame) -> bool:
        """Count uses, which come after all before; return whether each block has one parent."""
        key, request, arrival, inputs, lengths, depth, parent, child, sticky = (
            column.to_numpy().astype(np.int64, copy=False)
            if column.name != "key"
            else column.to_numpy().view(np.int64)
            for column in rows.get_columns()
        )
        places = (mixed(request) & np.uint64(63)).astype(np.int64), request & 63, sticky
        gaps = np.empty(len(key), np.int64)
        self._make_room(len(key))
        if not meet(self.table, key, arrival, parent, child, np.column_stack(places), gaps):
            return False
        tokens, hit = tokens_at(inputs, depth, self.size), gaps >= 0
        late = np.where(request >= self.prompts.requests // 2, tokens, 0)
        each = np.column_stack(
            (np.ones_like(tokens), tokens, late, depth < inputs // self.size, depth == 0)
        )
        self.counts += np.array([each.sum(axis=0), each[~hit].sum(axis=0)])
        gaps = gaps[hit]
        self.longest = max(self.longest, int(gaps.max(initial=-1)))
        self._live(gaps)
        self._add("inputs", _summed(inputs[hit], tokens[hit]))
        self._add("lengths", counted(lengths[hit]))
        self._add("gaps", bucketed(gaps))
        return True

    def _make_room(self, uses: int) -> None:
        """Make the table large enough for so many blocks more."""
        self.met = int(np.count_nonzero(self.table[:, USES]))
        size = 1 << (3 * (self.met + uses) // 2).bit_length()
        if size > len(self.table):
            self.table = grown(self.table, size)

    def _live(self, times: NDArray[np.int64], *, hits: bool = True) -> None:
        """Add for how long blocks are held that are used again, or not, after so long."""
        for k, ttl in enumerate(TTL_NS):
            held = np.minimum(times, ttl)
            self.lives[k] += (
                hits * np.count_nonzero(times <= ttl), (held >> 24).sum(), (held & 0xFFFFFF).sum()
            )  # fmt: skip

    def _add(self, name: str, rows: NDArray[np.int64]) -> None:
        if len(rows):
            self.tables[name] = grouped(np.concatenate((self.tables[name], rows)), 1)

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """Return the counts by quantity."""
        blocks = self.table[self.table[:, USES] > 0]
        self._live(self.prompts.last_ns - blocks[:, LAST], hits=False)
        held = np.zeros((len(WAYS), LEVELS, 1 << (LEVELS - 1)), np.int64)
        count_holders(np.ascontiguousarray(blocks[:, MASKS:]), held)
        tree = (
            len(blocks),
            *(np.count_nonzero(blocks[:, field] == value) for field, value in TREE),
        )
        found = self.tables | {
            "counts": self.counts,
            "longest": np.array([self.longest]),
            "lives": self.lives,
            "uses": counted(blocks[:, USES]),
            "tree": np.array(tree),
            "held": held,
        }
        return {name: found[name] for name in RULES}


def _summed(keys: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each key and the sum of its numbers."""
    rows = pl.DataFrame({"key": keys, "number": numbers})
    return rows.group_by("key").agg(pl.col("number").sum()).to_numpy()


COLUMNS = {"inputs": 2, "lengths": 2, "gaps": 4}
TREE = ((PARENT, 0), (CHILD, -1), (CHILD, 0))
