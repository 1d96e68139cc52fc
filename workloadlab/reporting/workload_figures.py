"""One function per kind of figure of a profile's later topics: plain data in, a figure out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.reporting.canvas import (
    INK,
    MUTED,
    SERIES,
    canvas,
    log_axis,
    series,
    share_axis,
    tick_seconds,
    time_unit,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["KINDS"]

FEW_POINTS, STEPS_BELOW = 30, 60
"""Curves of fewer points have them marked; cumulative ones of fewer are stairs."""

LEAST_SHARE = 0.003
"""A logarithmic axis of times starts where this share is seen, not at the one shortest."""

DEEPEST = 0.5
"""Opacity of a heat map's fullest cell: text on it can still be read, light or dark."""

SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def _short(value: float) -> str:
    size, suffix = next(((s, name) for s, name in SUFFIXES if value >= s), (1, ""))
    return f"{value / size:.10g}{suffix}"


def _reference(axes: Axes, height: float) -> None:
    axes.axhline(height, color=MUTED, linewidth=1.2, dashes=(4, 2))


def _cache(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    curves = [np.array(curve["points"]) for curve in data["curves"]]
    low, high = min(points[0, 0] for points in curves), max(points[-1, 0] for points in curves)
    _reference(axes, data["ceiling"])
    for curve, points in zip(data["curves"], curves, strict=True):
        marker = "o" if len(points) < FEW_POINTS else None
        axes.plot(*points.T, marker=marker, markersize=3.5, **series(curve["style"]))
    log_axis(axes.xaxis, low, high, _short)
    share_axis(axes, data["ceiling"])
    axes.set_xlabel("cache, tokens")
    axes.set_ylabel("hit ratio")
    scale = data["gib_per_token"]
    if scale is not None:
        above = axes.twiny()
        above.grid(visible=False)
        left, right = axes.get_xlim()
        log_axis(above.xaxis, left * scale, right * scale, lambda gib: f"{gib:,.10g}")
        above.set_xlabel("cache, GiB")
    return figure


def _instances(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    for curve in data["curves"]:
        instances, ratios = zip(*curve["points"], strict=True)
        axes.plot(np.log2(instances), ratios, marker="o", markersize=4.5, **series(curve["style"]))
    axes.set_xticks(np.log2(data["instances"]), [str(n) for n in data["instances"]])
    share_axis(axes, data["ceiling"])
    axes.set_xlabel("instances, each with a cache of its own")
    axes.set_ylabel("block hit ratio")
    return figure


def _reuse(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    times, shares = np.array(data["points"], dtype=np.float64).T
    positive = times > 0
    at_zero = shares[~positive][-1] if not positive.all() else 0.0
    times, shares = times[positive], shares[positive]
    stairs = "steps-post" if len(times) < STEPS_BELOW else "default"
    axes.plot(np.append(times[0], times), np.append(at_zero, shares), drawstyle=stairs, **series(0))
    low = times[np.searchsorted(shares, min(LEAST_SHARE, shares[-1]))]
    log_axis(axes.xaxis, low / 1.2, times[-1] * 1.2, tick_seconds)
    share_axis(axes)
    axes.set_xlabel("since the last use")
    axes.set_ylabel("reuses within")
    return figure


def _turns(axes: Axes, turns: NDArray[np.float64]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(turns[0] - 0.5, turns[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.set_xlabel("turn of the session")


def _hazard(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    turns, shares, low, high = np.array(data["points"]).T
    axes.fill_between(turns, low, high, color=MUTED, alpha=0.18, linewidth=0)
    axes.plot(turns, shares, marker="o", markersize=4, **series(0))
    _turns(axes, turns)
    share_axis(axes)
    axes.set_ylabel("sessions that go on")
    return figure


def _context(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    turns, tokens = np.array(data["points"]).T
    axes.plot(turns, tokens, marker="o", markersize=4, **series(0))
    _turns(axes, turns)
    axes.set_ylim(0, tokens.max() * 1.08 or 1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.set_ylabel("median prompt tokens")
    return figure


def _share_curve(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    count = data["count"]
    equal = np.unique(np.geomspace(1, count, 200))
    axes.plot(equal, equal / count, color=MUTED, linewidth=1.2, dashes=(4, 2))
    for curve in data["curves"]:
        points = np.array(curve["points"])
        marker = "o" if len(points) < FEW_POINTS else None
        axes.plot(*points.T, marker=marker, markersize=4, **series(curve["style"]))
    log_axis(axes.xaxis, 1 / 1.05, count * 1.05, _short)
    share_axis(axes)
    axes.set_xlabel(f"k largest {data['nouns']}")
    axes.set_ylabel("share held")
    return figure


def _level(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    levels = np.array(data["level"])
    edges = np.arange(len(levels) + 1) * data["bin_s"]
    unit, size = time_unit(edges[-1])
    _reference(axes, data["mean"])
    axes.stairs(levels, edges / size, color=SERIES[0], linewidth=1.2, baseline=None)
    axes.set_xlim(0, edges[-1] / size)
    axes.set_ylim(0, levels.max() * 1.08 or 1)
    axes.set_xlabel(f"{unit} since the first arrival")
    axes.set_ylabel("requests in flight")
    return figure


def _heat(axes: Axes, values: NDArray[np.float64]) -> None:
    """Fill unit cells, rows from the top; full colour for the largest value, none for a NaN."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    rows, columns = np.nonzero(np.isfinite(values))
    most = np.nanmax(values) or 1.0
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    cells = [corners + place for place in zip(columns, rows, strict=True)]
    depths = [round(0.03 + (DEEPEST - 0.03) * float(v) / most, 3) for v in values[rows, columns]]
    colours = [to_rgba(SERIES[0], depth) for depth in depths]
    axes.add_collection(PolyCollection(cells, facecolors=colours, linewidths=0))
    axes.set_xlim(0, values.shape[1])
    axes.set_ylim(values.shape[0], 0)
    axes.grid(visible=False)
    axes.tick_params(length=0)


def _week(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    _heat(axes, np.array(data["rate_rps"], dtype=np.float64))
    axes.set_yticks(np.arange(7) + 0.5, data["days"])
    axes.set_xticks(range(0, 25, 3), [f"{hour}:00" for hour in range(0, 25, 3)])
    axes.set_xlabel("hour of the day, UTC")
    return figure


def _surface(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    shares = np.array(data["share"])
    _heat(axes, shares)
    for row, column in np.ndindex(*shares.shape):
        axes.text(column + 0.5, row + 0.5, f"{shares[row, column]:.0%}", color=INK,
                  ha="center", va="center")  # fmt: skip
    axes.set_xticks(
        np.arange(shares.shape[1]) + 0.5, [tick_seconds(at) for at in data["tpot_targets_s"]]
    )
    axes.set_yticks(
        np.arange(shares.shape[0]) + 0.5, [tick_seconds(at) for at in data["ttft_targets_s"]]
    )
    axes.set_xlabel("TPOT at most")
    axes.set_ylabel("TTFT at most")
    return figure


def _classes(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    rows = data["rows"]
    for style, key in enumerate(("share", "engine_share")):
        places = np.arange(len(rows)) + (style - 0.5) * 0.36
        shares = [row[key] for row in rows]
        axes.barh(places, shares, height=0.32, color=SERIES[style])
        for place, part in zip(places, shares, strict=True):
            axes.annotate(f"{part:.1%}", (part, place), (4, 0), textcoords="offset points",
                          va="center", color=INK)  # fmt: skip
    axes.set_yticks(
        range(len(rows)), [f"{row['prefill']} prefill,\n{row['decode']} decode" for row in rows]
    )
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, 1.18)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    return figure


KINDS: dict[str, Callable[[dict[str, Any]], Figure]] = {
    "cache": _cache,
    "instances": _instances,
    "reuse": _reuse,
    "hazard": _hazard,
    "context": _context,
    "shares": _share_curve,
    "level": _level,
    "week": _week,
    "surface": _surface,
    "classes": _classes,
}
