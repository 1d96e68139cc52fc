"""The rate at which a router loses its targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.scoring.load.found_rate import FoundRate, Point, passing
from workloadlab.scoring.measure import Measure

if TYPE_CHECKING:
    from workloadlab.scoring.scoreboard import Scoreboard

__all__ = ["GOAL", "slo_lost", "steady_up_to"]

GOAL = 0.99
"""Share of the requests below which a router has lost its targets."""


def slo_lost(board: Scoreboard, router: str) -> FoundRate | None:
    """Return the rate from which on under 99 % of the requests meet the targets; None without targets.

    Args:
        board: of runs at several rates.
        router: on it.
    """
    measure = Measure.named("slo_attainment")
    points = []
    for scale in board.scales:
        met = board.mean(router, scale, measure.name)
        if met is not None:
            found = board.interval(router, scale, measure)
            low, high = (None, None) if found is None else (found.low, found.high)
            missed = (None if bound is None else 1 - bound for bound in (high, low))
            points.append(Point(scale, 1 - met, *missed))
    return passing(points, 1 - GOAL) if points else None


def steady_up_to(board: Scoreboard, router: str) -> float | None:
    """Return the highest rate that is known to be held, with all below it; None if none is.

    A run that is too short to tell says nothing of its rate.
    """
    last = None
    for scale in board.scales:
        if board.of(router, scale):
            if not board.steady(router, scale):
                return last
            last = scale if board.told(router, scale) else last
    return last
