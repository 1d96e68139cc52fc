"""A drawing as a figure that a notebook shows by itself."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from workloadlab.reporting.canvas import house_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.reporting.facts import Plot

__all__ = ["figure_of"]

DOTS_PER_INCH = 110


def figure_of(plot: Plot) -> Figure:
    """Return a plot as a matplotlib Figure under its title; what has no drawing says why.

    A notebook shows it without pyplot; `figure.savefig("x.png")` keeps it.
    """
    from matplotlib.figure import Figure

    from workloadlab.reporting.canvas import canvas

    with house_style():
        if plot.drawing is None:
            figure, axes = canvas(height=60)
            axes.set_axis_off()
            axes.text(0, 0.5, plot.reading, va="center", wrap=True)
        else:
            figure = plot.drawing.draw()
        figure.suptitle(plot.title, fontsize=12, x=0.01, ha="left")
        if len(plot.legend) > 1:
            _legend(figure, plot)

    class Shown(Figure):
        def _repr_png_(self) -> bytes:
            stream = io.BytesIO()
            with house_style():
                self.savefig(stream, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
            return stream.getvalue()

    figure.__class__ = Shown
    return figure


def _legend(figure: Figure, plot: Plot) -> None:
    """Name the lines, as the page does outside the drawing."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from workloadlab.reporting.canvas import MUTED, series
    from workloadlab.reporting.facts import BAND, REFERENCE

    marks: list[Patch | Line2D] = []
    for key in plot.legend:
        if key.style == BAND:
            marks.append(Patch(color=MUTED, alpha=0.25, label=key.label))
        elif key.style == REFERENCE:
            marks.append(Line2D([], [], color=MUTED, linestyle="--", label=key.label))
        else:
            marks.append(Line2D([], [], label=key.label, **series(key.style)))
    figure.legend(handles=marks, loc="outside lower left", ncols=3, fontsize=9)
