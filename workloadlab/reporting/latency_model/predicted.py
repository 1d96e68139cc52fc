"""Measured against predicted step times of a latency model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.latency.card import POINT
from workloadlab.reporting.canvas import MUTED, canvas, log_axis, tick_seconds
from workloadlab.reporting.facts import Plot
from workloadlab.reporting.latency_model.scatter import StepPoints, by_kind, draw_points
from workloadlab.words import plural, seconds, share

if TYPE_CHECKING:
    from typing import Any

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from workloadlab.latency import ErrorCard

__all__ = ["Predicted", "plot_predicted"]

TITLE = "Measured against predicted"

BAND = 0.1
"""Predictions within this share of the measured time lie in the band."""


@dataclass(frozen=True)
class Predicted:
    """(measured, predicted) seconds of steps by kind, and the width of the band."""

    kind: ClassVar = "predicted"

    band: float
    series: tuple[StepPoints, ...]

    def draw(self) -> Figure:
        """Draw the points about the line of equal times."""
        figure, axes = canvas(height=320)
        times = np.concatenate([np.array(one.points).ravel() for one in self.series])
        low, high = times[times > 0].min() / 1.2, times.max() * 1.2
        ends = np.array([low, high])
        axes.fill_between(
            ends,
            ends * (1 - self.band),
            ends * (1 + self.band),
            color=MUTED,
            alpha=0.18,
            linewidth=0,
        )
        axes.plot(ends, ends, color=MUTED, linewidth=1.2, dashes=(4, 2))
        draw_points(axes, self.series)
        log_axis(axes.xaxis, low, high, tick_seconds)
        log_axis(axes.yaxis, low, high, tick_seconds)
        axes.legend(loc="upper left")
        axes.set_xlabel("measured")
        axes.set_ylabel("predicted")
        return figure


def plot_predicted(card: ErrorCard | None, section: str) -> Plot:
    """Say how many steps are predicted well and how far off the worst is, or why nobody knows."""
    plot_id = f"{section}-predicted"
    why = _nothing_to_show(card)
    if card is None or why:
        return Plot(id=plot_id, title=TITLE, reading=f"Not drawn: {why}.")
    points = np.array(card.points, dtype=np.float64).reshape(-1, len(POINT))
    return Plot(
        id=plot_id,
        title=TITLE,
        reading=_reading(points[:, 4], points[:, 5]),
        definition="Some of the judged steps, evenly spaced by duration within each kind. Dashed "
        f"line: predicted as measured; band: within {BAND:.0%}; logarithmic axes. Judged on "
        f"{card.split}.",
        n=f"{len(points):,} of {plural(card.judged_rows, 'judged step')}",
        drawing=Predicted(BAND, by_kind(points[:, :4], points[:, 4:])),
    )


def _nothing_to_show(card: ErrorCard | None) -> str:
    if card is None:
        return "the model was made by hand, so no step was measured"
    if card.overall.by == "requests":
        return "the model was judged on requests, so no step was measured"
    return "" if card.points else "the model's file keeps no measured steps; fit it again"


def _reading(measured: NDArray[Any], predicted: NDArray[Any]) -> str:
    ratio = predicted / measured - 1
    within, worst = np.abs(ratio) <= BAND, int(np.abs(ratio).argmax())
    steps = plural(len(measured), "step")
    count = f"All {steps}" if within.all() else f"{within.sum():,} of the {steps}"
    side = "long" if ratio[worst] > 0 else "short"
    return (
        f"{count} drawn are predicted within {BAND:.0%}. The worst took "
        f"{seconds(measured[worst])} and is predicted {share(abs(ratio[worst]))} too {side}."
    )
