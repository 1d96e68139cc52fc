"""Intervals of means, percentiles and shares of one run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.distributions import beta_chance, chi_squared_tail, normal_quantile, root
from workloadlab.scoring.windows import LEVEL, error_of_sums, window_sums
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = [
    "Interval",
    "mean_interval",
    "percentile_interval",
    "percentile_intervals",
    "requests_needed",
    "wilson_interval",
]

SURELY = 0.95
"""Windows count as dependent once their variance exceeds this quantile of independent ones'."""

REACH = 6.0
"""Standard deviations within which the rank of an interval's bound is looked for."""


@dataclass(frozen=True)
class Interval:
    """What holds the true value with a chance of 95 %.

    Attributes:
        low, high: None where the requests are too few.
        requests: that the number was computed from.
        why: why a bound is missing, as a sentence; else "".
    """

    low: float | None
    high: float | None
    requests: int
    why: str = ""


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """Return Student's interval of a mean over windows of consecutive arrivals; NaN is left out.

    It ends at the least and the greatest value.

    Example:
        >>> mean_interval(np.array([1.0])).why
        'one request has no spread.'
    """
    known = np.isfinite(values)
    n = int(known.sum())
    if n < 2:
        return Interval(None, None, n, "one request has no spread." if n else "no request has it.")
    found = values if n == len(values) else values[known]
    mean, low, high = float(found.mean()), float(found.min()), float(found.max())
    mean = min(max(mean, low), high)  # sums of equal values round
    error = error_of_sums(window_sums(np.where(known, values - mean, 0.0)) / n, n)
    if error is None:
        return Interval(None, None, n, "one request has no spread.")
    return Interval(max(low, mean - error.margin), min(high, mean + error.margin), n)


def percentile_interval(values: NDArray[np.float64], level: float) -> Interval:
    """Return the interval of a quantile between two order statistics, NaN left out.

    The k-th smallest of n lies below the quantile with the chance that n draws have k below it; solved
    for a fractional k, and read between neighbours (Hutson, J. Appl. Stat. 26, 1999). Where the
    requests of one window share their fate, n counts only as many as would vary as much.

    Args:
        values: in order of arrival.
        level: such as 0.99.

    Example:
        >>> found = percentile_interval(np.arange(71.0), 0.99)
        >>> found.high, found.why
        (None, 'p99 of 71 requests is their maximum; an interval needs 368.')
    """
    [interval] = percentile_intervals(values, [level])
    return interval


def percentile_intervals(values: NDArray[np.float64], levels: Iterable[float]) -> list[Interval]:
    """Return the interval of each of several quantiles, as `percentile_interval` does of one."""
    known = np.isfinite(values)
    found = np.sort(values if known.all() else values[known])
    return [_percentile(values, known, found, level) for level in levels]


def _percentile(
    values: NDArray[np.float64], known: NDArray[np.bool_], found: NDArray[np.float64], level: float
) -> Interval:
    n = len(found)
    needed = requests_needed(level)
    if n < needed:
        what = "their maximum" if n * (1 - level) < 1 else "too near their maximum"
        why = f"p{level * 100:g} of {plural(n, 'request')} is {what}; an interval needs {needed:,}."
        return Interval(None, None, n, why if n else "no request has it.")
    quantile = _at_rank(found, (n - 1) * level + 1)
    effective = _effective(values <= quantile, known)
    if effective < needed:
        why = (
            f"the {n:,} requests vary together as {effective:,.0f} would; an interval of "
            f"p{level * 100:g} needs {needed:,}."
        )
        return Interval(None, None, n, why)
    low, high = (
        _at_rank(found, _rank(effective, level, chance) * (n + 1) / (effective + 1))
        for chance in ((1 + LEVEL) / 2, (1 - LEVEL) / 2)
    )
    return Interval(low, high, n)


def requests_needed(level: float) -> int:
    """Return the fewest requests whose extremes hold a quantile: 368 for p99, 72 for p95.

    Example:
        >>> requests_needed(0.99), requests_needed(0.5)
        (368, 6)
    """
    tail = (1 - LEVEL) / 2
    return math.ceil(math.log(tail) / math.log(max(level, 1 - level)))


def wilson_interval(met: NDArray[np.float64]) -> Interval:
    """Return Wilson's interval of a share (JASA 22, 1927), for requests in order of arrival.

    Example:
        >>> found = wilson_interval(np.resize([1.0] * 49 + [0.0], 100))
        >>> round(found.low, 3), round(found.high, 3)
        (0.93, 0.994)
    """
    n = len(met)
    if not n:
        return Interval(None, None, 0, "no request has it.")
    share, z = float(met.mean()), normal_quantile((1 + LEVEL) / 2)
    trials = _effective(met > 0, np.ones(n, dtype=bool))
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    margin = z / (1 + z * z / trials) * math.sqrt(
        share * (1 - share) / trials + z * z / (4 * trials * trials)
    )  # fmt: skip
    # Rounding may leave a share of 1 just outside.
    return Interval(max(0.0, min(share, middle - margin)), min(1.0, max(share, middle + margin)), n)


def _effective(marks: NDArray[np.bool_], known: NDArray[np.bool_]) -> float:
    """Return how many independent marks would vary as much; those that are not known are False."""
    marked, asked = window_sums(marks), window_sums(known)
    n = int(asked.sum())
    share = int(marked.sum()) / n
    if not 0 < share < 1:
        return float(n)
    error = error_of_sums((marked - share * asked) / n, n)
    if error is None:
        return float(n)
    alone, freedom = share * (1 - share) / n, error.windows - 1
    if chi_squared_tail(float(error.scales[0] ** 2) * freedom / alone, freedom) >= 1 - SURELY:
        return float(n)
    return n * alone / error.se**2


def _rank(n: float, level: float, chance: float) -> float:
    """Return the rank k, from 1 to n, at which k of n draws lie below the quantile with a chance."""

    def excess(rank: float) -> float:
        return beta_chance(level, rank, n + 1 - rank) - chance

    reach = REACH * (1 + math.sqrt(n * level * (1 - level)))
    return root(excess, max(1e-9, n * level - reach), min(n + 1 - 1e-9, n * level + reach))


def _at_rank(ordered: NDArray[np.float64], rank: float) -> float:
    """Read an order statistic of a fractional rank, from 1 on, on a line between its neighbours."""
    place = min(max(rank - 1, 0.0), len(ordered) - 1.0)
    below = int(place)
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    return low + (place - below) * (high - low)
