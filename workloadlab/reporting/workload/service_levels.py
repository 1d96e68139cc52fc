"""Service levels as a figure: which pair of targets how many requests met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.reporting.canvas import INK, canvas, tick_seconds
from workloadlab.reporting.facts import Plot
from workloadlab.reporting.workload.heat import fill_cells
from workloadlab.words import plural, seconds, share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import ServiceLevels
    from workloadlab.reporting.workload.place import Place

__all__ = ["FIGURES", "TargetsMet", "plot_attainment"]

MET = 0.9


@dataclass(frozen=True)
class TargetsMet:
    """Share of the requests that meet a pair of targets: TTFT by row, TPOT by column."""

    kind: ClassVar = "surface"

    ttft_targets_s: tuple[float, ...]
    tpot_targets_s: tuple[float, ...]
    share: tuple[tuple[float, ...], ...]

    def draw(self) -> Figure:
        """Draw a cell per pair, the fuller the more requests meet both."""
        figure, axes = canvas()
        shares = np.array(self.share)
        fill_cells(axes, shares)
        for row, column in np.ndindex(*shares.shape):
            axes.text(column + 0.5, row + 0.5, f"{shares[row, column]:.0%}", color=INK,
                      ha="center", va="center")  # fmt: skip
        tpots = [tick_seconds(at) for at in self.tpot_targets_s]
        ttfts = [tick_seconds(at) for at in self.ttft_targets_s]
        axes.set_xticks(np.arange(shares.shape[1]) + 0.5, tpots)
        axes.set_yticks(np.arange(shares.shape[0]) + 0.5, ttfts)
        axes.set_xlabel("TPOT at most")
        axes.set_ylabel("TTFT at most")
        return figure


def plot_attainment(levels: ServiceLevels, place: Place) -> Plot:
    """Say which targets would have been met."""
    title, plot_id, met = "Targets met", place.id("attainment"), levels.attainment
    unknown = None in (levels.overall.ttft_s["mean"], levels.overall.tpot_s["mean"])
    if unknown and not any(map(any, met.share)):
        why = "No request records both its TTFT and the time per token that its end would give."
        return Plot(id=plot_id, title=title, reading=why)
    return Plot(
        id=plot_id,
        title=title,
        reading=_reading(levels),
        definition="Share of all requests that end well and meet both targets: TTFT from "
        "arrival, TPOT the mean time per token after the first; a request of one token meets "
        "every TPOT target.",
        n=plural(levels.overall.requests, "request"),
        drawing=TargetsMet(met.ttft_targets_s, met.tpot_targets_s, met.share),
    )


def _reading(levels: ServiceLevels) -> str:
    surface, worst = levels.attainment, levels.worst_window
    ttfts, tpots, met = surface.ttft_targets_s, surface.tpot_targets_s, surface.share
    loosest = f"TTFT within {seconds(ttfts[-1])} and TPOT within {seconds(tpots[-1])}"
    if met[-1][-1] < MET:
        said = f"The loosest targets tried, {loosest}, are met by {share(met[-1][-1])} of the requests."
    else:
        ttft = next(at for at, row in zip(ttfts, met, strict=True) if row[-1] >= MET)
        tpot = next(at for at, part in zip(tpots, met[-1], strict=True) if part >= MET)
        said = (
            f"Of the targets tried, {MET:.0%} of the requests meet a TTFT of {seconds(ttft)} at the "
            f"loosest TPOT and a TPOT of {seconds(tpot)} at the loosest TTFT."
        )
    if worst:
        name = {"ttft": "TTFT", "e2e": "end-to-end time"}[worst.of]
        said += (
            f" In the worst minute, from {seconds(worst.start_s)} on, one request in ten had a "
            f"{name} over {seconds(worst.p90_s)}."
        )
    return said


FIGURES = (plot_attainment,)
