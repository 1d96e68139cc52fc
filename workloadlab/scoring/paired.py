"""Whether one router beats another: paired differences over the same requests and seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.scoring.measure import Measure
from workloadlab.scoring.metrics import METRICS
from workloadlab.scoring.windows import EPISODES, INDEPENDENT, LEVEL, standard_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from workloadlab.scoring.metric import Context
    from workloadlab.scoring.timings import Timings
    from workloadlab.scoring.windows import Error
    from workloadlab.trace import RunInfo

__all__ = [
    "EQUAL",
    "MOST_LOST",
    "Key",
    "PairedDifference",
    "difference",
    "distinct_runs",
    "paired_differences",
]

EQUAL = 0.01
"""A difference surely within this share of the other's number is none that matters."""

MOST_LOST = 0.5
"""Share of the requests from which on the others are no sample of all."""

Key = tuple[str, float]
"""A router and a rate scale."""


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """A number of `router` less that of `other` on the same requests and seeds.

    Attributes:
        router, other: names; a negative difference of a latency means that `router` is faster.
        rate_scale: at which both ran.
        metric, part: what is compared, such as the "p99" of "ttft_s"; part "" for a plain number.
        mean_difference, low, high: in the metric's unit; the bounds hold the difference with `level`.
        effect, effect_low, effect_high: the same over the number of `other`, at least -1; None where
            that is 0, or where there is no upper bound.
        level: of the intervals.
        p_value: chance of a difference at least so large, were there none.
        p_adjusted: after Holm's correction (Scand. J. Stat. 6, 1979) for all pairs of routers that are
            compared in the same measure at the same rate.
        least_detectable: effect that would have been found with a chance of 80 %; of a latency, were
            every request longer by one factor. None where none would, or the number of `other` is 0.
        requests: that the comparison is over, summed over seeds.
        windows: of consecutive arrivals, from whose spread the interval comes.
        significant: whether `p_adjusted` is under 5 %.
        equal: whether the whole interval of the effect is within 1 %: no difference that matters.
        steady: whether both runs are in a steady state; else latencies depend on how long the log is.
    """

    router: str
    other: str
    rate_scale: float
    metric: str
    part: str
    mean_difference: float
    low: float
    high: float
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    level: float
    p_value: float
    p_adjusted: float
    least_detectable: float | None
    requests: int
    windows: int
    significant: bool
    equal: bool
    steady: bool = True

    @property
    def identical(self) -> bool:
        """Whether both have the same number, on these requests and on any part of them."""
        return self.low == self.mean_difference == self.high == 0

    def turned(self) -> PairedDifference:
        """Return the same comparison seen from the other router; effects have the inverse ratio."""

        def inverse(effect: float | None) -> float | None:
            return None if effect is None or effect <= -1 else 1 / (1 + effect) - 1

        least = inverse(self.effect_high)

        return replace(
            self,
            router=self.other,
            other=self.router,
            mean_difference=-self.mean_difference,
            low=-self.high,
            high=-self.low,
            effect=inverse(self.effect),
            effect_low=-1.0 if least is None and self.effect is not None else least,
            effect_high=inverse(self.effect_low),
        )


def paired_differences(
    runs: Sequence[tuple[RunInfo, Timings]], context: Context, unsteady: Iterable[Key] = ()
) -> list[PairedDifference]:
    """Return, per rate scale, pair of routers and measure, the difference with its interval.

    Args:
        runs: every run with its timings; all replay the same trace.
        context: targets.
        unsteady: routers and rate scales without a steady state.
    """
    by_key = distinct_runs(runs)
    routers = list(dict.fromkeys(router for router, _ in by_key))
    scales = list(dict.fromkeys(scale for _, scale in by_key))
    measures = [Measure(metric, part) for metric in METRICS for part in metric.paired]
    off = set(unsteady)
    found: list[PairedDifference] = []
    for scale in scales:
        for measure in measures:
            family = []
            for router, other in combinations(routers, 2):
                if (router, scale) in by_key and (other, scale) in by_key:
                    pair = difference(by_key, measure, context, (router, scale), (other, scale))
                    if pair:
                        steady = not {(router, scale), (other, scale)} & off
                        family.append(replace(pair, steady=steady))
            found += _holm(family)
    order = {pair: place for place, pair in enumerate(combinations(routers, 2))}
    return sorted(
        found, key=lambda p: (scales.index(p.rate_scale), order[p.router, p.other])
    )  # stable: measures stay in order


def distinct_runs(runs: Iterable[tuple[RunInfo, Timings]]) -> dict[Key, list[Timings]]:
    """Return the runs of each router and rate, one for each seed that made a difference."""
    found: dict[Key, list[Timings]] = {}
    for info, timings in runs:
        seeds = found.setdefault((info.router, info.rate_scale), [])
        if not any(np.array_equal(timings.e2e_s, same.e2e_s, equal_nan=True)
                   and np.array_equal(timings.ttft_s, same.ttft_s, equal_nan=True)
                   for same in seeds):  # fmt: skip
            seeds.append(timings)
    return found


