"""A latency model as a section: how wrong it is, where it was fitted, what a step costs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from workloadlab.reporting.facts import Cell, Finding, Grid, Section
from workloadlab.reporting.latency_model.curves import curve_plots
from workloadlab.reporting.latency_model.errors import error_plots, region_name
from workloadlab.reporting.latency_model.roofline import roofline_plot
from workloadlab.reporting.words import listed, plural, share

if TYPE_CHECKING:
    from workloadlab.latency import LatencyModel

__all__ = ["model_section"]

DESCRIBED = (
    "name", "estimator", "gpu", "model", "tp", "dtype", "provenance", "system", "card", "domain",
)  # fmt: skip
"""What the page keeps of a model's file: all but its parameters, which may be large."""

LARGE_ERROR = 0.1


def model_section(model: LatencyModel, section_id: str) -> Section:
    """Summarise a latency model."""
    facts = model.to_dict()
    card = facts["card"]
    return Section(
        id=section_id,
        title=f"Latency model: {model.name}",
        summary=_summary(facts),
        findings=_findings(facts),
        facts=_origin(facts),
        grids=tuple(
            grid for grid in (_card(card) if card else None, _domain(facts["domain"])) if grid
        ),
        plots=(
            *error_plots(card, section_id),
            roofline_plot(model, section_id),
            *curve_plots(model, section_id),
        ),
        source={key: facts[key] for key in DESCRIBED},
    )


def _summary(facts: dict[str, Any]) -> str:
    what = (
        f"Step times come from {facts['name']} ({facts['model']} on {facts['tp']} x {facts['gpu']})"
    )
    if facts["card"] is None:
        return f"{what}, made by hand and held against no measurement."
    overall = facts["card"]["slices"][0]
    return f"{what}, wrong by {share(overall['mape'])} on average on steps it had not seen."


def _findings(facts: dict[str, Any]) -> tuple[Finding, ...]:
    card = facts["card"]
    if card is None:
        said = "Made by hand: no fit, so no held-out error and no domain."
        return (Finding("info", facts["name"], said),)
    large = [
        f"{region_name(part)} ({share(part['mape'])} of {plural(part['rows'], 'step')})"
        for part in card["slices"]
        if part["mape"] > LARGE_ERROR
    ]
    if not large:
        return ()
    return (
        Finding("warning", facts["name"],
                f"The mean held-out error is over {share(LARGE_ERROR)} for {listed(large)}."),
    )  # fmt: skip


def _origin(facts: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    pairs = [("Accelerator", f"{facts['tp']} x {facts['gpu']}"), ("Served model", facts["model"])]
    pairs += [("Precision", facts["dtype"])] if facts["dtype"] else []
    pairs += [("Estimator", facts["estimator"])]
    for group in (facts["system"], facts["provenance"]):
        pairs += [(_label(key), _value(value)) for key, value in group.items()]
    return tuple(pairs)


def _label(key: str) -> str:
    words = key.replace("_", " ")
    for name in ("kv", "gpu", "cuda", "url", "cpu"):
        words = re.sub(rf"\b{name}\b", name.upper(), words)
    return words[:1].upper() + words[1:]


def _value(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _card(card: dict[str, Any]) -> Grid:
    parts = card["slices"]
    above = ["", *(part["by"] for part in parts)]
    rows = tuple(
        (
            Cell("" if part["by"] == above[row] else part["by"].replace("_", " ")),
            Cell(part["slice"]),
            Cell(f"{part['rows']:,}"),
            Cell(f"{part['mape']:.2%}"),
            Cell(f"{part['bias']:+.2%}"),
            Cell(f"{part['p95']:.2%}"),
        )
        for row, part in enumerate(parts)
    )
    return Grid(
        caption="Held-out error by region",
        header=("Steps by", "Region", "Steps", "Mean |error|", "Bias", "95% under"),
        rows=rows,
        names=2,
        note=f"Relative errors, predicted over measured less 1; a positive bias predicts too long. "
        f"Judged on {card['judged_rows']:,} steps, fitted on {card['fitted_rows']:,}: "
        f"{card['split']}.",
    )


def _domain(domain: dict[str, Any] | None) -> Grid | None:
    if not domain:
        return None
    features = list(next(iter(domain.values())))
    rows = tuple(
        (Cell(kind), *(Cell(_range(*box[name])) for name in features))
        for kind, box in domain.items()
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
