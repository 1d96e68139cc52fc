"""The statistics that several topics share, each with its one definition.

Float sums are numpy's pairwise ones, not BLAS products, whose rounding depends on the threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.statistics import quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Spread",
    "average_ranks",
    "correlation",
    "evenly",
    "exact_sum",
    "group_bins",
    "occupied_bins",
    "sample_sd",
    "spread_of",
    "spread_ranks",
    "spread_some",
]


TABLE = 1 << 22


@dataclass(frozen=True)
class Spread:
    """Number, mean, linear quantiles and maximum of a quantity."""

    n: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float


def spread_of(values: NDArray[np.float64] | NDArray[np.int64]) -> Spread | None:
    """Summarize values; None for none."""
    return spread_some(values) if len(values) else None


def spread_some(values: NDArray[np.float64] | NDArray[np.int64]) -> Spread:
    """Summarize at least one value."""
    p50, p90, p99 = quantiles(values, [0.5, 0.9, 0.99])
    return Spread(len(values), float(values.mean()), p50, p90, p99, float(values.max()))


def exact_sum(values: NDArray[np.int64]) -> int:
    """Add whole numbers beyond 64 bits, which 3 million hours in nanoseconds leave.

    Example:
        >>> exact_sum(np.full(3, 2**62)) == 3 * 2**62
        True
    """
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())


def sample_sd(values: NDArray[Any], mean: float) -> float | None:
    """Return the standard deviation with n - 1 below the sum; None for fewer than two values."""
    if len(values) < 2:
        return None
    deviations = values - mean
    return math.sqrt(float(np.sum(deviations * deviations)) / (len(values) - 1))


def correlation(x: NDArray[Any], y: NDArray[Any]) -> float | None:
    """Return Pearson's correlation; None where either side does not vary."""
    if len(x) < 2:
        return None
    dx, dy = x - x.mean(dtype=np.float64), y - y.mean(dtype=np.float64)
    scale = math.sqrt(float(np.sum(dx * dx)) * float(np.sum(dy * dy)))
    varies = x.min() < x.max() and y.min() < y.max()
    return max(-1.0, min(1.0, float(np.sum(dx * dy)) / scale)) if varies and scale > 0 else None


def average_ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return ranks from 1; equal values share the mean of their ranks.

    Example:
        >>> average_ranks(np.array([30, 10, 30])).tolist()
        [2.5, 1.0, 2.5]
    """
    if np.issubdtype(values.dtype, np.integer) and values.min() >= 0 and values.max() < TABLE:
        counts = np.bincount(values)
        by_value = np.cumsum(counts) - (counts - 1) / 2
        return np.asarray(by_value[values], dtype=np.float64)
    distinct, counts = np.unique(values, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(ranks[np.searchsorted(distinct, values)], dtype=np.float64)


def evenly(n: int, most: int) -> NDArray[np.int64]:
    """Return all of n places, or `most` evenly spaced ones, both ends included.

    Example:
        >>> evenly(3, 5).tolist(), evenly(101, 3).tolist()
        ([0, 1, 2], [0, 50, 100])
    """
    if n <= most:
        return np.arange(n)
    return np.linspace(0, n - 1, most).round().astype(np.int64)


def occupied_bins(
    since_first_ns: NDArray[np.int64], width_ns: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bins that hold arrivals, and how many each holds.

    Empty bins are left out, so that a sparse trace of months needs no memory for its nights.

    Args:
        since_first_ns: ascending times since the first arrival.
        width_ns: width of a bin; bin 0 starts at the first arrival.
    """
    bins = since_first_ns // width_ns
    starts = np.flatnonzero(np.concatenate(([True], bins[1:] != bins[:-1])))
    return bins[starts], np.diff(np.append(starts, len(bins)))


def group_bins(
    places: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add the counts of neighbours with one place; places ascend."""
    starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
    return places[starts], np.add.reduceat(counts, starts)


def spread_ranks(n: int, points: int) -> NDArray[np.int64]:
    """Return at most `points` positions in 0..n-1: three quarters evenly, the rest in the tail.

    A curve over n sorted values is drawn from them: both ends are always in.
    """
    if n <= points:
        return np.arange(n)
    tail = points // 4
    even = np.linspace(0, n - 1, points - tail)
    far = n - np.geomspace(1, max(n / 50, 2), tail)
    return np.unique(np.concatenate((even, far)).round().astype(np.int64))
