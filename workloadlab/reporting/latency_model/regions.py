"""The errors of a latency model by region: kind of step, batch size, context, total tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from workloadlab.reporting.canvas import HEIGHT, MUTED, SERIES, canvas
from workloadlab.reporting.facts import Plot
from workloadlab.words import plural, share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.latency import ErrorCard, ErrorSlice

__all__ = ["Region", "Regions", "plot_regions", "region_name"]

SHORT = {
    "kind": "{} steps",
    "decode_seqs": "{} decodes",
    "decode_context_tokens": "KV {}",
    "total_tokens": "{} tokens",
}
"""Names of regions that fit beside a figure."""


@dataclass(frozen=True)
class Region:
    """One slice of the card under a short name; see `ErrorSlice`."""

    region: str
    rows: int
    mape: float
    bias: float
    p95: float


@dataclass(frozen=True)
class Regions:
    """The slices of a card, in their order."""

    kind: ClassVar = "regions"

    rows: tuple[Region, ...]

    def draw(self) -> Figure:
        """Draw one line per region from the mean error to the 95% one, and its bias."""
        figure, axes = canvas(height=max(HEIGHT, 64 + 20 * len(self.rows)))
        axes.axvline(0, color=MUTED, linewidth=1.2, dashes=(4, 2))
        ends = [0.0]
        for height, row in enumerate(reversed(self.rows)):
            axes.plot([row.mape, row.p95], [height, height], color=SERIES[0], linewidth=2)
            axes.plot([row.mape], [height], "o", color=SERIES[0], markersize=6)
            axes.plot(
                [row.bias], [height], "d", color=SERIES[1], markersize=6, markerfacecolor="none"
            )
            ends += [row.bias, row.mape, row.p95]
        axes.set_yticks(range(len(self.rows)), [row.region for row in reversed(self.rows)])
        axes.set_ylim(-0.6, len(self.rows) - 0.4)
        axes.grid(visible=False, axis="y")
        margin = (max(ends) - min(ends)) * 0.04 or 0.01
        axes.set_xlim(min(ends) - margin, max(ends) + margin)
        axes.xaxis.set_major_formatter(lambda value, _: f"{round(value * 100, 7):,.10g}%")
        axes.set_xlabel("relative error")
        return figure


def region_name(part: ErrorSlice) -> str:
    """Name one slice of a card.

    Example:
        >>> from workloadlab.latency import ErrorSlice
        >>> region_name(ErrorSlice(by="decode_seqs", slice="17 to 64", rows=1, mape=0, bias=0, p95=0))
        'decode seqs 17 to 64'
    """
    return f"{part.by.replace('_', ' ')} {part.slice}".strip()


def plot_regions(card: ErrorCard, section: str) -> Plot:
    """Say the mean error, and the region where it is largest."""
    worst = max(card.slices, key=lambda part: part.mape)
    said = f"The mean error is {share(card.overall.mape)}"
    if worst is not card.overall:
        said += f" over all and largest, {share(worst.mape)}, for {region_name(worst)}"
    return Plot(
        id=f"{section}-regions",
        title="Error by region",
        reading=f"{said}.",
        definition="Dot: mean absolute relative error; line: up to the error that 95% of the steps "
        "stay under; hollow: bias, the mean error with its sign, right of 0 if predicted too long. "
        "KV: tokens of context of all decodes.",
        n=plural(card.judged_rows, "judged row"),
        drawing=Regions(tuple(_region(part) for part in card.slices)),
    )


def _region(part: ErrorSlice) -> Region:
    name = SHORT.get(part.by, region_name(part)).format(part.slice)
    return Region(name, part.rows, part.mape, part.bias, part.p95)
