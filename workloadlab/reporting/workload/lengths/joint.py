"""Prompt length against output length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.reporting.canvas import INK, SERIES, canvas, log_axis, thousands
from workloadlab.reporting.facts import Plot
from workloadlab.words import plural, sentence, three

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import Lengths
    from workloadlab.characterization.statistics.bands import Band
    from workloadlab.characterization.statistics.joint import Joint
    from workloadlab.reporting.workload.place import Place

__all__ = ["Cells", "plot_joint"]

STRENGTHS = ((0.1, "next to nothing"), (0.3, "little"), (0.6, "something"), (1.01, "much"))


@dataclass(frozen=True)
class Cells:
    """Requests per cell of prompt by output tokens, and quantiles of the outputs by prompt.

    Attributes:
        counts: one row per prompt bin [edge, next edge), one column per output bin.
    """

    kind: ClassVar = "density"

    input_edges: tuple[int, ...]
    output_edges: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]
    bands: tuple[Band, ...]

    def draw(self) -> Figure:
        """Draw the cells, the fuller the more requests, with a bar per tenth of the prompts."""
        from matplotlib.collections import PolyCollection
        from matplotlib.colors import to_rgba

        figure, axes = canvas(height=320)
        inputs, outputs = (np.maximum(e, 0.7) for e in (self.input_edges, self.output_edges))
        counts = np.array(self.counts, dtype=np.float64)
        rows, columns = np.nonzero(counts)
        depth = np.log1p(counts[rows, columns]) / np.log1p(counts.max())
        left, right = inputs[rows], inputs[rows + 1]
        bottom, top = outputs[columns], outputs[columns + 1]
        corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
        cells = np.moveaxis(np.array(corners), 2, 0)
        colours = [to_rgba(SERIES[0], round(0.07 + 0.63 * float(part), 2)) for part in depth]
        axes.add_collection(PolyCollection(list(cells), facecolors=colours, linewidths=0))
        for band in self.bands:
            low, middle, high = (max(q, outputs[0]) for q in (band.p10, band.p50, band.p90))
            center = max((band.input_low * band.input_high) ** 0.5, inputs[0])
            axes.plot([center, center], [low, high], color=INK, linewidth=1.3)
            axes.plot(center, middle, "o", color=INK, markersize=5)
        log_axis(axes.xaxis, inputs[0], inputs[-1], thousands)
        log_axis(axes.yaxis, outputs[0], outputs[-1], thousands)
        axes.set_xlabel("prompt tokens")
        axes.set_ylabel("output tokens")
        return figure


def plot_joint(lengths: Lengths, place: Place) -> Plot:
    """Say how much a prompt's length tells about its output's."""
    title, plot_id, joint = "Prompt against output", place.id("joint"), lengths.joint
    if isinstance(joint, Unsupported):
        return Plot(id=plot_id, title=title, reading=sentence(joint.unsupported))
    cells = joint.density
    return Plot(
        id=plot_id,
        title=title,
        reading=_reading(joint),
        definition="Requests per cell of half an octave each way, the fuller the stronger the "
        "colour. Bars: output quantiles 10%, 50% (dot) and 90% of each tenth of the prompts by "
        "length. Spearman: correlation of ranks, ties averaged.",
        n=plural(joint.rows, "request"),
        drawing=Cells(cells.input_edges, cells.output_edges, cells.counts, joint.output_by_input),
    )


def _reading(joint: Joint) -> str:
    rank, ratio, bands = joint.spearman, joint.input_output_ratio, joint.output_by_input
    if rank is None:
        said = "One of the two lengths does not vary, so neither tells anything of the other."
    else:
        strength = next(word for most, word in STRENGTHS if abs(rank) < most)
        inverse = ", and inversely" if rank <= -0.1 else ""
        said = (
            f"A prompt's length says {strength} about its output's{inverse} (Spearman {rank:.2f})."
        )
    if ratio is not None:
        said += f" The prompts hold {three(ratio)} tokens for each one generated."
    if len(bands) > 1:
        said += (
            f" The median output goes from {plural(round(bands[0].p50), 'token')} for the "
            "shortest prompts to "
            f"{bands[-1].p50:,.0f} for the longest."
        )
    return said
