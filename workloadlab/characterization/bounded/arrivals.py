"""Arrivals of one part: gaps, bins of a base grid, fine bins, gaps inside windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.bounded.buckets import buckets
from workloadlab.characterization.bounded.kernels import GAP_DIGITS, NULL, count_gaps
from workloadlab.characterization.bounded.picks import joined, picked, picked_of_halves
from workloadlab.characterization.bounded.rules import (
    add,
    add_by_key,
    add_by_two_keys,
    divisor,
    largest,
    least,
    together,
)
from workloadlab.characterization.bounded.words import limbs
from workloadlab.characterization.findings import HOLE_IN_MEAN_GAPS
from workloadlab.characterization.statistics.counts import SERIES_BINS, round_width
from workloadlab.characterization.statistics.measures import group_bins, occupied_bins
from workloadlab.characterization.topics.arrivals import CV_WINDOWS_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.plan import Part, Plan
    from workloadlab.characterization.bounded.reading import Rows

__all__ = ["BLOCK", "FINE_NS", "LEVELS", "RULES", "ArrivalTally", "base_ns"]

FINE_NS = 100_000_000
LEVELS = (*(2**k for k in range(10)), 5)
"""Widths of fine bins, in tenths of a second: each of the first ten twice the one before."""

BLOCK = 1024
"""Bins of the base grid that are kept in one row."""

HOUR_NS = 3_600_000_000_000
WINDOWS_NS = tuple(width_s * 1_000_000_000 for width_s in CV_WINDOWS_S)

RULES = {
    "gap.counts": add,
    "gap.least": least,
    "gap.largest": largest,
    "gap.divisor": divisor,
    "gap.squares": add,
    "gaps": add_by_key,
    "gap.picks": together,
    "gap.halves": together,
    "bins": add_by_key,
    "fine.squares": add,
    "fine.open": add_by_two_keys,
    "windows.0": add_by_key,
    "windows.1": add_by_key,
    "hours": add_by_key,
}
"""Quantity by quantity, how two parts' become one.

