"""By how much each router's mean is above the leader's, with the paired interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from workloadlab.reporting.canvas import time_axis
from workloadlab.reporting.facts import Plot
from workloadlab.reporting.intervals import Interval, draw_intervals
from workloadlab.reporting.routers.ranking import standing
from workloadlab.words import few_or_counted, plural, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from workloadlab.reporting.routers.ranking import Rival, Standing
    from workloadlab.scoring import Metric, Scoreboard

__all__ = ["Difference", "Differences", "plot_differences"]


@dataclass(frozen=True)
class Difference:
    """How far one router is behind the leader.

    Attributes:
        router: its name.
        style: index of its colour.
        difference_s, low_s, high_s: its mean less the leader's, and the interval; None where the
            board holds no such pair.
        separated: whether it is slower, after Holm's correction.
    """

    router: str
    style: int
    difference_s: float | None
    low_s: float | None
    high_s: float | None
    separated: bool


@dataclass(frozen=True)
class Differences:
    """The routers behind the leader, nearest first."""

    kind: ClassVar = "differences"

    leader: str
    rows: tuple[Difference, ...]

    def draw(self) -> Figure:
        """Draw one interval per router, its dot filled where it is separated."""
        lines = [
            Interval(
                row.router,
                row.low_s or 0.0,
                row.difference_s or 0.0,
                row.high_s or 0.0,
                apart=row.separated,
                style=row.style,
            )
            for row in self.rows
        ]
        figure, axes = draw_intervals(lines, pitch=30)
        ends = [0.0, *(end for line in lines for end in (line.low, line.high))]
        margin = (max(ends) - min(ends)) * 0.06 or 1e-6
        axes.set_xlim(min(ends) - margin, max(ends) + margin)
        time_axis(axes.xaxis, ends)
        axes.set_xlabel(f"slower than {self.leader} by")
        return figure


def plot_differences(metric: Metric, board: Scoreboard, scale: float, section: str) -> Plot | None:
    """Say whom the leader beats; None where nothing is paired."""
    ranked = standing(board, scale, metric.name)
    if ranked is None or not ranked.windows:
        return None
    names = board.routers
    rivals = [rival for rival in ranked.rivals if rival.difference_s is not None]
    return Plot(
        id=f"{section}-{metric.name.removesuffix('_s')}-pairs",
        title=f"Mean {metric.noun} against {ranked.leader}",
        reading=_reading(ranked, rivals),
        definition="Mean difference on the same requests and seeds, with its 95% interval from the "
        f"spread of {plural(ranked.windows, 'window')} of consecutive arrivals. A full dot is told "
        "apart after Holm's correction for comparing several; a lone interval may leave 0 out.",
        n=f"{plural(ranked.requests, 'paired request')}",
        drawing=Differences(
            ranked.leader,
            tuple(Difference(style=names.index(rival.router), **vars(rival)) for rival in rivals),
        ),
    )


def _reading(ranked: Standing, rivals: Sequence[Rival]) -> str:
    if ranked.all_equal:
        return f"All routers have the same mean, {seconds(ranked.mean_s)}."
    apart = [rival for rival in rivals if rival.separated]
    said = f"{ranked.leader} has the lowest mean, {seconds(ranked.mean_s)}"
    if not apart:
        return f"{said}, which the replay does not tell from any other."
    if len(apart) == len(rivals):
        said += f", told apart from every other: {_behind(rivals[0])}"
        return f"{said}; {_behind(rivals[-1])}." if len(rivals) > 1 else f"{said}."
    tied = [rival.router for rival in rivals if not rival.separated]
    said += f", which the replay does not tell from that of {few_or_counted(tied)}"
    return f"{said}; {_behind(apart[0])}."


def _behind(rival: Rival) -> str:
    low, high = seconds(rival.low_s or 0.0), seconds(rival.high_s or 0.0)
    return f"{rival.router} is {seconds(rival.difference_s or 0.0)} slower ({low} to {high})"
