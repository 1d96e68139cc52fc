"""A rate at which a curve over the tried rates passes a level, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workloadlab.words import times

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FoundRate", "Point", "passing"]


Where = Literal["between", "below", "beyond"]
"""The tried rates, all of them."""


@dataclass(frozen=True)
class Point:
    """A number at a rate, and its 95 % interval.

    Attributes:
        rate: relative to the recorded one.
        value, low, high: of the number; bounds are None where they are not known.
    """

    rate: float
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class FoundRate:
    """A rate, relative to the recorded one.

    Attributes:
        where: `between` two tried rates, `below` all of them, or `beyond` all.
        rate: None unless it is between.
        low, high: 95 % interval; None where that end lies outside the tried rates, or is not known.
        least, most: the tried rates.
        sure: whether the numbers behind it have intervals.
    """

    where: Where
    rate: float | None
    low: float | None
    high: float | None
    least: float
    most: float
    sure: bool = True

    def __str__(self) -> str:
        """Return the rate as words: `x1.2 (1.1 to over 2)`, `below x0.5`, `above x2 (at least x1.6)`."""
        low, high = (None if bound is None else _said(bound) for bound in (self.low, self.high))
        if self.where == "between":
            ends = f"{low or f'under {_said(self.least)}'} to {high or f'over {_said(self.most)}'}"
            return f"x{_said(self.rate or 0.0)}" + (f" ({ends})" if self.sure else "")
        below = self.where == "below"
        tried, bound = (self.least, self.high) if below else (self.most, self.low)
        said = f"{self.where if below else 'above'} x{_said(tried)}"
        if not self.sure or bound == tried:
            return said
        if bound is None:
            return f"{said} (not sure)"
        return f"{said} (at {'most' if below else 'least'} x{_said(bound)})"


def _said(rate: float) -> str:
    """Return three significant digits; nobody knows a rate between those tried better."""
    return times(float(f"{rate:.3g}")).removeprefix("x")


def passing(points: Sequence[Point], level: float) -> FoundRate:
    """Return where a curve first reaches a level from below, on a line between its points.

    The interval holds every rate at which the curve's own interval holds the level, and both tried
    rates between which the curve reaches it: nobody ran what lies between.

    Args:
        points: by rising rate, one or more.
        level: to reach.

    Example:
        >>> str(passing([Point(1.0, 0.0, -0.2, 0.2), Point(2.0, 2.0, 1.8, 2.2)], 1.0))
        'x1.5 (1 to 2)'
    """
    start, least, most = points[0], points[0].rate, points[-1].rate
    rate = _first([(p.rate, p.value) for p in points], level)
    known = [(p.rate, p.low, p.high) for p in points if p.low is not None and p.high is not None]
    sure = len(known) == len(points)
    low = high = None
    if sure:
        before = [p.rate for p in points if rate is not None and p.rate < rate]
        after = [p.rate for p in points if rate is not None and p.rate >= rate]
        low = min([_first([(at, above) for at, _, above in known], level) or most, *before[-1:]])
        high = _first([(at, under) for at, under, _ in known], level)
        high = None if high is None else max([high, *after[:1]])
        if start.high is not None and start.high > level:
            low = None
    if rate is None or (rate == least and start.value > level):
        where: Where = "beyond" if rate is None else "below"
        return FoundRate(where, None, low, high, least, most, sure)
    return FoundRate("between", rate, low, high, least, most, sure)


def _first(curve: Sequence[tuple[float, float]], level: float) -> float | None:
    """Return where a line through points reaches a level; its start if it begins above it."""
    before: tuple[float, float] | None = None
    for rate, value in curve:
        if value >= level:
            if before is None:
                return rate
            part = (level - before[1]) / (value - before[1])
            return before[0] + part * (rate - before[0])
        before = rate, value
    return None
