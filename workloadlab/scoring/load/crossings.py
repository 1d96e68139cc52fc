"""Where two routers change places as the rate rises."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from workloadlab.scoring.load.found_rate import FoundRate, Point, passing

if TYPE_CHECKING:
    from workloadlab.scoring.measure import Measure
    from workloadlab.scoring.scoreboard import Scoreboard

__all__ = ["Crossing", "crossings"]


@dataclass(frozen=True)
class Crossing:
    """Two routers that change places; on both sides the replay separates them.

    Attributes:
        below: the router that is ahead at lower rates.
        above: the one that is ahead at higher rates.
        at: the rate.
    """

    below: str
    above: str
    at: FoundRate


def crossings(board: Scoreboard, measure: Measure) -> list[Crossing]:
    """Return the places that routers change in a measure, by rate.

    Of two rates at which the paired difference excludes zero, with no such rate between them, it has
    one sign at the lower and the other at the higher. Runs without a steady state do not count. Of a
    sweep that kept no outcomes nothing is paired: two routers are separated where their intervals do
    not overlap, which finds fewer changes.

    Args:
        board: of runs at several rates.
        measure: in which routers are compared.
    """
    sign = -1.0 if measure.metric.better == "higher" else 1.0
    found = []
    for one, other in combinations(board.routers, 2):
        points = _points(board, measure, one, other, sign)
        apart = [at for at, (_, significant) in enumerate(points) if significant]
        for left, right in pairwise(apart):
            before, after = points[left][0].value, points[right][0].value
            if before * after < 0:
                rising = 1.0 if before < 0 else -1.0
                between = [_turned(point, rising) for point, _ in points[left : right + 1]]
                ahead, behind = (one, other) if before < 0 else (other, one)
                found.append(Crossing(ahead, behind, passing(between, 0.0)))
    return sorted(found, key=lambda each: each.at.rate or 0.0)


def _points(
    board: Scoreboard, measure: Measure, one: str, other: str, sign: float
) -> list[tuple[Point, bool]]:
    """Return by rate how far one router is behind the other, and whether they are separated."""
    found = []
    for scale in board.scales:
        pair = board.compared(one, other, scale, measure)
        if pair and pair.steady:
            point = Point(scale, pair.mean_difference, pair.low, pair.high)
            found.append((_turned(point, sign), pair.significant))
        elif not board.pairs and (apart := _unpaired(board, measure, one, other, scale)):
            low, high = apart.low or 0.0, apart.high or 0.0
            found.append((_turned(apart, sign), low * high > 0))
    return found


def _unpaired(
    board: Scoreboard, measure: Measure, one: str, other: str, scale: float
) -> Point | None:
    """Return the difference of two means whose errors are taken as apart; None without intervals."""
    name, part = measure.metric.name, measure.part
    mine, theirs = (board.mean(router, scale, name, part) for router in (one, other))
    ours, rival = (board.interval(router, scale, measure) for router in (one, other))
    held = board.steady(one, scale) and board.steady(other, scale)
    if mine is None or theirs is None or not (ours and rival and held):
        return None
    if ours.low is None or ours.high is None or rival.low is None or rival.high is None:
        return None
    return Point(scale, mine - theirs, ours.low - rival.high, ours.high - rival.low)


def _turned(point: Point, sign: float) -> Point:
    if sign > 0 or point.low is None or point.high is None:
        return point
    return Point(point.rate, -point.value, -point.high, -point.low)
