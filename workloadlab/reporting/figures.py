"""A figure to inline SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.reporting.canvas import house_style, to_svg

if TYPE_CHECKING:
    from workloadlab.reporting.facts import Plot

__all__ = ["draw"]


def draw(plot: Plot) -> str:
    """Return a figure as inline SVG; "" where there is nothing to draw."""
    if plot.drawing is None:
        return ""
    with house_style():
        return to_svg(plot.drawing.draw(), plot.id, f"{plot.title}. {plot.reading}")
