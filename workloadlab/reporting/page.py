"""Facts to one HTML file."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import checked, file_path
from workloadlab.reporting.csv_data import csv_of
from workloadlab.reporting.jinja import template
from workloadlab.reporting.summary import summary_of
from workloadlab.trace import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.reporting.summary import Summary

__all__ = ["render", "report"]


@checked
def report(path: str | Path, *parts: Any, date: str = "") -> Path:
    """Write one self-contained HTML page about a workload, a latency model and routers.

    The page needs no network: figures are inline SVG, and the facts behind them can be saved from it
    as JSON. A few lines of script sort its tables, which read without. The same parts give the same
    bytes.

    Args:
        path: the file to write; an existing one is replaced whole or not at all.
        *parts: Profile, LatencyModel, Scoreboard, Runs, Plan and LearnedRouter objects, in any order
            and number.
        date: of the page, for its footer.

    Returns:
        The path.

    Raises:
        UsageError: no parts, a part of another type, or no such folder.

    Example:
        >>> import tempfile
        >>> from workloadlab import LatencyModel
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page = report(f"{folder}/model.html", LatencyModel.linear(constant_s=0.01))
        ...     page.name, page.read_text(encoding="utf-8")[:15]
        ('model.html', '<!doctype html>')
    """
    path = file_path("path", path)
    with write_atomically(path) as temporary:
        temporary.write_text(render(summary_of(*parts), date), encoding="utf-8")
    return path


def render(summary: Summary, date: str = "") -> str:
    """Return the page of what `summary_of` returned."""
    from markupsafe import Markup

    from workloadlab.reporting.figures import draw

    drawings = {
        plot.id: Markup(draw(plot))  # noqa: S704  our own SVG, its text escaped
        for section in summary.sections
        for plot in section.plots
    }
    tables = {
        plot.id: _base64(csv_of(plot.drawing))
        for section in summary.sections
        for plot in section.plots
        if plot.drawing
    }
    facts = summary.to_dict()
    document = json.dumps(facts, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return template("page.html.jinja").render(
        facts=facts,
        date=date,
        drawings=drawings,
        tables=tables,
        document=_base64(document),
    )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
