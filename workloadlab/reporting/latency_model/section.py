"""A latency model as a section: how wrong it is, where it was fitted, what a step costs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workloadlab.reporting.facts import Cell, Finding, Grid, Section
from workloadlab.reporting.grids import grid_of
from workloadlab.reporting.latency_model.predicted import plot_predicted
from workloadlab.reporting.latency_model.regions import plot_regions, region_name
from workloadlab.reporting.latency_model.roofline import plot_roofline
from workloadlab.reporting.latency_model.steps import plot_decode, plot_prefill
from workloadlab.words import listed, plural, sentence, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.latency import ErrorCard, LatencyModel
    from workloadlab.latency.domain import Domain

__all__ = ["model_section"]

DESCRIBED = (
    "name", "estimator", "gpu", "model", "tp", "dtype", "provenance", "system", "card", "domain",
)  # fmt: skip
"""The keys of a model's file that the page keeps: all but its parameters, which may be large."""

LARGE_ERROR = 0.1


def model_section(model: LatencyModel, section_id: str) -> Section:
    """Summarise a latency model."""
    facts, card = model.to_dict(), model.card
    return Section(
        id=section_id,
        title=f"Latency model: {model.name}",
        summary=_summary(model),
        findings=(*_findings(model), *_calibration_notes(model)),
        facts=_origin(model),
        grids=(
            *_calibration(model),
            *([_card(card)] if card else []),
            *([_domain(model.domain)] if model.domain and model.domain.boxes else []),
        ),
        plots=(
            plot_predicted(card, section_id),
            *([plot_regions(card, section_id)] if card else []),
            plot_roofline(model, section_id),
            plot_prefill(model, section_id),
            plot_decode(model, section_id),
        ),
        source={key: facts[key] for key in DESCRIBED},
    )


def _summary(model: LatencyModel) -> str:
    source = f"Step times come from {model.name} ({model.model} on {model.tp} x {model.gpu})"
    if model.card is None:
        return f"{source}, made by hand and held against no measurement."
    error = share(model.card.overall.mape)
    return f"{source}, wrong by {error} on average on steps it had not seen."


def _findings(model: LatencyModel) -> Iterator[Finding]:
    if model.card is None:
        said = "Made by hand: no fit, so no held-out error and no domain."
        yield Finding("info", model.name, said)
        return
    large = [
        f"{region_name(part)} ({share(part.mape)} of {plural(part.rows, 'step')})"
        for part in model.card.slices
        if part.mape > LARGE_ERROR
    ]
    if large:
        said = f"The mean held-out error is over {share(LARGE_ERROR)} for {listed(large)}."
        yield Finding("warning", model.name, said)


def _origin(model: LatencyModel) -> tuple[tuple[str, str], ...]:
    pairs = [("Accelerator", f"{model.tp} x {model.gpu}"), ("Served model", model.model)]
    pairs += [("Precision", model.dtype)] if model.dtype else []
    pairs += [("Estimator", model.estimator)]
    for group in (model.system, model.provenance):
        pairs += [(_label(key), _value(value)) for key, value in group.items()
                  if value is not None and not isinstance(value, dict)]  # fmt: skip
    return tuple(pairs)


def _calibration(model: LatencyModel) -> Iterator[Grid]:
    """Yield what a calibration knows of its parameters, and how wrong it was later in the log."""
    if "calibration" in model.system:
        from workloadlab.calibration import tables_of

        yield from map(grid_of, tables_of(model))


def _calibration_notes(model: LatencyModel) -> Iterator[Finding]:
    if "calibration" in model.system:
        from workloadlab.calibration import notes_of

        for note in notes_of(model):
            yield Finding("info", model.name, sentence(note))


def _label(key: str) -> str:
    words = key.replace("_", " ")
    for name in ("kv", "gpu", "cuda", "url", "cpu"):
        words = re.sub(rf"\b{name}\b", name.upper(), words)
    return words[:1].upper() + words[1:]


def _value(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _card(card: ErrorCard) -> Grid:
    parts = card.slices
    rows = tuple(
        (
            Cell(part.by.replace("_", " ")),
            Cell(part.slice),
            Cell(f"{part.rows:,}"),
            Cell(f"{part.mape:.2%}"),
            Cell(f"{part.bias:+.2%}"),
            Cell(f"{part.p95:.2%}"),
        )
        for part in parts
    )
    return Grid(
        caption="Held-out error by region",
        header=("Steps by", "Region", "Steps", "Mean |error|", "Bias", "95% under"),
        rows=rows,
        names=2,
        note=f"Relative errors, predicted over measured less 1; a positive bias predicts too long. "
        f"Judged on {plural(card.judged_rows, 'step')}, fitted on {card.fitted_rows:,}: "
        f"{card.split}.",
    )


def _domain(domain: Domain) -> Grid:
    features = list(next(iter(domain.boxes.values())))
    rows = tuple(
        (Cell(kind), *(Cell(_range(*box[name])) for name in features))
        for kind, box in domain.boxes.items()
    )
    return Grid(
        caption="Where it was fitted",
        header=("Step", *(name.replace("_", " ").capitalize() for name in features)),
        rows=rows,
        note="Smallest and largest value seen, by kind of step. Prefill context: every new token "
        "times the cached tokens before its chunk. Outside these the model extrapolates.",
    )


def _range(low: float, high: float) -> str:
    return f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"
