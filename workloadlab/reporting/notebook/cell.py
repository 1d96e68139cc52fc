"""One screen of HTML about an object, for Jupyter."""

from __future__ import annotations

from typing import Any

from workloadlab.reporting.jinja import template
from workloadlab.reporting.notebook.shown import section_of

__all__ = ["cell_of"]

FINDINGS, PLOTS, GRIDS, FACTS, ROWS = 2, 2, 1, 6, 12
"""At most so many of each are shown; the rest is in the report."""


def cell_of(thing: Any) -> str:
    """Return what a notebook shows of an object; light, whatever the notebook's theme.

    Example:
        >>> from workloadlab.latency import LatencyModel
        >>> html = cell_of(LatencyModel.linear(constant_s=0.01, name="flat"))
        >>> "Latency model: flat" in html, html.count("<svg class") <= PLOTS
        (True, True)
    """
    from markupsafe import Markup

    from workloadlab.reporting.figures import draw

    section = section_of(thing)
    drawn = [(plot, Markup(draw(plot))) for plot in section.plots if plot.drawing][:PLOTS]  # noqa: S704
    return template("cell.html.jinja").render(
        section=section,
        findings=section.findings[:FINDINGS],
        more=max(0, len(section.findings) - FINDINGS),
        facts=section.facts[:FACTS],
        grids=[grid for grid in section.grids[:GRIDS] if len(grid.rows) <= ROWS],
        details=[grid for grid in section.details[:1] if not section.grids],
        drawn=drawn,
    )
