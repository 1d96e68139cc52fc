"""The share of the load that the largest tenants send, as a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.reporting.canvas import MUTED, canvas, log_axis, series, share_axis, short
from workloadlab.reporting.facts import REFERENCE, Curve, Key, Plot
from workloadlab.words import plural, share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import Tenants
    from workloadlab.reporting.workload.place import Place

__all__ = ["FIGURES", "LargestShares", "plot_tenants"]

NOUNS = {
    "tenant_id": "tenant",
    "client_id": "client",
    "model": "model",
    "task": "task",
    "slo_class": "service class",
}
FEW_POINTS = 30
"""A curve of fewer points has them marked."""


@dataclass(frozen=True)
class LargestShares:
    """(k, share that the k largest parties hold) curves.

    Attributes:
        count: all parties, called `nouns`.
    """

    kind: ClassVar = "shares"

    count: int
    nouns: str
    curves: tuple[Curve, ...]

    def draw(self) -> Figure:
        """Draw the curves above that of parties that are all equal."""
        figure, axes = canvas()
        equal = np.unique(np.geomspace(1, self.count, 200))
        axes.plot(equal, equal / self.count, color=MUTED, linewidth=1.2, dashes=(4, 2))
        for curve in self.curves:
            points = np.array(curve.points)
            marker = "o" if len(points) < FEW_POINTS else None
            axes.plot(*points.T, marker=marker, markersize=4, **series(curve.style))
        log_axis(axes.xaxis, 1 / 1.05, self.count * 1.05, short)
        share_axis(axes)
        axes.set_xlabel(f"k largest {self.nouns}")
        axes.set_ylabel("share held")
        return figure


def plot_tenants(tenants: Tenants, place: Place) -> Plot:
    """Say how much of the load the largest tenants send."""
    parties, noun = tenants.parties[tenants.by], NOUNS[tenants.by]
    nouns = "service classes" if noun == "service class" else f"{noun}s"
    title, plot_id, count = f"Share of the largest {nouns}", place.id("tenants"), tenants.count
    if count == 1:
        return Plot(id=plot_id, title=title, reading=f"Every request names the same {noun}.")
    held = {"requests": parties.requests}
    if parties.tokens:
        held["tokens"] = parties.tokens
    most = f"{tenants.k90:,} hold" if tenants.k90 > 1 else "it alone holds"
    said = (
        f"The largest of {count:,} {nouns} sends {share(tenants.top1)} of the requests; {most} "
        "90% of them"
    )
    said += f" (Gini {tenants.gini:.2f})." if tenants.gini is not None else "."
    if parties.bursty_share is not None:
        said += (
            f" {share(parties.bursty_share)} of the requests that can be told are of {nouns} "
            "with gaps burstier than exponential ones."
        )
    return Plot(
        id=plot_id,
        title=title,
        reading=said,
        definition=f"Share of all requests, and of all tokens, that the k largest {nouns} have, "
        "ordered by each of the two (Lorenz curve from its upper end).",
        n=f"{count:,} {nouns}"
        + (f"; {plural(parties.missing, 'request')} without one" if parties.missing else ""),
        drawing=LargestShares(
            count=count,
            nouns=nouns,
            curves=tuple(Curve(style, s.curve) for style, s in enumerate(held.values())),
        ),
        legend=(
            *(Key(f"by {name}", style) for style, name in enumerate(held)),
            Key("all equal", REFERENCE),
        ),
    )


FIGURES = (plot_tenants,)
