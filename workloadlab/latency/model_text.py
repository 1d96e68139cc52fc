"""A latency model as text: its facts, then its error card."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workloadlab.latency.model import LatencyModel
    from workloadlab.latency.step_terms import Term

__all__ = ["model_text"]


def model_text(model: LatencyModel) -> str:
    """Return the name, a line for every fact, and the card."""
    facts = _facts(model)
    width = max(len(label) for label, _ in facts)
    lines = [model.name, *(f"  {label.ljust(width)}  {value}" for label, value in facts)]
    return "\n".join([*lines, *([str(model.card)] if model.card else [])])


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


def _box_text(box: dict[str, tuple[float, float]]) -> str:
    """Ranges of the features that such steps have at all."""
    ranges = ((name, low, high) for name, (low, high) in box.items() if high > 0)
    return ", ".join(f"{name} {low:,.0f} to {high:,.0f}" for name, low, high in ranges)
