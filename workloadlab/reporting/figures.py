"""One function per kind of figure: plain data in, a matplotlib figure out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.reporting.canvas import (
    HEIGHT,
    INK,
    MUTED,
    SERIES,
    canvas,
    house_style,
    log_axis,
    series,
    share_axis,
    tick_seconds,
    time_axis,
    time_unit,
    to_svg,
)
from workloadlab.reporting.latency_figures import KINDS as LATENCY_KINDS
from workloadlab.reporting.workload_figures import KINDS as WORKLOAD_KINDS

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


def _rate(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    rates = np.array(data["rate_rps"])
    edges = np.arange(len(rates) + 1) * data["bin_s"]
    unit, size = time_unit(edges[-1])
    axes.axhspan(*data["band_rps"], color=MUTED, alpha=0.18, linewidth=0)
    axes.axhline(data["mean_rps"], color=MUTED, linewidth=1)
    axes.stairs(rates, edges / size, color=SERIES[0], linewidth=1.2, baseline=None)
    axes.set_xlim(0, edges[-1] / size)
    axes.set_ylim(0, max(rates.max(), data["band_rps"][1]) * 1.08)
    axes.set_xlabel(f"{unit} since the first arrival")
    axes.set_ylabel("requests/s")
    return figure


def _gaps(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    gaps, shares = np.array(data["points"]).T
    positive = shares > 0
    lowest = shares[positive].min() / 2
    low = gaps[shares >= min(0.97, shares[0])][-1]
    high = max(gaps[-1], data["mean_s"] * -np.log(lowest))
    grid = np.geomspace(low, high, 200)
    axes.plot(grid, np.exp(-grid / data["mean_s"]), color=MUTED, linewidth=1.2, dashes=(4, 2))
    if data["fit"]:
        fitted, above = np.array(data["fit"]["points"]).T
        axes.plot(fitted[above > 0], above[above > 0], **series(1))
    marker = "o" if len(gaps) < FEW_POINTS else None
    axes.plot(gaps[positive], shares[positive], marker=marker, markersize=4, **series(0))
    log_axis(axes.xaxis, low, high, tick_seconds)
    log_axis(axes.yaxis, lowest, 1.3, _percent)
    axes.set_xlabel("gap")
    axes.set_ylabel("gaps at least as long")
    return figure


def _dispersion(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    widths, values = np.array(data["points"]).T
    axes.axhline(1, color=MUTED, linewidth=1.2, dashes=(4, 2))
    axes.plot(widths, values, marker="o", markersize=5, **series(0))
    for width, value in zip(widths, values, strict=True):
        axes.annotate(f"{value:.3g}", (width, value), (0, 7), textcoords="offset points",
                      ha="center", color=INK)  # fmt: skip
    log_axis(axes.xaxis, widths[0] / 1.6, widths[-1] * 1.6, tick_seconds)
    axes.set_xticks(widths, [tick_seconds(width) for width in widths])
    log_axis(axes.yaxis, min(0.5, values.min() / 2), max(2.0, values.max() * 2.2), _thousands)
    axes.set_xlabel("window")
    axes.set_ylabel("variance / mean of the counts")
    return figure


def _lengths(data: dict[str, Any]) -> Figure:
    figure, axes = canvas()
    for style, key in enumerate(("requests", "tokens")):
        tokens, shares = np.array(data[key], dtype=np.float64).T
        stairs = "steps-post" if len(tokens) < STEPS_BELOW else "default"
        tokens, shares = np.append(tokens[0], tokens), np.append(0.0, shares)
        seen = tokens >= 1
        axes.plot(tokens[seen], shares[seen], drawstyle=stairs, **series(style))
    tokens, shares = np.array(data["requests"], dtype=np.float64).T
    in_sight = tokens[(tokens >= 1) & (shares >= LEAST_SHARE)]
    log_axis(axes.xaxis, max(in_sight[0] / 1.5, 1), in_sight[-1] * 1.2, _thousands)
    share_axis(axes)
    axes.set_xlabel("tokens")
    axes.set_ylabel("share at most as long")
    return figure


def _density(data: dict[str, Any]) -> Figure:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    figure, axes = canvas(height=320)
    inputs, outputs = (np.maximum(data[f"{key}_edges"], 0.7) for key in ("input", "output"))
    counts = np.array(data["counts"], dtype=np.float64)
    rows, columns = np.nonzero(counts)
    depth = np.log1p(counts[rows, columns]) / np.log1p(counts.max())
    left, right = inputs[rows], inputs[rows + 1]
    bottom, top = outputs[columns], outputs[columns + 1]
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    cells = np.moveaxis(np.array(corners), 2, 0)
    colours = [to_rgba(SERIES[0], round(0.07 + 0.63 * float(part), 2)) for part in depth]
    axes.add_collection(PolyCollection(list(cells), facecolors=colours, linewidths=0))
    for band in data["bands"]:
        low, middle, high = (max(band[key], outputs[0]) for key in ("p10", "p50", "p90"))
        center = max((band["input_low"] * band["input_high"]) ** 0.5, inputs[0])
        axes.plot([center, center], [low, high], color=INK, linewidth=1.3)
        axes.plot(center, middle, "o", color=INK, markersize=5)
    log_axis(axes.xaxis, inputs[0], inputs[-1], _thousands)
    log_axis(axes.yaxis, outputs[0], outputs[-1], _thousands)
    axes.set_xlabel("prompt tokens")
    axes.set_ylabel("output tokens")
    return figure


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
    "rate": _rate,
    "gaps": _gaps,
    "dispersion": _dispersion,
    "lengths": _lengths,
    "density": _density,
    "latency": _latency,
    "differences": _differences,
    "load": _load,
    **LATENCY_KINDS,
    **WORKLOAD_KINDS,
}
