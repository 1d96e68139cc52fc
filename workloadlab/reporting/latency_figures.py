"""One function per kind of figure of a latency model: plain data in, a figure out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.reporting.canvas import (
    HEIGHT,
    INK,
    MUTED,
    SERIES,
    canvas,
    log_axis,
    series,
    tick_seconds,
    time_axis,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["KINDS"]

MARKERS = ("o", "s", "^", "D")
"""Points of different kinds look different without colour."""


def _thousands(value: float) -> str:
    return f"{value:,.10g}"


def _steps(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    for curve in data["curves"]:
        x, y = np.array(curve["x"]), np.array(curve["step_s"])
        inside = np.array(curve["inside"])
        axes.plot(x, np.where(inside, y, np.nan), **series(curve["style"]))
        beyond = ~inside
        beyond[1:] |= ~inside[:-1]
        beyond[:-1] |= ~inside[1:]
        axes.plot(x, np.where(beyond, y, np.nan), alpha=0.35, **series(curve["style"]))
    for dot in data["points"]:
        axes.plot(dot["x"], dot["step_s"], "o", color=series(dot["style"])["color"], markersize=4.5)
    axes.set_xlim(0, max(curve["x"][-1] for curve in data["curves"]))
    most = max(max(one["step_s"]) for one in data["curves"])
    most = max([most, *(dot["step_s"] for dot in data["points"])])
    axes.set_ylim(0, most * 1.05 or 1)
    time_axis(axes.yaxis, [most])
    axes.xaxis.set_major_formatter(lambda value, _: _thousands(value))
    axes.set_xlabel(data["x_label"])
    axes.set_ylabel("time of one step")
    return figure


def _scatter(axes: Axes, several: list[dict[str, Any]]) -> None:
    """Draw points by kind, each with a marker of its own, and say in the figure which is which."""
    for one in several:
        x, y = np.array(one["points"]).T
        axes.plot(x, y, MARKERS[one["style"] % len(MARKERS)], color=series(one["style"])["color"],
                  markersize=5, markerfacecolor="none", label=one["label"])  # fmt: skip


def _predicted(data: dict[str, Any]) -> Figure:
    figure, axes = canvas(height=320)
    times = np.concatenate([np.array(one["points"]).ravel() for one in data["series"]])
    low, high = times[times > 0].min() / 1.2, times.max() * 1.2
    ends, band = np.array([low, high]), data["band"]
    axes.fill_between(
        ends, ends * (1 - band), ends * (1 + band), color=MUTED, alpha=0.18, linewidth=0
    )
    axes.plot(ends, ends, color=MUTED, linewidth=1.2, dashes=(4, 2))
    _scatter(axes, data["series"])
    log_axis(axes.xaxis, low, high, tick_seconds)
    log_axis(axes.yaxis, low, high, tick_seconds)
    axes.legend(loc="upper left")
    axes.set_xlabel("measured")
    axes.set_ylabel("predicted")
    return figure


def _regions(data: dict[str, Any]) -> Figure:
    rows = data["rows"]
    figure, axes = canvas(height=max(HEIGHT, 64 + 20 * len(rows)))
    axes.axvline(0, color=MUTED, linewidth=1.2, dashes=(4, 2))
    for height, row in enumerate(reversed(rows)):
        axes.plot([row["mape"], row["p95"]], [height, height], color=SERIES[0], linewidth=2)
        axes.plot([row["mape"]], [height], "o", color=SERIES[0], markersize=6)
        axes.plot(
            [row["bias"]], [height], "d", color=SERIES[1], markersize=6, markerfacecolor="none"
        )
    axes.set_yticks(range(len(rows)), [row["region"] for row in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(visible=False, axis="y")
    ends = [row[key] for row in rows for key in ("bias", "mape", "p95")] + [0.0]
    margin = (max(ends) - min(ends)) * 0.04 or 0.01
    axes.set_xlim(min(ends) - margin, max(ends) + margin)
    axes.xaxis.set_major_formatter(lambda value, _: f"{round(value * 100, 7):,.10g}%")
    axes.set_xlabel("relative error")
    return figure


def _roofline(data: dict[str, Any]) -> Figure:
    figure, axes = canvas(height=320)
    drawn = [np.array(one["points"]) for one in (*data["curves"], *data["series"])]
    intensity, reached = np.concatenate(drawn).T
    ridge = data["peak_flops"] / data["bandwidth_bytes_s"]
    low, high = intensity.min() / 1.5, max(intensity.max(), ridge) * 2
    ends = np.array([low, ridge, high])
    roof = np.minimum(data["peak_flops"], data["bandwidth_bytes_s"] * ends)
    axes.plot(ends, roof, color=INK, linewidth=1.5)
    for curve in data["curves"]:
        axes.plot(*np.array(curve["points"]).T, **series(curve["style"]))
    _scatter(axes, data["series"])
    log_axis(axes.xaxis, low, high, _thousands)
    log_axis(axes.yaxis, min(reached.min(), roof[0]) / 1.5, max(reached.max(), roof[-1]) * 1.6,
             _teraflops)  # fmt: skip
    if data["series"]:
        axes.legend(loc="lower right", title="measured")
    axes.set_xlabel("operations per byte")
    axes.set_ylabel("FLOP/s of one GPU")
    return figure


def _teraflops(value: float) -> str:
    return f"{value / 1e12:,.10g} T"


KINDS: dict[str, Callable[[dict[str, Any]], Figure]] = {
    "steps": _steps,
    "predicted": _predicted,
    "regions": _regions,
    "roofline": _roofline,
}
