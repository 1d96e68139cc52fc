"""A latency model as text for a terminal and as HTML for a notebook: its facts, then its error card."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from workloadlab.latency.card import TITLES

if TYPE_CHECKING:
    from workloadlab.latency.model import LatencyModel
    from workloadlab.latency.step_terms import Term

__all__ = ["model_html", "model_text"]


def model_text(model: LatencyModel) -> str:
    """Return the name, a line for every fact, and the card."""
    facts = _facts(model)
    width = max(len(label) for label, _ in facts)
    lines = [model.name, *(f"  {label.ljust(width)}  {value}" for label, value in facts)]
    return "\n".join([*lines, *([str(model.card)] if model.card else [])])


def model_html(model: LatencyModel) -> str:
    """Return the name, a table of the facts, and one of the card."""
    head = f"<p><b>{escape(model.name)}</b></p>{_table(_facts(model))}"
    if model.card is None:
        return head
    card = _table([TITLES, *model.card.rows()])
    return f"{head}<p>errors on {escape(model.card.split)}</p>{card}"


def _facts(model: LatencyModel) -> list[tuple[str, str]]:
    facts = [("gpu", f"{model.tp} x {model.gpu}"), ("model", model.model)]
    facts += [("dtype", model.dtype)] if model.dtype else []
    facts += [("estimator", model.estimator), *model.provenance.items()]
    facts += [(name.replace("_", " "), str(term)) for name, term in _added(model)]
    if model.domain:
        facts += [(f"{kind} steps", _box_text(box)) for kind, box in model.domain.boxes.items()]
    return facts


def _added(model: LatencyModel) -> list[tuple[str, Term]]:
    """Return the terms that the model adds, or could."""
    return [(name, term) for name, term in model.terms.named() if term.source != "not added"]


def _table(rows: list[Any]) -> str:
    cells = ("".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def _box_text(box: dict[str, tuple[float, float]]) -> str:
    """Ranges of the features that such steps have at all."""
    ranges = ((name, low, high) for name, (low, high) in box.items() if high > 0)
    return ", ".join(f"{name} {low:,.0f} to {high:,.0f}" for name, low, high in ranges)
