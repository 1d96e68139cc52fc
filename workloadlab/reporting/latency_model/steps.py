"""How long a step takes by a latency model: prefill by chunk, decode by batch, with measured steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from workloadlab.latency.card import POINT
from workloadlab.reporting.canvas import canvas, series, thousands, time_axis
from workloadlab.reporting.facts import Key, Plot
from workloadlab.words import plural, seconds, three

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from workloadlab.latency import LatencyModel

__all__ = [
    "CONTEXT_TOKENS",
    "StepCurve",
    "StepDot",
    "Steps",
    "largest_steps",
    "plot_decode",
    "plot_prefill",
    "points_of",
]

CACHED_TOKENS = (0, 4096, 16384)
CONTEXT_TOKENS = (512, 2048, 8192)
BY_HAND_LIMITS = (2048, 256)
BEYOND = 1.25
CURVE_POINTS = 160

NEAR = 1.25
"""A measured step is drawn with a curve whose context is within this factor of its own."""

UNCACHED = 64
"""So many cached tokens at most go with the curve of none."""


@dataclass(frozen=True)
class StepCurve:
    """Predicted times of steps of one context.

    Attributes:
        label: the context in words.
        style: index of its colour and dash.
        x: tokens in the chunk or sequences in the batch, ascending.
        step_s: seconds, one per x.
        inside: whether the fit saw such steps, one per x.
    """

    label: str
    style: int
    x: tuple[int, ...]
    step_s: tuple[float, ...]
    inside: tuple[bool, ...]


@dataclass(frozen=True)
class StepDot:
    """One measured step, in the colour of the curve whose context is near its own."""

    style: int
    x: float
    step_s: float


@dataclass(frozen=True)
class Steps:
    """Curves by context and the measured steps beside them."""

    kind: ClassVar = "steps"

    curves: tuple[StepCurve, ...]
    points: tuple[StepDot, ...]
    x_label: str

    def draw(self) -> Figure:
        """Draw the curves, faint outside the fit, and the measured steps as dots."""
        figure, axes = canvas()
        for curve in self.curves:
            x, y, inside = np.array(curve.x), np.array(curve.step_s), np.array(curve.inside)
            axes.plot(x, np.where(inside, y, np.nan), **series(curve.style))
            beyond = ~inside
            beyond[1:] |= ~inside[:-1]
            beyond[:-1] |= ~inside[1:]
            axes.plot(x, np.where(beyond, y, np.nan), alpha=0.35, **series(curve.style))
        for dot in self.points:
            axes.plot(dot.x, dot.step_s, "o", color=series(dot.style)["color"], markersize=4.5)
        axes.set_xlim(0, max(curve.x[-1] for curve in self.curves))
        most = max(max(curve.step_s) for curve in self.curves)
        most = max([most, *(dot.step_s for dot in self.points)])
        axes.set_ylim(0, most * 1.05 or 1)
        time_axis(axes.yaxis, [most])
        axes.xaxis.set_major_formatter(lambda value, _: thousands(value))
        axes.set_xlabel(self.x_label)
        axes.set_ylabel("time of one step")
        return figure


def plot_prefill(model: LatencyModel, section: str) -> Plot:
    """Say what a small and a large chunk take, alone and behind cached tokens."""
    most, _ = largest_steps(model)
    x = _sizes(most)
    curves = tuple(
        _curve(model, x, {"prefill_tokens": x, "prefill_context_tokens": x * cached},
               f"{cached:,} cached tokens before it" if cached else "nothing cached", style)
        for style, cached in enumerate(CACHED_TOKENS)
    )  # fmt: skip
    points = points_of(model)
    points = points[(points[:, 0] > 0) & (points[:, 2] == 0)]
    dots = _dots(points[:, 0], points[:, 1], points[:, 4], CACHED_TOKENS)
    return Plot(
        id=f"{section}-prefill",
        title="Prefill: time of one step by chunk size",
        reading=_read_prefill(model, most),
        definition="Predicted time of a step that holds one prefill chunk and nothing else. "
        + _legend_words(model, dots),
        n=_fitted_on(model),
        drawing=Steps(curves, dots, x_label="tokens in the chunk"),
        legend=tuple(Key(curve.label, curve.style) for curve in curves),
    )


def _read_prefill(model: LatencyModel, most: int) -> str:
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
    return f"{said}."


def plot_decode(model: LatencyModel, section: str) -> Plot:
    """Say how often a sequence gets a token, alone and in the largest batch."""
    _, most = largest_steps(model)
    x = _sizes(most)
    curves = tuple(
        _curve(model, x, {"decode_seqs": x, "decode_context_tokens": x * context},
               f"{context:,} tokens of context each", style)
        for style, context in enumerate(CONTEXT_TOKENS)
    )  # fmt: skip
    points = points_of(model)
    points = points[points[:, 0] == 0]
    dots = _dots(points[:, 2], points[:, 3], points[:, 4], CONTEXT_TOKENS)
    return Plot(
        id=f"{section}-decode",
        title="Decode: time of one step by batch size",
        reading=_read_decode(model, most),
        definition="Predicted time of a step that decodes one token of every sequence and holds no "
        "prefill. " + _legend_words(model, dots),
        n=_fitted_on(model),
        drawing=Steps(curves, dots, x_label="sequences in the batch"),
        legend=tuple(Key(curve.label, curve.style) for curve in curves),
    )


def _read_decode(model: LatencyModel, most: int) -> str:
    context = CONTEXT_TOKENS[1]
    alone = model.step_time_s(decode_seqs=1, decode_context_tokens=context)
    crowd = model.step_time_s(decode_seqs=most, decode_context_tokens=most * context)
    said = (
        f"With {context:,} tokens of context each, one sequence gets a token every "
        f"{seconds(alone)}, {most:,} sequences one every {seconds(crowd)}"
    )
    if alone and crowd:
        said += f": {three(1 / alone)} and {three(most / crowd)} tokens/s in all"
    return f"{said}."


def points_of(model: LatencyModel) -> NDArray[Any]:
    """Return the points of the card: rows of `POINT`, none if there are none."""
    points = model.card.points if model.card else ()
    return np.array(points, dtype=np.float64).reshape(-1, len(POINT))


def largest_steps(model: LatencyModel) -> tuple[int, int]:
    """Return the largest chunk and batch to draw: of the fit, or customary ones."""
    boxes = model.domain.boxes if model.domain else {}
    _, chunk = boxes.get("prefill", {}).get("prefill_tokens", (0, BY_HAND_LIMITS[0]))
    _, batch = boxes.get("decode", {}).get("decode_seqs", (0, BY_HAND_LIMITS[1]))
    return int(chunk), int(batch)


def _curve(
    model: LatencyModel, x: NDArray[Any], steps: dict[str, Any], label: str, style: int
) -> StepCurve:
    return StepCurve(
        label=label,
        style=style,
        x=tuple(x.tolist()),
        step_s=tuple(float(f"{value:.6g}") for value in model.predict(steps)),
        inside=tuple(model.in_domain(steps).tolist()),
    )


def _sizes(most: int) -> NDArray[Any]:
    """Return whole numbers from 1 to a quarter beyond `most`, `most` among them."""
    spread = np.linspace(1, most * BEYOND, CURVE_POINTS).round().astype(np.int64)
    return np.unique(np.append(spread, most))


def _dots(
    x: NDArray[Any], context: NDArray[Any], measured_s: NDArray[Any], of_curves: tuple[int, ...]
) -> tuple[StepDot, ...]:
    """Return the measured steps whose mean context is near that of a curve."""
    mean = context / x
    dots = []
    for style, tokens in enumerate(of_curves):
        low, high = (tokens / NEAR, tokens * NEAR) if tokens else (0, UNCACHED)
        near = (mean >= low) & (mean <= high)
        dots += [
            StepDot(style, float(at), float(step))
            for at, step in zip(x[near], measured_s[near], strict=True)
        ]
    return tuple(dots)


def _legend_words(model: LatencyModel, dots: tuple[StepDot, ...]) -> str:
    said = []
    if dots:
        said.append(
            "Dots: measured steps the card judges, of a context within a quarter of the curve's."
        )
    if model.domain is not None:
        said.append("Faint where the fit saw no such steps.")
    return " ".join([*said, "CPU time outside the step is not in it."])


def _fitted_on(model: LatencyModel) -> str:
    if model.card is None:
        return "no measurement behind it"
    return f"{plural(model.card.fitted_rows + model.card.judged_rows, 'measured step')}"
