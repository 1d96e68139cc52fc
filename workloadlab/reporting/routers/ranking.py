"""Which router leads, and which the replay does not tell from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloadlab.words import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workloadlab.scoring import Scoreboard

__all__ = [
    "Rival",
    "Standing",
    "between",
    "focal_scale",
    "standing",
]


@dataclass(frozen=True)
class Rival:
    """Another router beside the leader.

    Attributes:
        router: its name.
        difference_s: its mean less the leader's on the same requests, in seconds; None, as the
            bounds, where the board holds no such pair.
        low_s, high_s: the paired interval of the difference.
        separated: whether it is slower, after Holm's correction for all pairs that are compared.
    """

    router: str
    difference_s: float | None
    low_s: float | None
    high_s: float | None
    separated: bool


@dataclass(frozen=True)
class Standing:
    """The router with the lowest mean of one latency at one rate scale, and its rivals.

    Attributes:
        leader: the router with the lowest mean.
        mean_s: its mean.
        rivals: the others, nearest first; those without a measured mean are left out.
        windows: of consecutive arrivals, from whose spread the intervals come; 0 without pairs.
        requests: paired requests of the nearest rival.
    """

    leader: str
    mean_s: float
    rivals: tuple[Rival, ...]
    windows: int
    requests: int

    @property
    def tied(self) -> tuple[str, ...]:
        """Rivals that are not separated from the leader."""
        return tuple(rival.router for rival in self.rivals if not rival.separated)

    @property
    def all_equal(self) -> bool:
        """Whether every rival has the same latencies as the leader, request by request."""
        return all(rival.low_s == rival.high_s == 0 for rival in self.rivals)


def focal_scale(scales: list[float]) -> float:
    """Return the scale that is nearest to the recorded rate, the higher of two equally near.

    Example:
        >>> focal_scale([0.5, 1.0, 1.5]), focal_scale([0.5, 2.0])
        (1.0, 2.0)
    """
    return min(scales, key=lambda scale: (abs(math.log(scale)), -scale))


def between(values: Mapping[str, float], words: Callable[[float], str] = seconds) -> str:
    """Say the range of a number over the routers, naming its ends.

    Example:
        >>> between({"a": 0.2, "b": 0.1, "c": 0.15}), between({"a": 0.1, "b": 0.1})
        ('100 ms (b) to 200 ms (a)', '100 ms')
    """
    low, high = (pick(values, key=lambda name: values[name]) for pick in (min, max))
    if words(values[low]) == words(values[high]):
        return words(values[low])
    return f"{words(values[low])} ({low}) to {words(values[high])} ({high})"


def standing(board: Scoreboard, scale: float, metric: str) -> Standing | None:
    """Rank the routers by the mean of a latency; None where fewer than two have one.

    Routers that are not comparable are left out, unless no others are there.

    The leader is picked by its mean, and each rival has its own 95 % interval. Who is separated is said
    as the verdict says it, after Holm's correction, so that an interval may leave 0 out all the same.
    """
    means = {router: board.mean(router, scale, metric, "mean") for router in board.routers}
    known = {router: mean for router, mean in means.items() if mean is not None}
    able = board.comparable(scale)
    known = {router: mean for router, mean in known.items() if router in able} or known
    if len(known) < 2:
        return None
    leader = min(known, key=lambda router: known[router])
    pairs = [
        pair
        for pair in board.pairs
        if (pair.rate_scale, pair.metric, pair.part) == (scale, metric, "mean")
        and leader in (pair.router, pair.other)
    ]
    rivals = {router: Rival(router, None, None, None, separated=False) for router in known}
    del rivals[leader]
    for pair in pairs:
        behind = pair.router != leader
        router = pair.router if behind else pair.other
        sign = 1.0 if behind else -1.0
        low, high = sorted((sign * pair.low, sign * pair.high))
        if router in rivals:
            difference = sign * pair.mean_difference
            rivals[router] = Rival(
                router, difference, low, high, separated=pair.significant and difference > 0
            )
    return Standing(
        leader=leader,
        mean_s=known[leader],
        rivals=tuple(sorted(rivals.values(), key=lambda rival: known[rival.router])),
        windows=pairs[0].windows if pairs else 0,
        requests=max((pair.requests for pair in pairs), default=0),
    )
