"""A figure to inline SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.reporting.canvas import house_style, to_svg
from workloadlab.reporting.latency_figures import KINDS

if TYPE_CHECKING:
    from workloadlab.reporting.facts import Plot

__all__ = ["draw"]


def draw(plot: Plot) -> str:
    """Return a figure as inline SVG; "" where there is nothing to draw."""
    if plot.drawing is None and plot.kind == "absent":
        return ""
    with house_style():
        figure = plot.drawing.draw() if plot.drawing else KINDS[plot.kind](plot.data)
        return to_svg(figure, plot.id, f"{plot.title}. {plot.reading}")
