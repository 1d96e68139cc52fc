"""Burstiness by time scale: the index of dispersion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.reporting.canvas import (
    INK,
    canvas,
    log_axis,
    reference_line,
    series,
    thousands,
    tick_seconds,
)
from workloadlab.reporting.facts import REFERENCE, Key, Plot
from workloadlab.words import listed, plural, seconds, three

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import Arrivals
    from workloadlab.reporting.workload.place import Place

__all__ = ["Dispersion", "plot_dispersion"]


@dataclass(frozen=True)
class Dispersion:
    """(window in seconds, variance over mean of the counts) pairs."""

    kind: ClassVar = "dispersion"

    points: tuple[tuple[float, float], ...]

    def draw(self) -> Figure:
        """Draw the points with their values, beside the 1 of Poisson counts."""
        figure, axes = canvas()
        widths, values = np.array(self.points).T
        reference_line(axes, 1)
        axes.plot(widths, values, marker="o", markersize=5, **series(0))
        for width, value in zip(widths, values, strict=True):
            axes.annotate(f"{value:.3g}", (width, value), (0, 7), textcoords="offset points",
                          ha="center", color=INK)  # fmt: skip
        log_axis(axes.xaxis, widths[0] / 1.6, widths[-1] * 1.6, tick_seconds)
        axes.set_xticks(widths, [tick_seconds(width) for width in widths])
        log_axis(axes.yaxis, min(0.5, values.min() / 2), max(2.0, values.max() * 2.2), thousands)
        axes.set_xlabel("window")
        axes.set_ylabel("variance / mean of the counts")
        return figure


def plot_dispersion(arrivals: Arrivals, place: Place) -> Plot:
    """Say on which time scale counts vary more than chance would have it."""
    title, plot_id = "Burstiness by time scale", place.id("dispersion")
    values = {float(width): value for width, value in arrivals.dispersion.items()}
    known = [(width, value) for width, value in values.items() if value is not None]
    left_out = [seconds(width) for width, value in values.items() if value is None]
    if not any(value for _, value in known):
        why = "Every window of one width holds the same count." if known else (
            "No window is both two ticks of the clock wide and half the span at most."
        )  # fmt: skip
        return Plot(id=plot_id, title=title, reading=why)
    return Plot(
        id=plot_id,
        title=title,
        reading=_reading(known),
        definition="Index of dispersion: variance over mean of the counts in complete windows of "
        "one width, n - 1 in the variance; 1 for Poisson arrivals at any width."
        + (
            f" Left out, under two ticks or over half the span: {listed(left_out)}."
            if left_out
            else ""
        ),
        n=plural(arrivals.requests, "request"),
        drawing=Dispersion(tuple((width, value) for width, value in known if value > 0)),
        legend=(Key("index of dispersion", 0), Key("Poisson", REFERENCE)),
    )


def _reading(known: list[tuple[float, float]]) -> str:
    (first, at_first), (peak, at_peak) = known[0], max(known, key=lambda point: point[1])
    said = f"Counts per {seconds(first)} vary {three(at_first)} times as much as Poisson's"
    if peak != first:
        said += f", counts per {seconds(peak)} {three(at_peak)} times"
    if at_peak > max(2, 2 * at_first) and peak == known[-1][0]:
        said += ": the longer the window, the more the rate itself changes"
    elif known[-1][1] < 0.67:
        said += ": over longer windows more regular than chance"
    elif at_peak < 1.5:
        said += ": hardly burstier than chance"
    return f"{said}."
