"""What a step costs by a latency model: prefill by chunk, decode by batch, with measured steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.latency.card import POINT
from workloadlab.reporting.facts import Key, Plot
from workloadlab.reporting.words import plural, seconds, three

if TYPE_CHECKING:
    from workloadlab.latency import LatencyModel

__all__ = ["CONTEXT_TOKENS", "curve_plots", "largest_steps", "points_of"]

CACHED_TOKENS = (0, 4096, 16384)
CONTEXT_TOKENS = (512, 2048, 8192)
BY_HAND_LIMITS = (2048, 256)
BEYOND = 1.25
CURVE_POINTS = 160

NEAR = 1.25
"""A measured step is drawn with a curve whose context is within this factor of its own."""

UNCACHED = 64
"""So many cached tokens at most go with the curve of none."""


def curve_plots(model: LatencyModel, section: str) -> list[Plot]:
    """Return the figures of prefill and decode."""
    points = points_of(model)
    prefill = points[(points[:, 0] > 0) & (points[:, 2] == 0)]
    decode = points[points[:, 0] == 0]
    return [_prefill(model, section, prefill), _decode(model, section, decode)]


def points_of(model: LatencyModel) -> np.ndarray[Any, Any]:
    """Return the points of the card: rows of `POINT`, none if there are none."""
    points = model.card.points if model.card else ()
    return np.array(points, dtype=np.float64).reshape(-1, len(POINT))


def largest_steps(model: LatencyModel) -> tuple[int, int]:
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


def _prefill(model: LatencyModel, section: str, points: np.ndarray[Any, Any]) -> Plot:
    most, _ = largest_steps(model)
    x = _grid_points(most)
    curves = [
        _curve(model, x, {"prefill_tokens": x, "prefill_context_tokens": x * cached},
               f"{cached:,} cached tokens before it" if cached else "nothing cached", style)
        for style, cached in enumerate(CACHED_TOKENS)
    ]  # fmt: skip
    dots = _dots(points[:, 0], points[:, 1], points[:, 4], CACHED_TOKENS)
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
        + _solid(model, dots),
        n=_fitted_on(model),
        data={"curves": curves, "points": dots, "x_label": "tokens in the chunk"},
        legend=tuple(Key(curve["label"], curve["style"]) for curve in curves),
    )


def _decode(model: LatencyModel, section: str, points: np.ndarray[Any, Any]) -> Plot:
    _, most = largest_steps(model)
    x = _grid_points(most)
    curves = [
        _curve(model, x, {"decode_seqs": x, "decode_context_tokens": x * context},
               f"{context:,} tokens of context each", style)
        for style, context in enumerate(CONTEXT_TOKENS)
    ]  # fmt: skip
    dots = _dots(points[:, 2], points[:, 3], points[:, 4], CONTEXT_TOKENS)
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
        "prefill. " + _solid(model, dots),
        n=_fitted_on(model),
        data={"curves": curves, "points": dots, "x_label": "sequences in the batch"},
        legend=tuple(Key(curve["label"], curve["style"]) for curve in curves),
    )


def _dots(
    x: np.ndarray[Any, Any],
    context: np.ndarray[Any, Any],
    measured_s: np.ndarray[Any, Any],
    of_curves: tuple[int, ...],
) -> list[dict[str, Any]]:
    """Return the measured steps whose mean context is near that of a curve."""
    mean = context / x
    dots = []
    for style, tokens in enumerate(of_curves):
        low, high = (tokens / NEAR, tokens * NEAR) if tokens else (0, UNCACHED)
        near = (mean >= low) & (mean <= high)
        dots += [
            {"style": style, "x": float(at), "step_s": float(step)}
            for at, step in zip(x[near], measured_s[near], strict=True)
        ]
    return dots


def _solid(model: LatencyModel, dots: list[dict[str, Any]]) -> str:
    said = ["CPU time outside the step is not in it."]
    if model.domain is not None:
        said.insert(0, "Faint where the fit saw no such steps.")
    if dots:
        said.insert(
            0,
            "Dots: measured steps the card judges, of a context within a quarter of the curve's.",
        )
    return " ".join(said)


def _fitted_on(model: LatencyModel) -> str:
    card = model.to_dict()["card"]
    if card is None:
        return "no measurement behind it"
    return f"{plural(card['fitted_rows'] + card['judged_rows'], 'measured step')}"
