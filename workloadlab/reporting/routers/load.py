"""A tail latency, and the requests that meet the targets, against the arrival rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from workloadlab.reporting.canvas import (
    LOG_FROM,
    canvas,
    log_axis,
    reference_line,
    series,
    share_axis,
    tick_seconds,
    time_axis,
)
from workloadlab.reporting.facts import REFERENCE, Key, Plot
from workloadlab.reporting.routers.ranking import between
from workloadlab.scoring.load.knee import KNEE
from workloadlab.scoring.load.lost import GOAL, slo_lost
from workloadlab.scoring.load.summary import lost_words
from workloadlab.words import plural, rate_words, seconds, share, times

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.figure import Figure

    from workloadlab.scoring import Scoreboard
    from workloadlab.scoring.load.found_rate import FoundRate

__all__ = ["Load", "LoadCurve", "Mark", "plot_knees", "plot_slo_by_load", "plot_ttft_by_load"]

APART = 0.03
"""Between the marks of several routers, as a share of the requests."""


@dataclass(frozen=True)
class LoadCurve:
    """One router.

    Attributes:
        label: its name.
        style: index of its colour and dash.
        points: (rate scale, value) pairs, ascending; None where a run has no value.
    """

    label: str
    style: int
    points: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True)
class Mark:
    """A rate that was found between those that ran.

    Attributes:
        style: index of its router's colour and dash.
        rate, low, high: of the load, and its interval, cut at the rates that ran.
        height: where it is drawn; None for on the curve.
    """

    style: int
    rate: float
    low: float
    high: float
    height: float | None


@dataclass(frozen=True)
class Load:
    """A metric of every router by rate scale, the rates found on the curves, and a goal."""

    kind: ClassVar = "load"

    curves: tuple[LoadCurve, ...]
    unit: Literal["seconds", "share"]
    marks: tuple[Mark, ...] = ()
    goal: float | None = None

    def draw(self) -> Figure:
        """Draw one line per router over the rate scales, and a diamond with its interval per mark."""
        figure, axes = canvas()
        values = []
        scales = [scale for scale, _ in self.curves[0].points]
        for curve in self.curves:
            heights = [np.nan if value is None else value for _, value in curve.points]
            axes.plot(scales, heights, marker="o", markersize=4.5, **series(curve.style))
            values += [value for value in heights if value > 0]
        logarithmic = self.unit == "seconds" and max(values, default=0) > LOG_FROM * min(
            values, default=0
        )
        for mark in self.marks:
            colour = series(mark.style)["color"]
            height = self._height(mark, logarithmic=logarithmic)
            axes.hlines(height, mark.low, mark.high, color=colour, linewidth=1.0)
            axes.plot([mark.rate], [height], "D", color=colour, markersize=7,
                      markerfacecolor="none")  # fmt: skip
        if self.goal is not None:
            reference_line(axes, self.goal)
        if self.unit == "share":
            share_axis(axes)
        elif logarithmic:
            log_axis(axes.yaxis, min(values) / 1.3, max(values) * 1.3, tick_seconds)
        else:
            axes.set_ylim(0, max(values, default=1.0) * 1.1)
            time_axis(axes.yaxis, values)
        axes.set_xticks(scales, [times(scale) for scale in scales])
        axes.set_xlabel("arrival rate, relative to the recorded one")
        return figure

    def _height(self, mark: Mark, *, logarithmic: bool) -> float:
        """Return where a mark stands: on the line between the points of its curve, as it is drawn."""
        if mark.height is not None:
            return mark.height
        curve = next(curve for curve in self.curves if curve.style == mark.style)
        rates, heights = zip(*(p for p in curve.points if p[1] is not None), strict=True)
        if not logarithmic:
            return float(np.interp(mark.rate, rates, heights))
        return float(np.exp(np.interp(mark.rate, rates, np.log(heights))))


def plot_ttft_by_load(board: Scoreboard, section: str) -> Plot | None:
    """Say the range of the p99 of TTFT at the highest rate; None where it is not recorded."""
    load = _load(board, "ttft_s", "p99", "seconds")
    return _plot(load, board, f"{section}-load-ttft", "p99 of TTFT by load")


def plot_knees(board: Scoreboard, section: str) -> Plot | None:
    """Say where the mean end-to-end latency begins to grow faster than load; None without knees."""
    load = _load(board, "e2e_s", "mean", "seconds")
    found = {knee.router: knee.at for knee in board.knees}
    load = replace(load, marks=tuple(_marks(load, found)))
    if not load.marks:
        return None
    said = ", ".join(f"{curve.label} {found[curve.label]}" for curve in load.curves
                     if curve.label in found)  # fmt: skip
    plot = _plot(
        load, board, f"{section}-load-knee", "Mean end-to-end latency by load, and its knee"
    )
    return plot and replace(
        plot,
        reading=f"1% more load costs over 1% more latency beyond the knee: {said}.",
        definition=f"{plot.definition} Diamonds: the knee, {KNEE}; bars: its 95% interval.",
    )


def plot_slo_by_load(board: Scoreboard, section: str) -> Plot | None:
    """Say the range of the share that meets the targets at the highest rate; None without any."""
    load = _load(board, "slo_attainment", "", "share")
    if not board.slo:
        return None
    found = {router: at for router in board.routers if (at := slo_lost(board, router))}
    load = replace(load, goal=GOAL, marks=tuple(_marks(load, found, GOAL)))
    plot = _plot(load, board, f"{section}-load-slo", "Requests that meet the SLO by load")
    if plot is None:
        return None
    lost = lost_words(board)
    return replace(
        plot,
        reading=plot.reading + (f" Under {GOAL:.0%} meet it: {lost}." if lost else ""),
        definition=f"{plot.definition} Diamonds: where each router loses the targets, with its "
        "95% interval, one below the other.",
        legend=(*plot.legend, Key(f"goal, {GOAL:.0%}", REFERENCE)),
    )


def _marks(load: Load, found: Mapping[str, FoundRate], goal: float | None = None) -> Iterator[Mark]:
    """Yield the rates that lie between those that ran, on their curves or one below the other."""
    height = goal
    for curve in load.curves:
        at = found.get(curve.label)
        if at is None or at.rate is None:
            continue
        low, high = (at.low, at.high) if at.sure else (at.rate, at.rate)
        yield Mark(
            curve.style, at.rate, at.least if low is None else low,
            at.most if high is None else high, height,
        )  # fmt: skip
        height = None if height is None else height - APART


def _load(board: Scoreboard, metric: str, part: str, unit: Literal["seconds", "share"]) -> Load:
    scales = board.scales
    curves = (
        LoadCurve(router, style, tuple((s, board.mean(router, s, metric, part)) for s in scales))
        for style, router in enumerate(board.routers)
    )
    return Load(tuple(curves), unit)


def _plot(load: Load, board: Scoreboard, plot_id: str, title: str) -> Plot | None:
    highest = board.scales[-1]
    last = {curve.label: curve.points[-1][1] for curve in load.curves}
    known = {router: value for router, value in last.items() if value is not None}
    if not known:
        return None
    words = seconds if load.unit == "seconds" else share
    return Plot(
        id=plot_id,
        title=title,
        reading=f"At {rate_words(highest)} it is {between(known, words)}.",
        definition="Same requests, arrivals sped up or slowed down by the factor; mean over the "
        "seeds.",
        n=f"{plural(len(board.runs), 'run')} of {plural(board.runs[0].requests, 'request')}",
        drawing=load,
        legend=tuple(Key(curve.label, curve.style) for curve in load.curves),
    )