gap.counts: gaps, ties, holes, time in holes. gaps: bucket, how many, their sum. bins: block, counts
per bin. fine.squares: per level the squares of the counts of closed bins. fine.open: level, bin, count
of bins at the ends of parts. windows: window, gaps inside, their sum, their squares in four limbs.
"""


def base_ns(span_ns: int) -> int:
    """Return the width of the base grid: 1 s, or finer where 500 bins of a short span are."""
    width_s = round_width(max(span_ns / 1e9 / (SERIES_BINS - 1), 1e-6))
    decade = 10.0 ** np.floor(np.log10(width_s) + 1e-9)
    return max(1000, min(1_000_000_000, round(float(decade) * 1e9)))


class ArrivalTally:
    """Counts of the arrivals of one part, as its rows come."""

    def __init__(self, plan: Plan, part: Part) -> None:
        self.plan, self.part = plan, part
        self.previous = NULL if part.previous_ns is None else part.previous_ns
        self.rows = part.first_row
        self.gaps = np.zeros((buckets(63, GAP_DIGITS), 2), np.int64)
        self.squares = np.zeros(2, np.uint64)
        self.facts = np.zeros(7, np.int64)
        self.facts[2] = np.iinfo(np.int64).max
        self.hole = (
            int(HOLE_IN_MEAN_GAPS * (plan.span_ns / (plan.requests - 1)))
            if plan.requests > 1
            else NULL
        )
        self.widths = np.array(WINDOWS_NS)
        begin = part.start_ns if part.previous_ns is None else part.previous_ns
        self.first = np.maximum(begin - plan.first_ns, 0) // self.widths
        last = (min(part.stop_ns, plan.last_ns + 1) - plan.first_ns) // self.widths
        most = max(1, int((last - self.first).max()) + 2)
        self.windows = np.zeros((2, most, 2), np.int64)
        self.window_squares = np.zeros((2, most, 2), np.uint64)
        self.places = self.first.copy()
        known = part.previous_ns is not None
        self.ends = plan.first_ns + (self.first + known) * self.widths
        self.base = base_ns(plan.span_ns)
        self.bins: dict[int, NDArray[np.uint32]] = {}
        self.hours: dict[int, int] = {}
        self.levels: list[_Level] = [_Level() for _ in LEVELS]
        self.picks: list[NDArray[np.int64]] = []
        self.halves: list[NDArray[np.int64]] = []

    def take(self, rows: Rows) -> None:
        """Count measured rows, which come after all before."""
        arrival = rows.numbers["arrival_ns"]
        before = self.previous
        self.previous = count_gaps(
            arrival, self.previous, self.hole, self.gaps, self.squares, self.facts, self.windows,
            self.window_squares, self.ends, self.places, self.first, self.widths,
            self.plan.first_ns,
        )  # fmt: skip
        since = arrival - self.plan.first_ns
        self._count_bins(since)
        self._count_hours(arrival)
        self._pick(arrival, before)
        self.rows += len(arrival)

    def _count_bins(self, since: NDArray[np.int64]) -> None:
        places, counts = occupied_bins(since, min(self.base, FINE_NS))
        base = places * min(self.base, FINE_NS) // self.base
        for block in np.unique(base // BLOCK).tolist():
            inside = slice(*np.searchsorted(base, [block * BLOCK, (block + 1) * BLOCK]))
            held = self.bins.setdefault(block, np.zeros(BLOCK, np.uint32))
            np.add.at(held, base[inside] - block * BLOCK, counts[inside].astype(np.uint32))
        if self.base < FINE_NS:
            places, counts = group_bins(places * self.base // FINE_NS, counts)
        for level in range(len(LEVELS) - 1):
            self.levels[level].take(places, counts)
            if level == 0:
                self.levels[-1].take(*group_bins(places // LEVELS[-1], counts))
            places, counts = group_bins(places // 2, counts)

    def _count_hours(self, arrival: NDArray[np.int64]) -> None:
        if self.plan.t0_unix_ns is None:
            return
        hours = (arrival[[0, -1]] + self.plan.t0_unix_ns) // HOUR_NS
        edges = np.arange(hours[0], hours[1] + 2) * HOUR_NS - self.plan.t0_unix_ns
        counts = np.diff(np.searchsorted(arrival, edges))
        for hour, n in enumerate(counts.tolist(), start=int(hours[0])):
            self.hours[hour] = self.hours.get(hour, 0) + n

    def _pick(self, arrival: NDArray[np.int64], before: int) -> None:
        """Keep evenly spaced gaps: place of the gap, the arrival before it, the gap."""
        first_gap = self.rows - 1
        times = np.append(before, arrival)
        inside = max(first_gap, 0), self.rows + len(arrival) - 1
        for which, kept in (
            (picked(self.plan.requests - 1, *inside), self.picks),
            (picked_of_halves(self.plan.requests - 1, *inside), self.halves),
        ):
            local = which - first_gap
            kept.append(np.column_stack((which, times[local], times[local + 1] - times[local])))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the counts by quantity."""
        occupied = np.flatnonzero(self.gaps[:, 0])
        blocks = sorted(self.bins)
        found: dict[str, NDArray[Any]] = {
            "gap.counts": self.facts[[0, 1, 5, 6]],
            "gap.least": self.facts[2:3],
            "gap.largest": self.facts[3:4],
            "gap.divisor": self.facts[4:5],
            "gap.squares": limbs(self.squares),
            "gaps": np.column_stack((occupied, self.gaps[occupied])),
            "gap.picks": joined(self.picks, 3),
            "gap.halves": joined(self.halves, 3),
            "bins": np.concatenate(
                [np.zeros((0, BLOCK + 1), np.uint32)]
                + [np.append(np.uint32(b), self.bins[b])[None].astype(np.uint32) for b in blocks]
            ),
            "fine.squares": np.array([level.squares for level in self.levels]),
            "fine.open": np.array(
                [(i, *row) for i, level in enumerate(self.levels) for row in level.ends()],
                np.int64,
            ).reshape(-1, 3),
            "hours": np.array(sorted(self.hours.items()), np.int64).reshape(-1, 2),
        }
        for w in range(2):
            held = np.flatnonzero(self.windows[w, :, 0])
            squares = limbs(self.window_squares[w, held])
            found[f"windows.{w}"] = np.column_stack(
                (held + self.first[w], self.windows[w, held], squares)
            )
        return found


class _Level:
    """Bins of one width: the first and the last of a part are open, as they may go on elsewhere."""

    def __init__(self) -> None:
        self.first: tuple[int, int] | None = None
        self.last: tuple[int, int] | None = None
        self.squares = 0

    def take(self, places: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        """Add occupied bins, ascending; the first may be the last of those before."""
        counts = counts.copy()
        if self.last is not None:
            if self.last[0] == places[0]:
                counts[0] += self.last[1]
            else:
                self._close(*self.last)
        if self.first is None and len(places) > 1:
            self.first = (int(places[0]), int(counts[0]))
            closed = counts[1:-1]
        else:
            closed = counts[:-1]
        self.squares += int(np.dot(closed, closed))
        self.last = (int(places[-1]), int(counts[-1]))

    def _close(self, place: int, count: int) -> None:
        if self.first is None:
            self.first = (place, count)
        else:
            self.squares += count * count

    def ends(self) -> list[tuple[int, int]]:
        """Return the open bins."""
        return [each for each in (self.first, self.last) if each is not None]
