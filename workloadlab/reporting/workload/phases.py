"""Predicted costs as a figure: who is heavy in which phase, and who takes the engine's time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.characterization.statistics.phase_times import CHUNK_TOKENS
from workloadlab.characterization.topics.phases import HEAVY_DECODE_S, HEAVY_PREFILL_S
from workloadlab.reporting.canvas import INK, SERIES, canvas
from workloadlab.reporting.facts import Key, Plot
from workloadlab.words import plural, seconds, share, three

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import Phases
    from workloadlab.reporting.workload.place import Place

__all__ = ["FIGURES", "Classes", "Weight", "plot_phases"]

WEIGHTS = {"L": "light", "H": "heavy"}
OUTSIDE_SAID = 0.01


@dataclass(frozen=True)
class Weight:
    """Requests of one class, and its letters in words."""

    name: str
    requests: int
    share: float
    engine_share: float
    prefill: str
    decode: str


@dataclass(frozen=True)
class Classes:
    """The classes, light ones first."""

    kind: ClassVar = "classes"

    rows: tuple[Weight, ...]

    def draw(self) -> Figure:
        """Draw two bars per class: its share of the requests and of the engine's time."""
        figure, axes = canvas()
        for style, shares in enumerate(
            ([row.share for row in self.rows], [row.engine_share for row in self.rows])
        ):
            places = np.arange(len(self.rows)) + (style - 0.5) * 0.36
            axes.barh(places, shares, height=0.32, color=SERIES[style])
            for place, part in zip(places, shares, strict=True):
                axes.annotate(f"{part:.1%}", (part, place), (4, 0), textcoords="offset points",
                              va="center", color=INK)  # fmt: skip
        axes.set_yticks(
            range(len(self.rows)),
            [f"{row.prefill} prefill,\n{row.decode} decode" for row in self.rows],
        )
        axes.set_ylim(len(self.rows) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, 1.18)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
        return figure


def plot_phases(phases: Phases, place: Place) -> Plot:
    """Say which requests take the engine's time."""
    rows = tuple(
        Weight(
            name=found.name,
            requests=found.requests,
            share=found.share,
            engine_share=found.engine_share,
            prefill=WEIGHTS[found.name[0]],
            decode=WEIGHTS[found.name[1]],
        )
        for found in phases.classes
    )
    most = max(rows, key=lambda row: row.engine_share)
    said = (
        f"Requests of {most.prefill} prefill and {most.decode} decode are "
        f"{share(most.share)} of all and take {share(most.engine_share)} of the engine's time."
    )
    if phases.offered_load is not None:
        said += (
            f" The trace offers the work of {three(phases.offered_load)} instances of {phases.gpu}"
            f" (tensor parallel {phases.tp}), without cached prefixes."
        )
    if phases.outside_domain_share > OUTSIDE_SAID:
        said += (
            f" {share(phases.outside_domain_share)} of the prompts have steps outside the range "
            "that the model was fitted in."
        )
    return Plot(
        id=place.id("phases"),
        title="Heavy prefill, heavy decode",
        reading=said,
        definition=f"Times predicted by {phases.model}: prompts alone in chunks of "
        f"{CHUNK_TOKENS:,} tokens, outputs among {phases.decode_batch} like requests. Prefill is "
        f"heavy from {seconds(HEAVY_PREFILL_S)} on, decode from {seconds(HEAVY_DECODE_S)}.",
        n=plural(phases.requests, "request"),
        drawing=Classes(rows),
        legend=(Key("share of the requests", 0), Key("share of the engine's time", 1)),
    )


FIGURES = (plot_phases,)
