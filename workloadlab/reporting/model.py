"""A latency model as a section: how wrong it is, where it was fitted, what a step costs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.reporting.facts import Cell, Finding, Grid, Key, Plot, Section
from workloadlab.reporting.words import listed, plural, seconds, share, three

if TYPE_CHECKING:
    from workloadlab.latency import LatencyModel

__all__ = ["model_section"]

DESCRIBED = (
    "name", "estimator", "gpu", "model", "tp", "dtype", "provenance", "system", "card", "domain",
)  # fmt: skip
"""What the page keeps of a model's file: all but its parameters, which may be large."""

LARGE_ERROR = 0.1
CACHED_TOKENS = (0, 4096, 16384)
CONTEXT_TOKENS = (512, 2048, 8192)
BY_HAND_LIMITS = (2048, 256)
BEYOND = 1.25
CURVE_POINTS = 160


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
        plots=(_prefill(model, section_id), _decode(model, section_id)),
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
        f"{_region(part)} ({share(part['mape'])} of {plural(part['rows'], 'step')})"
        for part in card["slices"]
        if part["mape"] > LARGE_ERROR
    ]
    if not large:
        return ()
    return (
        Finding("warning", facts["name"],
                f"The mean held-out error is over {share(LARGE_ERROR)} for {listed(large)}."),
    )  # fmt: skip


def _region(part: dict[str, Any]) -> str:
    return f"{part['by'].replace('_', ' ')} {part['slice']}".strip()


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


def _limits(model: LatencyModel) -> tuple[int, int]:
    """Return the largest chunk and batch to draw: of the fit, or customary ones."""
    boxes = (model.to_dict()["domain"] or {}).items()
    found = dict(boxes)
    chunk = found.get("prefill", {}).get("prefill_tokens", (0, BY_HAND_LIMITS[0]))[1]
    batch = found.get("decode", {}).get("decode_seqs", (0, BY_HAND_LIMITS[1]))[1]
    return int(chunk), int(batch)


def _curve(
    model: LatencyModel, x: np.ndarray[Any, Any], steps: dict[str, Any], label: str, style: int
) -> dict[str, Any]:
    return {
        "label": label,
        "style": style,
        "x": x.tolist(),
        "step_s": [float(f"{value:.6g}") for value in model.predict(steps)],
        "inside": model.in_domain(steps).tolist(),
    }


def _grid_points(most: int) -> np.ndarray[Any, Any]:
    """Return whole numbers from 1 to a quarter beyond `most`, `most` among them."""
    spread = np.linspace(1, most * BEYOND, CURVE_POINTS).round().astype(np.int64)
    return np.unique(np.append(spread, most))


def _prefill(model: LatencyModel, section: str) -> Plot:
    most, _ = _limits(model)
    x = _grid_points(most)
    curves = [
        _curve(model, x, {"prefill_tokens": x, "prefill_context_tokens": x * cached},
               f"{cached:,} cached tokens before it" if cached else "nothing cached", style)
        for style, cached in enumerate(CACHED_TOKENS)
    ]  # fmt: skip
    full = model.step_time_s(prefill_tokens=most)
    quarter = model.step_time_s(prefill_tokens=max(1, most // 4))
    said = (
        f"A chunk of {max(1, most // 4):,} tokens takes {seconds(quarter)} and one of {most:,} takes "
        f"{seconds(full)}"
    )
    if full:
        said += f": {three(most / full)} tokens/s"
        behind = model.step_time_s(
            prefill_tokens=most, prefill_context_tokens=most * CACHED_TOKENS[-1]
        )
        said += f", {three(most / behind)} behind {CACHED_TOKENS[-1]:,} cached tokens"
    return Plot(
        id=f"{section}-prefill",
        kind="steps",
        title="Prefill: time of one step by chunk size",
        reading=f"{said}.",
        definition="Predicted time of a step that holds one prefill chunk and nothing else. "
        + _solid(model),
        n=_fitted_on(model),
        data={"curves": curves, "x_label": "tokens in the chunk"},
        legend=tuple(Key(curve["label"], curve["style"]) for curve in curves),
    )


def _decode(model: LatencyModel, section: str) -> Plot:
    _, most = _limits(model)
    x = _grid_points(most)
    curves = [
        _curve(model, x, {"decode_seqs": x, "decode_context_tokens": x * context},
               f"{context:,} tokens of context each", style)
        for style, context in enumerate(CONTEXT_TOKENS)
    ]  # fmt: skip
    context = CONTEXT_TOKENS[1]
    alone = model.step_time_s(decode_seqs=1, decode_context_tokens=context)
    crowd = model.step_time_s(decode_seqs=most, decode_context_tokens=most * context)
    said = (
        f"With {context:,} tokens of context each, one sequence gets a token every "
        f"{seconds(alone)}, {most:,} sequences one every {seconds(crowd)}"
    )
    if alone and crowd:
        said += f": {three(1 / alone)} and {three(most / crowd)} tokens/s in all"
    return Plot(
        id=f"{section}-decode",
        kind="steps",
        title="Decode: time of one step by batch size",
        reading=f"{said}.",
        definition="Predicted time of a step that decodes one token of every sequence and holds no "
        "prefill. " + _solid(model),
        n=_fitted_on(model),
        data={"curves": curves, "x_label": "sequences in the batch"},
        legend=tuple(Key(curve["label"], curve["style"]) for curve in curves),
    )


def _solid(model: LatencyModel) -> str:
    if model.to_dict()["domain"] is None:
        return "CPU time outside the step is not in it."
    return "Faint where the fit saw no such steps. CPU time outside the step is not in it."


def _fitted_on(model: LatencyModel) -> str:
    card = model.to_dict()["card"]
    if card is None:
        return "no measurement behind it"
    return f"{plural(card['fitted_rows'] + card['judged_rows'], 'measured step')}"
