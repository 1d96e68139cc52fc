"""How bursty each party of many is, and whether the largest stay the largest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.statistics.measures import average_ranks, correlation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.statistics.clock import Clock

__all__ = [
    "Stability",
    "complete_days",
    "cvs_of",
    "daily_counts",
    "gap_cvs",
    "stability_of",
    "weighted_median",
]

GAPS_FOR_CV = 30
DAY_NS = 86_400_000_000_000
STABLE_TOP = 10


@dataclass(frozen=True)
class Stability:
    """How the ten largest parties of a day compare with those of the day before, over all days.

    Attributes:
        days: complete days since the first arrival.
        top_jaccard: mean over pairs of days of common / all of the two top tens.
        rank_correlation: mean Spearman correlation of the parties' daily requests.
    """

    days: int
    top_jaccard: float
    rank_correlation: float | None


def gap_cvs(
    arrival: NDArray[np.int64], counts: NDArray[np.int64], clock: Clock
) -> NDArray[np.float64]:
    """Return each party's CV of gaps, NaN where there are too few; arrivals are grouped by party."""
    starts = np.cumsum(counts) - counts
    gaps = np.diff(arrival).astype(np.float64)
    inner = np.ones(len(gaps), dtype=np.bool_)
    inner[starts[1:] - 1] = False
    owner = np.repeat(np.arange(len(counts)), counts)[1:][inner]
    gaps = gaps[inner]
    n = np.bincount(owner, minlength=len(counts))
    sums = np.bincount(owner, weights=gaps, minlength=len(counts))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums / n
    squares = np.bincount(owner, weights=(gaps - mean[owner]) ** 2, minlength=len(counts))
    return cvs_of(n, sums, squares, clock)


def cvs_of(
    n: NDArray[np.int64], sums: NDArray[Any], squares: NDArray[Any], clock: Clock
) -> NDArray[np.float64]:
    """Return CVs of gaps from how many they are, their sum, and their squared deviations."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums / n
        cvs = np.sqrt(squares / (n - 1)) / mean
    fine = (n >= GAPS_FOR_CV) & (mean > 0)
    if clock.tick_s is not None:
        fine &= np.nan_to_num(mean) >= 2 * clock.tick_s * 1e9
    return np.where(fine, cvs, np.nan)


def weighted_median(values: NDArray[np.float64], weights: NDArray[np.int64]) -> float | None:
    """Return the least value that half of the weight is at or below; None for no values."""
    if not len(values):
        return None
    order = np.argsort(values, kind="stable")
    held = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(held, held[-1] / 2)])


def daily_counts(
    since_first: NDArray[np.int64], codes: NDArray[np.int64], parties: int, span_ns: int
) -> list[NDArray[np.int64]]:
    """Return each party's requests per complete day of a trace; none for under 2 days or over 400.

    Args:
        since_first: ascending times since the first arrival of the trace.
        codes: party of each.
        parties: how many there are.
        span_ns: of the trace.
    """
    days = complete_days(span_ns)
    edges = np.searchsorted(since_first, np.arange(days + 1) * DAY_NS)
    return [np.bincount(codes[a:b], minlength=parties) for a, b in pairwise(edges.tolist())]


def complete_days(span_ns: int) -> int:
    """Return how many days of a trace are compared: the complete ones, if 2 to 400."""
    days = span_ns // DAY_NS
    return days if 2 <= days <= 400 else 0


def stability_of(daily: list[NDArray[np.int64]]) -> Stability | None:
    """Compare the days; None for under two days or parties."""
    if len(daily) < 2 or len(daily[0]) < 2:
        return None
    overlaps, correlations = [], []
    for before, after in pairwise(daily):
        tops = [
            {int(i) for i in np.argsort(-d, kind="stable")[:STABLE_TOP] if d[i]}
            for d in (before, after)
        ]
        overlaps.append(len(tops[0] & tops[1]) / max(len(tops[0] | tops[1]), 1))
        correlations.append(correlation(average_ranks(before), average_ranks(after)))
    known = [value for value in correlations if value is not None]
    return Stability(
        days=len(daily),
        top_jaccard=sum(overlaps) / len(overlaps),
        rank_correlation=sum(known) / len(known) if known else None,
    )
