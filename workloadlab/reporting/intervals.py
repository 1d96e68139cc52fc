"""Intervals below one another around zero: who is ahead of whom, and whether one can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloadlab.reporting.canvas import HEIGHT, MUTED, canvas, series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Interval", "draw_intervals"]


@dataclass(frozen=True)
class Interval:
    """One line of the figure.

    Attributes:
        label: what it is of.
        low, middle, high: the interval and its estimate.
        apart: whether it is told apart from 0; its dot is filled then.
        style: index of its colour.
    """

    label: str
    low: float
    middle: float
    high: float
    apart: bool
    style: int = 0


def draw_intervals(intervals: Sequence[Interval], *, pitch: int) -> tuple[Figure, Axes]:
    """Draw one line per interval, the first on top.

    Args:
        intervals: what to draw.
        pitch: pixels from one line to the next.
    """
    figure, axes = canvas(height=max(HEIGHT, 64 + pitch * len(intervals)))
    axes.axvline(0, color=MUTED, linewidth=1.2, dashes=(4, 2))
    for height, one in enumerate(reversed(intervals)):
        colour = series(one.style)["color"]
        axes.plot([one.low, one.high], [height, height], color=colour, linewidth=2.2,
                  solid_capstyle="round")  # fmt: skip
        axes.plot([one.middle], [height], "o", color=colour, markersize=7,
                  markerfacecolor=colour if one.apart else "none")  # fmt: skip
    axes.set_yticks(range(len(intervals)), [one.label for one in reversed(intervals)])
    axes.set_ylim(-0.6, len(intervals) - 0.4)
    axes.grid(visible=False, axis="y")
    return figure, axes
