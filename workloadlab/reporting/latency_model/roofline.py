"""A latency model on the roofline of its GPU: what its steps reach of what the hardware can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.latency.hardware.geometry import ModelGeometry
from workloadlab.latency.hardware.gpus import find_gpu
from workloadlab.latency.step import FEATURES, KINDS
from workloadlab.reporting.canvas import INK, canvas, log_axis, series, thousands
from workloadlab.reporting.facts import Key, Plot
from workloadlab.reporting.latency_model.operations import Floats, Places
from workloadlab.reporting.latency_model.scatter import StepPoints, by_kind, draw_points
from workloadlab.reporting.latency_model.steps import CONTEXT_TOKENS, largest_steps, points_of
from workloadlab.words import plural, share, three

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.latency import LatencyModel

__all__ = ["Roofline", "plot_roofline"]

TITLE = "Roofline of the model on its GPU"
CONTEXT = CONTEXT_TOKENS[1]
SWEEP = 24


@dataclass(frozen=True)
class Roofline:
    """Steps as (FLOP/byte, FLOP/s) of one GPU: predicted sweeps and measured points, by kind."""

    kind: ClassVar = "roofline"

    peak_flops: float
    bandwidth_bytes_s: float
    curves: tuple[StepPoints, ...]
    series: tuple[StepPoints, ...]

    def draw(self) -> Figure:
        """Draw the roof, the sweeps as lines and the measured steps as points."""
        figure, axes = canvas(height=320)
        drawn = [np.array(one.points) for one in (*self.curves, *self.series)]
        intensity, reached = np.concatenate(drawn).T
        ridge = self.peak_flops / self.bandwidth_bytes_s
        low, high = intensity.min() / 1.5, max(intensity.max(), ridge) * 2
        ends = np.array([low, ridge, high])
        roof = np.minimum(self.peak_flops, self.bandwidth_bytes_s * ends)
        axes.plot(ends, roof, color=INK, linewidth=1.5)
        for curve in self.curves:
            axes.plot(*np.array(curve.points).T, **series(curve.style))
        draw_points(axes, self.series)
        log_axis(axes.xaxis, low, high, thousands)
        log_axis(axes.yaxis, min(reached.min(), roof[0]) / 1.5, max(reached.max(), roof[-1]) * 1.6,
                 _teraflops)  # fmt: skip
        if self.series:
            axes.legend(loc="lower right", title="measured")
        axes.set_xlabel("operations per byte")
        axes.set_ylabel("FLOP/s of one GPU")
        return figure


def _teraflops(value: float) -> str:
    return f"{value / 1e12:,.10g} T"


def plot_roofline(model: LatencyModel, section: str) -> Plot:
    """Say how much of the GPU the largest steps use; why not, where its figures are not known."""
    plot_id = f"{section}-roofline"
    try:
        at = _places(model)
        sweeps = _sweeps(model, at)
    except UsageError as error:
        return Plot(id=plot_id, title=TITLE, reading=f"Not drawn: {error.what}.")
    points = points_of(model)
    reached = at.of(points[:, :4], points[:, 4])
    above = int((reached[:, 1] > at.roof(reached[:, 0])).sum())
    said = f"; {plural(above, 'measured step')} above it, where caches hold what is counted as read"
    return Plot(
        id=plot_id,
        title=TITLE,
        reading=_reading(model, at, sweeps) + (said if above else "") + ".",
        definition="Operations: two per active weight and token, four per pair of a token with one "
        "before it, head and width. Bytes: the weights a step touches, once, and the KV cache it "
        "reads and writes. Lines: as predicted, decodes of "
        f"{CONTEXT:,} tokens of context each and prefill chunks with nothing cached, from one to "
        "the most fitted; dots: measured. Roof: the smaller of "
        f"{three(at.peak_flops / 1e12)} TFLOP/s dense {at.dtype} and "
        f"{three(at.gpu.memory_bytes_s / 1e9)} GB/s times the intensity ({at.gpu.source}). "
        "Of one GPU.",
        n=plural(len(points), "measured step") if len(points) else "no measured step kept",
        drawing=Roofline(
            peak_flops=at.peak_flops,
            bandwidth_bytes_s=at.gpu.memory_bytes_s,
            curves=tuple(
                StepPoints(kind, KINDS.index(kind), tuple(map(tuple, sweep.tolist())))
                for kind, sweep in sweeps.items()
            ),
            series=by_kind(points[:, :4], reached),
        ),
        legend=tuple(Key(f"{kind}, predicted", KINDS.index(kind)) for kind in sweeps),
    )


def _places(model: LatencyModel) -> Places:
    """Return where steps of the model stand under its GPU's roof.

    Raises:
        UsageError: the GPU, the model's shape or FLOP/s in its precision are not known.
    """
    gpu, geometry = find_gpu(model.gpu), ModelGeometry.named(model.model)
    dtype = model.dtype or geometry.dtype
    if dtype not in gpu.flops:
        raise UsageError(f"{gpu.name} has no published FLOP/s in {dtype}")
    return Places(geometry, gpu, dtype, model.tp, model.system.get("expert_parallel", 1))


def _sweeps(model: LatencyModel, at: Places) -> dict[str, Floats]:
    """Return, for the kinds that the model was fitted on, steps from one token up.

    Raises:
        UsageError: a step takes no time, so it would stand at infinity.
    """
    fitted = model.domain.boxes if model.domain else KINDS
    steps = {kind: _sweep(model, kind) for kind in ("decode", "prefill") if kind in fitted}
    if not all((seconds > 0).all() for _, seconds in steps.values()):
        raise UsageError("the model has steps that take no time")
    return {kind: at.of(*step) for kind, step in steps.items()}


def _sweep(model: LatencyModel, kind: str) -> tuple[Floats, Floats]:
    """Return steps of a kind from one token up, and their predicted seconds."""
    chunk, batch = largest_steps(model)
    sizes = np.unique(np.geomspace(1, chunk if kind == "prefill" else batch, SWEEP).round())
    features = np.zeros((len(sizes), 4))
    if kind == "prefill":
        features[:, 0] = sizes
    else:
        features[:, 2], features[:, 3] = sizes, sizes * CONTEXT
    return features, model.predict(dict(zip(FEATURES, features.T, strict=True)))


def _reading(model: LatencyModel, at: Places, sweeps: dict[str, Floats]) -> str:
    chunk, batch = largest_steps(model)
    sizes = {"decode": f"{batch:,} decodes", "prefill": f"a chunk of {chunk:,} tokens"}
    parts = [
        f"{share(sweep[-1, 1] / at.roof(sweep[-1:, 0])[0])} with {sizes[kind]}"
        for kind, sweep in sweeps.items()
    ]
    said = (
        f"Under {three(round(at.ridge))} operations per byte the memory is the limit, over it the "
        "arithmetic"
    )
    return f"{said}. Reached of what the GPU allows: {' and '.join(parts)}" if parts else said
