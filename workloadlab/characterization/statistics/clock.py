"""The clock behind the arrival times: how fine it is, and what it therefore cannot tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Clock", "clock_of", "find_tick", "read_clock"]

GAPS_FOR_EVIDENCE = 20
TIES_FOR_JITTER = 0.1
JITTER = 0.05
CHUNK = 65_536


@dataclass(frozen=True)
class Clock:
    """How finely arrivals were timed.

    Attributes:
        tick_s: spacing of the grid the arrivals lie on; None where too few distinct gaps tell.
        tie_share: share of gaps that are zero.
        distinct: number of distinct timestamps.
        mean_gap_s: mean gap between arrivals; None for fewer than two.
    """

    tick_s: float | None
    tie_share: float
    distinct: int
    mean_gap_s: float | None

    def resolves(self, width_s: float) -> bool:
        """Say whether counts or gaps at `width_s` mean anything: at least two ticks wide."""
        return self.tick_s is None or width_s >= 2 * self.tick_s

    @property
    def resolves_gaps(self) -> bool:
        """Whether the spread of the gaps comes from the arrivals rather than from the clock."""
        return self.mean_gap_s is None or self.resolves(self.mean_gap_s)


def read_clock(arrival_ns: NDArray[np.int64]) -> Clock:
    """Find the tick of the clock that stamped sorted arrivals.

    The tick is the greatest common divisor of the gaps. Where many arrivals tie and the other
    gaps sit within 5 % of multiples of a common spacing, that spacing is the tick: a coarse clock
    whose stamps jitter, as in a log written by a periodic job. Fewer than 20 non-zero gaps, or
    non-zero gaps that are all equal and no ties (a metronome), are no evidence of a tick.

    Example:
        >>> stamps = np.repeat(np.arange(30) * 3_000_000_000, 5)
        >>> clock = read_clock(stamps)
        >>> clock.tick_s, round(clock.tie_share, 3), clock.resolves(5.0), clock.resolves(10.0)
        (3.0, 0.805, False, True)
    """
    n = len(arrival_ns)
    if n < 2:
        return Clock(tick_s=None, tie_share=0.0, distinct=n, mean_gap_s=None)
    gaps = np.diff(arrival_ns)
    positive = gaps[gaps > 0]
    ties = len(gaps) - len(positive)
    tick_ns = None
    if len(positive):
        smallest, largest = int(positive.min()), int(positive.max())
        tick_ns = find_tick(
            positive, np.ones(1, np.int64), smallest, largest, _common_divisor(positive), ties
        )
    return clock_of(n, int(arrival_ns[-1] - arrival_ns[0]), ties, tick_ns)


def clock_of(n: int, span_ns: int, ties: int, tick_ns: float | None) -> Clock:
    """Return the clock of two or more arrivals, of which some share the stamp of the one before."""
    return Clock(
        tick_s=None if tick_ns is None else tick_ns / 1e9,
        tie_share=ties / (n - 1),
        distinct=n - ties,
        mean_gap_s=span_ns / (n - 1) / 1e9,
    )


def find_tick(
    gaps: NDArray[Any],
    counts: NDArray[np.int64],
    smallest: int,
    largest: int,
    divisor: int,
    ties: int,
) -> float | None:
    """Return the tick of a clock, in ns.

    Args:
        gaps: those above 0.
        counts: how often each occurs, or one count for all.
        smallest: of those gaps.
        largest: likewise.
        divisor: the greatest that all have.
        ties: gaps of 0.
    """
    n = int(np.broadcast_to(counts, gaps.shape).sum())
    if n < GAPS_FOR_EVIDENCE:
        return None
    if ties == 0 and smallest == largest:
        return None
    if ties >= TIES_FOR_JITTER * (ties + n) and smallest > 10 * divisor:
        multiples = np.rint(gaps / smallest)
        spacing = float((gaps * counts).sum() / (multiples * counts).sum())
        off_grid = np.abs(gaps / spacing - np.rint(gaps / spacing))
        if float(((off_grid <= JITTER) * counts).sum()) >= 0.95 * n:
            return spacing
    return divisor


def _common_divisor(positive: NDArray[np.int64]) -> int:
    divisor = 0
    for start in range(0, len(positive), CHUNK):
        divisor = int(np.gcd.reduce(positive[start : start + CHUNK], initial=divisor))
        if divisor == 1:
            break
    return divisor
