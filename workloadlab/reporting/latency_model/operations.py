"""Operations and bytes of steps, and their place under the roof of a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.latency.hardware.gpus import DTYPE_BYTES

if TYPE_CHECKING:
    from workloadlab.latency.hardware.geometry import ModelGeometry
    from workloadlab.latency.hardware.gpus import Gpu

__all__ = ["Floats", "Places", "operations_and_bytes"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


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
        >>> from workloadlab.latency import ModelGeometry
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


@dataclass(frozen=True)
class Places:
    """Turns steps with their durations into places under the roof of one GPU.

    Attributes:
        geometry: shape of the model.
        gpu: its published figures.
        dtype: of the weights and the arithmetic.
        tp: GPUs that share a step.
        expert_parallel: data-parallel ranks that share the experts.
    """

    geometry: ModelGeometry
    gpu: Gpu
    dtype: str
    tp: int
    expert_parallel: int

    @property
    def peak_flops(self) -> float:
        """FLOP/s of dense arithmetic."""
        return self.gpu.flops[self.dtype]

    @property
    def ridge(self) -> float:
        """FLOP/byte at which the memory stops to be the limit."""
        return self.peak_flops / self.gpu.memory_bytes_s

    def of(self, features: Floats, seconds: Floats) -> Floats:
        """Return rows of FLOP/byte and FLOP/s of one GPU."""
        operations, moved = operations_and_bytes(
            self.geometry, features, dtype=self.dtype, expert_parallel=self.expert_parallel
        )
        return np.column_stack([operations / moved, operations / self.tp / seconds])

    def roof(self, intensity: Floats) -> Floats:
        """Return the attainable FLOP/s."""
        return np.minimum(self.peak_flops, self.gpu.memory_bytes_s * intensity)
