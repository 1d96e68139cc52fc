"""A tail latency, and the requests that meet the targets, against the arrival rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from workloadlab.reporting.canvas import (
    LOG_FROM,
    canvas,
    log_axis,
    series,
    share_axis,
    tick_seconds,
    time_axis,
)
from workloadlab.reporting.facts import Key, Plot
from workloadlab.reporting.routers.ranking import between
from workloadlab.reporting.words import plural, seconds, share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.scoring import Scoreboard

__all__ = ["Load", "LoadCurve", "plot_slo_by_load", "plot_ttft_by_load"]


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
class Load:
    """A metric of every router by rate scale."""

    kind: ClassVar = "load"

    curves: tuple[LoadCurve, ...]
    unit: Literal["seconds", "share"]

    def draw(self) -> Figure:
        """Draw one line per router over the rate scales."""
        figure, axes = canvas()
        values = []
        scales = [scale for scale, _ in self.curves[0].points]
        for curve in self.curves:
            heights = [np.nan if value is None else value for _, value in curve.points]
            axes.plot(scales, heights, marker="o", markersize=4.5, **series(curve.style))
            values += [value for value in heights if value > 0]
        if self.unit == "share":
            share_axis(axes)
        elif values and max(values) > LOG_FROM * min(values):
            log_axis(axes.yaxis, min(values) / 1.3, max(values) * 1.3, tick_seconds)
        else:
            axes.set_ylim(0, max(values, default=1.0) * 1.1)
            time_axis(axes.yaxis, values)
        axes.set_xticks(scales, [f"x{scale:g}" for scale in scales])
        axes.set_xlabel("arrival rate, relative to the recorded one")
        return figure


def plot_ttft_by_load(board: Scoreboard, section: str) -> Plot | None:
    """Say the range of the p99 of TTFT at the highest rate; None where it is not recorded."""
    load = _load(board, "ttft_s", "p99", "seconds")
    return _plot(load, board, f"{section}-load-ttft", "p99 of TTFT by load")


def plot_slo_by_load(board: Scoreboard, section: str) -> Plot | None:
    """Say the range of the share that meets the targets at the highest rate; None without any."""
    load = _load(board, "slo_attainment", "", "share")
    return _plot(load, board, f"{section}-load-slo", "Requests that meet the SLO by load")


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
        reading=f"At {highest:g} times the recorded rate it is {between(known, words)}.",
        definition="Same requests, arrivals sped up or slowed down by the factor; mean over the "
        "seeds.",
        n=f"{plural(len(board.runs), 'run')} of {board.runs[0].requests:,} requests",
        drawing=load,
        legend=tuple(Key(curve.label, curve.style) for curve in load.curves),
    )
