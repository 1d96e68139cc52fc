"""Requests in flight as a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.reporting.canvas import SERIES, canvas, reference_line, time_unit
from workloadlab.reporting.facts import REFERENCE, Key, Plot
from workloadlab.words import plural, seconds, three

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import Concurrency
    from workloadlab.reporting.workload.place import Place

__all__ = ["FIGURES", "Level", "plot_concurrency"]

DURATIONS = {
    "observed": "end-to-end times as recorded",
    "predicted": "times predicted by the latency model, without queueing and 32 decoding together, "
    "so a floor",
}


@dataclass(frozen=True)
class Level:
    """Mean number of requests in flight per bin since the first arrival."""

    kind: ClassVar = "level"

    bin_s: float
    level: tuple[float, ...]
    mean: float

    def draw(self) -> Figure:
        """Draw the level as steps and its mean as a line."""
        figure, axes = canvas()
        levels = np.array(self.level)
        edges = np.arange(len(levels) + 1) * self.bin_s
        unit, size = time_unit(edges[-1])
        reference_line(axes, self.mean)
        axes.stairs(levels, edges / size, color=SERIES[0], linewidth=1.2, baseline=None)
        axes.set_xlim(0, edges[-1] / size)
        axes.set_ylim(0, levels.max() * 1.08 or 1)
        axes.set_xlabel(f"{unit} since the first arrival")
        axes.set_ylabel("requests in flight")
        return figure


def plot_concurrency(concurrency: Concurrency, place: Place) -> Plot:
    """Say how many requests are in flight."""
    level, tokens, series = concurrency.in_flight, concurrency.tokens, concurrency.series
    said = (
        f"{three(level.mean)} requests are in flight on average, at most {three(level.p99)} for "
        f"99% of the time and {level.peak:,} at the peak."
    )
    if tokens:
        said += f" They have {tokens.mean:,.0f} tokens on average, {tokens.peak:,} at most."
    return Plot(
        id=place.id("concurrency"),
        title="Requests in flight",
        reading=said,
        definition=f"Mean number between arrival and end per bin of {seconds(series.bin_s)}, "
        f"until the last end; {DURATIONS[concurrency.durations]}. Mean and 99% quantile "
        "weighted by time. Tokens: prompt and whole output from arrival to end.",
        n=plural(concurrency.requests, "request")
        + (f"; {concurrency.missing:,} without a duration" if concurrency.missing else ""),
        drawing=Level(bin_s=series.bin_s, level=series.mean, mean=level.mean),
        legend=(Key("in flight", 0), Key("mean", REFERENCE)),
    )


FIGURES = (plot_concurrency,)
