"""The arrival process from counts per bin and buckets of gaps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.bounded.arrivals import BLOCK, FINE_NS, LEVELS, base_ns
from workloadlab.characterization.bounded.words import as_floats, total
from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.frequencies import Frequencies
from workloadlab.characterization.statistics.burstiness import GAPS_PER_WINDOW, cv_of_windows
from workloadlab.characterization.statistics.clock import Clock, clock_of, find_tick
from workloadlab.characterization.statistics.measures import group_bins
from workloadlab.characterization.statistics.weekly import weekly_rates
from workloadlab.characterization.topics.arrivals import CV_WINDOWS_S, arrival_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.plan import Plan
    from workloadlab.characterization.statistics.weekly import HourByWeekday
    from workloadlab.characterization.topics.arrivals import Arrivals

__all__ = ["Gridded", "arrivals_of", "gap_sd_ns", "gaps_of", "merged_clock"]

BLOCKS_AT_ONCE = 1024
HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True)
class Gridded:
    """Arrivals as counts per bin of a base grid, and sums of squares of finer ones."""

    plan: Plan
    arrays: dict[str, NDArray[Any]]

    @property
    def n(self) -> int:
        """Number of arrivals."""
        return self.plan.requests

    @property
    def span_ns(self) -> int:
        """Nanoseconds from the first to the last."""
        return self.plan.span_ns

    def _base(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the occupied bins of the base grid and their counts, a stretch at a time."""
        for start in range(0, len(self.arrays["bins"]), BLOCKS_AT_ONCE):
            blocks = self.arrays["bins"][start : start + BLOCKS_AT_ONCE]
            rows, columns = np.nonzero(blocks[:, 1:])
            places = blocks[rows, 0].astype(np.int64) * BLOCK + columns
            yield places, blocks[:, 1:][rows, columns].astype(np.int64)

    @cached_property
    def _tens(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Bins of ten of the base grid, from which most widths are made."""
        return self._merged(10)

    def bins(self, width_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the bins that hold arrivals, ascending, and how many each holds."""
        merged = width_ns // base_ns(self.span_ns)
        if merged % 10:
            return self._merged(merged)
        places, counts = self._tens
        return group_bins(places // (merged // 10), counts)

    def _merged(self, merged: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        stretches = [group_bins(places // merged, counts) for places, counts in self._base()]
        places, counts = (np.concatenate(columns) for columns in zip(*stretches, strict=True))
        return group_bins(places, counts)

    def squares(self, width_ns: int) -> tuple[int, int]:
        """Return the arrivals in complete bins, and the sum of the squares of their counts."""
        complete, base = self.span_ns // width_ns, base_ns(self.span_ns)
        if width_ns % base == 0:
            stretches = self._base() if width_ns == base else [self.bins(width_ns)]
            total, squares = 0, 0
            for places, counts in stretches:
                inside = counts[places < complete]
                total, squares = total + int(inside.sum()), squares + int(np.dot(inside, inside))
            return total, squares
        level = LEVELS.index(width_ns // FINE_NS)
        ends = self.arrays["fine.open"]
        last = ends[ends[:, 0] == level, 1:]
        unfinished = int(last[last[:, 0] >= complete, 1].sum())
        closed = last[last[:, 0] < complete, 1]
        squares = int(self.arrays["fine.squares"][level]) + int(np.dot(closed, closed))
        return self.n - unfinished, squares


def gaps_of(arrays: dict[str, NDArray[Any]]) -> Frequencies:
    """Return the gaps in ns: the mean of each bucket stands for those in it."""
    _, counts, sums = arrays["gaps"].T
    return Frequencies(sums / counts, counts)


def gap_sd_ns(plan: Plan, arrays: dict[str, NDArray[Any]]) -> float | None:
    """Return the standard deviation of the gaps, with n - 1, from exact sums."""
    n = plan.requests - 1
    if n < 2:
        return None
    squares = total(arrays["gap.squares"])
    return math.sqrt((n * squares - plan.span_ns**2) / (n * (n - 1)))


def merged_clock(plan: Plan, arrays: dict[str, NDArray[Any]]) -> Clock:
    """Return the clock that stamped the arrivals."""
    if plan.requests < 2:
        return Clock(tick_s=None, tie_share=0.0, distinct=plan.requests, mean_gap_s=None)
    ties = int(arrays["gap.counts"][1])
    gaps = gaps_of(arrays)
    positive = gaps.values > 0
    tick_ns = None
    if positive.any():
        smallest, largest, divisor = (
            int(arrays[f"gap.{name}"][0]) for name in ("least", "largest", "divisor")
        )
        tick_ns = find_tick(
            gaps.values[positive], gaps.counts[positive], smallest, largest, divisor, ties
        )
    return clock_of(plan.requests, plan.span_ns, ties, tick_ns)


def arrivals_of(
    plan: Plan, arrays: dict[str, NDArray[Any]], clock: Clock
) -> Arrivals | Unsupported:
    """Make the facts of arrivals."""
    if plan.requests < 2:
        return Unsupported("one request has no gap to another")
    picks = arrays["gap.picks"]
    return arrival_facts(
        Gridded(plan, arrays),
        gaps_of(arrays),
        clock,
        sd_ns=gap_sd_ns(plan, arrays),
        largest_ns=int(arrays["gap.largest"][0]),
        windowed={
            str(width_s): cv_of_windows(*_windows(arrays[f"windows.{place}"]), clock)
            for place, width_s in enumerate(CV_WINDOWS_S)
        },
        picked=(picks[:, 1] - plan.first_ns, picks[:, 2]),
        by_hour=_hours(plan, arrays["hours"]),
    )


def _windows(
    table: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    full = table[table[:, 1] >= GAPS_PER_WINDOW]
    n, spans = full[:, 1], full[:, 2]
    deviations = as_floats(full[:, 3:]) - spans.astype(np.float64) ** 2 / n
    return n, spans, np.maximum(deviations, 0.0)


def _hours(plan: Plan, table: NDArray[np.int64]) -> HourByWeekday | Unsupported:
    if plan.t0_unix_ns is None:
        return Unsupported("the trace has no absolute time, so no hours of the day")
    first, last = plan.first_ns + plan.t0_unix_ns, plan.last_ns + plan.t0_unix_ns
    hours = np.arange(first // HOUR_NS, last // HOUR_NS + 1)
    if len(hours) > 24 * 366 * 20:
        return Unsupported("the trace spans over 20 years")
    counts = np.zeros(len(hours), np.int64)
    counts[table[:, 0] - hours[0]] = table[:, 1]
    return weekly_rates(counts, first, last)
