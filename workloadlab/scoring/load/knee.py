"""The knee of a router: the rate from which on latency grows faster than load."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from workloadlab.scoring.load.found_rate import FoundRate, Point, passing
from workloadlab.scoring.measure import Measure
from workloadlab.scoring.paired import Key, difference, distinct_runs
from workloadlab.scoring.run_score import mean_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from workloadlab.scoring.metric import Context
    from workloadlab.scoring.run_score import RunScore
    from workloadlab.scoring.timings import Timings
    from workloadlab.trace import RunInfo

__all__ = ["KNEE", "Knee", "kept_growth", "knees", "paired_growth"]

Ratio = tuple[float, float | None, float | None]
"""Of mean latencies at two rates, with its interval."""

FEWEST = 3
"""Rates that have two slopes between them."""

RESPONSE = "mean e2e_s"


KNEE = (
    "from here on 1 % more load costs over 1 % more mean end-to-end latency; growth from x1 to x2 "
    "counts at x1.41, midway as a factor"
)
"""What a knee is, for those who read a rate that nobody ran."""

if TYPE_CHECKING:
    Growth = Callable[[str, float, float], Ratio | None]


@dataclass(frozen=True)
class Knee:
    """Where 1 % more load costs a router 1 % more mean end-to-end latency.

    There throughput / latency is at its most (Kleinrock, ICC 1979).

    Attributes:
        router: its name.
        at: the rate.
    """

    router: str
    at: FoundRate


def knees(
    scales: Mapping[str, Sequence[float]], growth: Growth, unsteady: Iterable[Key] = ()
) -> list[Knee]:
    """Return the knee of each router that ran at three rates or more.

    Between two neighbouring rates the slope is the logarithm of the ratio of mean latencies over that
    of the rates, at their geometric mean. The knee is where the slope reaches 1. It lies at or below
    the lowest rate without a steady state: latencies there would grow with the log, without end.

    Args:
        scales: by router the rates that it ran at, ascending.
        growth: how much a router's mean latency rises from one rate to another.
        unsteady: routers and rates at which requests pile up.
    """
    found, off = [], set(unsteady)
    for router, rates in scales.items():
        held = next((n for n, rate in enumerate(rates) if (router, rate) in off), len(rates))
        tried = rates[: held + 1]
        slopes = [_slope(growth(router, *each), *each) for each in pairwise(tried)]
        known = [slope for slope in slopes if slope]
        if len(rates) >= FEWEST and len(known) == len(slopes):
            found.append(Knee(router, _bend(known, rates, held)))
    return found


def _bend(slopes: list[Point], rates: Sequence[float], held: int) -> FoundRate:
    """Return where slopes reach 1: at the latest at the first rate that is not held, if there is one."""
    if held == 0:
        return FoundRate("below", None, None, rates[0], rates[0], rates[-1])
    if held == len(rates):
        return passing(slopes, 1.0)
    return passing([*slopes, Point(rates[held], 1.0, 1.0, 1.0)], 1.0)


def paired_growth(runs: Sequence[tuple[RunInfo, Timings]], context: Context) -> Growth:
    """Return growth over the same requests and seeds, from which its interval comes."""
    by_key, measure = distinct_runs(runs), Measure.named(RESPONSE)

    def growth(router: str, slow: float, fast: float) -> Ratio | None:
        pair = difference(by_key, measure, context, (router, fast), (router, slow))
        if pair is None or pair.effect is None:
            return None
        low, high = pair.effect_low, pair.effect_high
        return 1 + pair.effect, None if low is None else 1 + low, None if high is None else 1 + high

    return growth


def kept_growth(scores: Iterable[RunScore]) -> Growth:
    """Return growth of scores whose outcomes were not kept: its interval as if both ends erred apart."""
    by_key: dict[tuple[str, float], list[RunScore]] = {}
    for score in scores:
        by_key.setdefault((score.router, score.rate_scale), []).append(score)

    def growth(router: str, slow: float, fast: float) -> Ratio | None:
        before, after = (mean_over(by_key[router, rate], "e2e_s", "mean") for rate in (slow, fast))
        if not before or not after:
            return None
        start, end = (_bounds(by_key[router, rate]) for rate in (slow, fast))
        if start is None or end is None:
            return after / before, None, None
        return after / before, end[0] / start[1], end[1] / start[0]

    return growth


def _bounds(runs: Sequence[RunScore]) -> tuple[float, float] | None:
    found = [run.intervals.get(RESPONSE) for run in runs]
    bounds = [(one.low, one.high) for one in found if one and one.low and one.high]
    if len(bounds) < len(found):
        return None
    lows, highs = zip(*bounds, strict=True)
    return min(lows), max(highs)


def _slope(ratio: Ratio | None, slow: float, fast: float) -> Point | None:
    if ratio is None or ratio[0] <= 0:
        return None
    value, low, high = (
        None if each is None or each <= 0 else math.log(each) / math.log(fast / slow)
        for each in ratio
    )
    return Point(math.sqrt(slow * fast), value or 0.0, low, high)
