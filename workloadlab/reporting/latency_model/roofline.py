"""A latency model on the roofline of its GPU: what its steps reach of what the hardware can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.latency.domain import KINDS, kind_of
from workloadlab.latency.features import FEATURES
from workloadlab.latency.hardware.geometry import ModelGeometry
from workloadlab.latency.hardware.gpus import DTYPE_BYTES, find_gpu
from workloadlab.reporting.facts import Key, Plot
from workloadlab.reporting.latency_model.curves import CONTEXT_TOKENS, largest_steps, points_of
from workloadlab.reporting.words import plural, share, three

if TYPE_CHECKING:
    from workloadlab.latency import LatencyModel
    from workloadlab.latency.hardware.gpus import Gpu

__all__ = ["operations_and_bytes", "roofline_plot"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

TITLE = "Roofline of the model on its GPU"
CONTEXT = CONTEXT_TOKENS[1]
SWEEP = 24


def roofline_plot(model: LatencyModel, section: str) -> Plot:
    """Return the figure; where GPU, shape or precision are not known, it says so."""
    plot_id = f"{section}-roofline"
    try:
        gpu, geometry = find_gpu(model.gpu), ModelGeometry.named(model.model)
    except UsageError as error:
        return _absent(plot_id, error.what)
    dtype = model.dtype or geometry.dtype
    if dtype not in gpu.flops:
        return _absent(plot_id, f"{gpu.name} has no published FLOP/s in {dtype}")
    points = points_of(model)
    at = _Places(geometry, gpu, dtype, model.tp, model.system.get("expert_parallel", 1))
    fitted = model.domain.boxes if model.domain else KINDS
    steps = {kind: _sweep(model, kind) for kind in ("decode", "prefill") if kind in fitted}
    if not all((seconds > 0).all() for _, seconds in steps.values()):
        return _absent(plot_id, "the model has steps that take no time")
    sweeps = {kind: at.of(*step) for kind, step in steps.items()}
    kinds = kind_of(points[:, :4])
    reached = at.of(points[:, :4], points[:, 4])
    above = int((reached[:, 1] > at.roof(reached[:, 0])).sum())
    said = f"; {plural(above, 'measured step')} above it, where caches hold what is counted as read"
    return Plot(
        id=plot_id,
        kind="roofline",
        title=TITLE,
        reading=_reading(model, at, sweeps) + (said if above else "") + ".",
        definition="Operations: two per active weight and token, four per pair of a token with one "
        "before it, head and width. Bytes: the weights a step touches, once, and the KV cache it "
        "reads and writes. Lines: as predicted, decodes of "
        f"{CONTEXT:,} tokens of context each and prefill chunks with nothing cached, from one to "
        "the most fitted; dots: measured. Roof: the smaller of "
        f"{three(gpu.flops[dtype] / 1e12)} TFLOP/s dense {dtype} and {three(gpu.memory_bytes_s / 1e9)} "
        f"GB/s times the intensity ({gpu.source}). Of one GPU.",
        n=plural(len(points), "measured step") if len(points) else "no measured step kept",
        data={
            "peak_flops": gpu.flops[dtype],
            "bandwidth_bytes_s": gpu.memory_bytes_s,
            "curves": [
                {"label": kind, "style": KINDS.index(kind), "points": sweep.tolist()}
                for kind, sweep in sweeps.items()
            ],
            "series": [
                {"label": kind, "style": style, "points": reached[kinds == style].tolist()}
                for style, kind in enumerate(KINDS) if (kinds == style).any()
            ],
        },
        legend=tuple(Key(f"{kind}, predicted", KINDS.index(kind)) for kind in sweeps),
    )  # fmt: skip


def _absent(plot_id: str, why: str) -> Plot:
    return Plot(id=plot_id, kind="absent", title=TITLE, reading=f"Not drawn: {why}.")


def operations_and_bytes(
    model: ModelGeometry, features: Floats, *, dtype: str, expert_parallel: int = 1
) -> tuple[Floats, Floats]:
    """Count what steps compute and move, over all GPUs of the instance.

    Every matrix reads its weights once; of a mixture of experts those that T tokens touch on
    average, E (1 - (1 - k/E)^T). A rank that shares them with others, each as full, holds its part and
    meets the tokens of all. A prefill is taken as one chunk, which reads the cache before it
    once; the cache holds two bytes per value.

    Args:
        model: the model's shape.
        features: rows of (prefill_tokens, prefill_context_tokens, decode_seqs,
            decode_context_tokens).
        dtype: of the weights.
        expert_parallel: data-parallel ranks that share the experts; the steps are those of one.

    Returns:
        Floating-point operations and bytes, one each per row.

    Example:
        >>> llama = ModelGeometry.named("Llama-3.1-8B")
        >>> steps = np.array([[0.0, 0, 1, 0], [2048, 0, 0, 0]])
        >>> operations, moved = operations_and_bytes(llama, steps, dtype="bf16")
        >>> (operations / moved).round(1).tolist()
        [1.0, 1943.2]
    """
    p, x, n, c = features.T
    total = p + n
    head = model.vocab * model.hidden
    active = model.active_parameters() - model.end_parameters()
    outputs = n + (p > 0)
    pairs = x + p * (p + 1) / 2 + c
    operations = 2.0 * active * total + 2.0 * head * outputs
    operations += 4.0 * model.layers * model.heads * model.head_dim * pairs
    expert = 3.0 * model.hidden * model.intermediate * model.layers
    weights = np.full(len(features), active - expert * max(model.experts_per_token, 1))
    if model.experts:
        idle = (1.0 - model.experts_per_token / model.experts) ** (expert_parallel * total)
        weights += expert * model.experts / expert_parallel * (1.0 - idle)
    else:
        weights += expert
    cached = np.divide(x, p, out=np.zeros_like(x), where=p > 0) + c + total
    moved = (weights + head) * DTYPE_BYTES[dtype] + cached * model.kv_bytes_per_token()
    return operations, moved


class _Places:
    """Turns steps with their durations into places under the roof of one GPU."""

    def __init__(
        self, geometry: ModelGeometry, gpu: Gpu, dtype: str, tp: int, expert_parallel: int
    ) -> None:
        self.geometry, self.dtype, self.tp = geometry, dtype, tp
        self.expert_parallel = expert_parallel
        self.peak, self.bandwidth = gpu.flops[dtype], gpu.memory_bytes_s

    def of(self, features: Floats, seconds: Floats) -> Floats:
        """Return rows of FLOP/byte and FLOP/s."""
        operations, moved = operations_and_bytes(
            self.geometry, features, dtype=self.dtype, expert_parallel=self.expert_parallel
        )
        return np.column_stack([operations / moved, operations / self.tp / seconds])

    def roof(self, intensity: Floats) -> Floats:
        """Return the attainable FLOP/s."""
        return np.minimum(self.peak, self.bandwidth * intensity)


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


def _reading(model: LatencyModel, at: _Places, sweeps: dict[str, Floats]) -> str:
    chunk, batch = largest_steps(model)
    sizes = {"decode": f"{batch:,} decodes", "prefill": f"a chunk of {chunk:,} tokens"}
    parts = [
        f"{share(sweep[-1, 1] / at.roof(sweep[-1:, 0])[0])} with {sizes[kind]}"
        for kind, sweep in sweeps.items()
    ]
    ridge = f"{three(round(at.peak / at.bandwidth))} operations per byte"
    said = f"Under {ridge} the memory is the limit, over it the arithmetic"
    return f"{said}. Reached of what the GPU allows: {' and '.join(parts)}" if parts else said