def difference(
    by_key: dict[Key, list[Timings]], measure: Measure, context: Context, one: Key, other: Key
) -> PairedDifference | None:
    """Compare two runs in one measure; None where too few requests have it, or are served, in both.

    Args:
        by_key: from `distinct_runs`.
        measure: what is compared.
        context: targets.
        one: router and rate scale.
        other: those that it is compared with.
    """
    if measure.metric.values is None:
        return None
    ours, theirs, requests = [], [], 0
    for a, b in _matched(by_key[one], by_key[other]):
        x, y = measure.metric.values(a, context), measure.metric.values(b, context)
        if x is None or y is None or len(x) != len(y):
            return None
        both = np.isfinite(x) & np.isfinite(y)
        lost = 1 - (a.served & b.served).mean()
        if both.sum() < measure.requests_needed or lost >= MOST_LOST:
            return None
        ours.append(np.where(both, x, np.nan)[b.by_arrival])
        theirs.append(np.where(both, y, np.nan)[b.by_arrival])
        requests += int(both.sum())
    return _compared(measure, ours, theirs, one, other, requests)


def _compared(
    measure: Measure,
    ours: list[NDArray[np.float64]],
    theirs: list[NDArray[np.float64]],
    one: Key,
    other: Key,
    requests: int,
) -> PairedDifference | None:
    """Compare values, one array per seed; of two errors, the larger counts."""
    mean, base = (float(np.mean([measure.estimate(v) for v in each])) for each in (ours, theirs))
    up, down = (np.mean([measure.influence(v) for v in each], axis=0) for each in (ours, theirs))
    contrast = np.mean([measure.contrast(*v) for v in zip(ours, theirs, strict=True)], axis=0)
    independent = EPISODES if measure.metric.needs_slo else INDEPENDENT
    error, test = (standard_error(each, independent) for each in (up - down, contrast))
    if error is None or test is None:
        return None
    found, told = mean - base, float(contrast.sum())
    p_value = max(error.p_value(found), test.p_value(told))
    wider = 1.0
    if error.margin and told:
        wider = max(1.0, abs(found) * test.margin / abs(told) / error.margin)
    margin = wider * error.margin
    least = wider * error.detectable / base if base > 0 else None
    if least and measure.metric.unit == "s":
        least = _detectable(up, down, mean, wider, error, independent)
    effect, effect_low, effect_high = (
        (max(-1.0, each / base) if base > 0 else None)
        for each in (found, found - margin, found + margin)
    )
    return PairedDifference(
        router=one[0],
        other=other[0],
        rate_scale=one[1],
        metric=measure.metric.name,
        part=measure.part,
        mean_difference=found,
        low=found - margin,
        high=found + margin,
        effect=effect,
        effect_low=effect_low,
        effect_high=effect_high,
        level=LEVEL,
        p_value=p_value,
        p_adjusted=p_value,
        least_detectable=least,
        requests=requests,
        windows=error.windows,
        significant=p_value < 1 - LEVEL,
        equal=effect_low is not None
        and effect_high is not None
        and max(abs(effect_low), abs(effect_high)) <= EQUAL,
    )


def _detectable(
    up: NDArray[np.float64],
    down: NDArray[np.float64],
    mean: float,
    wider: float,
    error: Error,
    independent: float,
) -> float | None:
    """Return the least e that is found where every latency of a run is 1 + e times as long.

    The longer run scatters more, too: the squared margin is a quadratic in e, known at e = 0, at 1 and
    from the longer run alone. None where it grows as fast as the difference.

    Args:
        up: what each request adds to the estimate of the run that is longer.
        down: the same of the other.
        mean: estimate of the run that is longer.
        wider: factor on margins.
        error: of the difference.
        independent: chance, before the data, that windows do not share their fate.
    """
    alone, twice = (standard_error(each, independent) for each in (up, 2 * up - down))
    if alone is None or twice is None or mean <= 0:
        return None
    power = wider * error.detectable / error.margin
    constant, square, at_one = ((power * each.margin) ** 2 for each in (error, alone, twice))
    linear, rest = at_one - square - constant, mean * mean - square
    if rest <= 0:
        return None
    return (linear + math.sqrt(max(0.0, linear**2 + 4 * rest * constant))) / (2 * rest)


def _matched(a: list[Timings], b: list[Timings]) -> list[tuple[Timings, Timings]]:
    """Pair seeds; a router that no seed changes stands beside every seed of the other."""
    seeds = max(len(a), len(b)) if 1 in (len(a), len(b)) else min(len(a), len(b))
    return [(a[s % len(a)], b[s % len(b)]) for s in range(seeds)]


def _holm(family: list[PairedDifference]) -> list[PairedDifference]:
    """Adjust the p-values of comparisons that are made together."""
    adjusted, highest = {}, 0.0
    for place, at in enumerate(sorted(range(len(family)), key=lambda i: family[i].p_value)):
        highest = max(highest, min(1.0, (len(family) - place) * family[at].p_value))
        adjusted[at] = highest
    return [
        replace(pair, p_adjusted=adjusted[at], significant=adjusted[at] < 1 - LEVEL)
        for at, pair in enumerate(family)
    ]
