"""One function per kind of figure: plain data in, a matplotlib figure out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.reporting.canvas import (
    HEIGHT,
    MUTED,
    canvas,
    house_style,
    log_axis,
    series,
    share_axis,
    tick_seconds,
    time_axis,
    to_svg,
)
from workloadlab.reporting.latency_figures import KINDS as LATENCY_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from workloadlab.reporting.facts import Plot

__all__ = ["draw"]

LOG_FROM = 30
"""Latencies go on a logarithmic axis when the largest is more than this times the smallest."""

STEPS_BELOW = 60
"""A cumulative curve of fewer points is every distinct value, so it is drawn as stairs."""

FEW_POINTS = 20
"""A curve of fewer points has its points marked, so that one alone can be seen."""

LEAST_SHARE = 0.003
"""The length axis starts where this share of the requests is seen, not at the one shortest."""

PERCENTILES = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)


def draw(plot: Plot) -> str:
    """Return a figure as inline SVG; "" where there is nothing to draw."""
    if plot.drawing is None and plot.kind == "absent":
        return ""
    with house_style():
        figure = plot.drawing.draw() if plot.drawing else KINDS[plot.kind](plot.data)
        return to_svg(figure, plot.id, f"{plot.title}. {plot.reading}")


def _thousands(value: float) -> str:
    return f"{value:,.10g}"


def _percent(value: float) -> str:
    return f"{value * 100:.10g}%"


def _latency(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    curves = [np.array(curve["points"]) for curve in data["curves"]]
    low, high = min(points[0, 0] for points in curves), max(points[-1, 0] for points in curves)
    target = data["target_s"]
    if target is not None:
        axes.axvline(target, color=MUTED, linewidth=1.2, dashes=(4, 2))
        high = max(high, target)
    for curve, points in zip(data["curves"], curves, strict=True):
        below = points[:, 1] < 1
        axes.plot(points[below, 0], _nines(points[below, 1]), **series(curve["style"]))
    finest = max(points[points[:, 1] < 1, 1].max() for points in curves)
    if low > 0 and high > LOG_FROM * low:
        log_axis(axes.xaxis, low, high * 1.1, tick_seconds)
    else:
        margin = (high - low) * 0.04 or high * 0.1 or 1e-6
        axes.set_xlim(max(0, low - margin), high + margin)
        time_axis(axes.xaxis, [high])
    ticks = [level for level in PERCENTILES if level <= finest]
    axes.set_yticks(_nines(np.array(ticks)), [_percent(level) for level in ticks])
    axes.set_ylim(0, max(_nines(np.array([finest]))[0], 0.4) * 1.03)
    axes.set_ylabel("requests within")
    return figure


def _nines(levels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Stretch shares towards 1: every further nine is one unit up."""
    return np.asarray(-np.log10(1 - levels))


def _differences(data: dict[str, Any]) -> Figure:
    rows = data["rows"]
    figure, axes = canvas(height=max(HEIGHT, 64 + 30 * len(rows)))
    axes.axvline(0, color=MUTED, linewidth=1.2, dashes=(4, 2))
    for height, row in enumerate(reversed(rows)):
        colour = series(row["style"])["color"]
        axes.plot([row["low_s"], row["high_s"]], [height, height], color=colour, linewidth=2.2,
                  solid_capstyle="round")  # fmt: skip
        axes.plot([row["difference_s"]], [height], "o", color=colour, markersize=7,
                  markerfacecolor=colour if row["separated"] else "none")  # fmt: skip
    axes.set_yticks(range(len(rows)), [row["router"] for row in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(visible=False, axis="y")
    ends = [row[key] for row in rows for key in ("low_s", "high_s")] + [0.0]
    margin = (max(ends) - min(ends)) * 0.06 or 1e-6
    axes.set_xlim(min(ends) - margin, max(ends) + margin)
    time_axis(axes.xaxis, ends)
    axes.set_xlabel(f"slower than {data['leader']} by")
    return figure


def _load(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    values = []
    for curve in data["curves"]:
        scales = [scale for scale, _ in curve["points"]]
        heights = [np.nan if value is None else value for _, value in curve["points"]]
        axes.plot(scales, heights, marker="o", markersize=4.5, **series(curve["style"]))
        values += [value for value in heights if value > 0]
    if data["unit"] == "share":
        share_axis(axes)
    elif values and max(values) > LOG_FROM * min(values):
        log_axis(axes.yaxis, min(values) / 1.3, max(values) * 1.3, tick_seconds)
    else:
        axes.set_ylim(0, max(values, default=1.0) * 1.1)
        time_axis(axes.yaxis, values)
    axes.set_xticks(scales, [f"x{scale:g}" for scale in scales])
    axes.set_xlabel("arrival rate, relative to the recorded one")
    return figure


KINDS: dict[str, Callable[[dict[str, Any]], Figure]] = {
    "latency": _latency,
    "differences": _differences,
    "load": _load,
    **LATENCY_KINDS,
}
