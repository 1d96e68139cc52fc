"""KV cache that fits on GPUs beside a model, and the least time that a step can take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.latency.hardware.gpus import GIB, Gpu, find_gpu, value_bytes

if TYPE_CHECKING:
    from workloadlab.latency.hardware.geometry import ModelGeometry

__all__ = [
    "RESERVE_BYTES",
    "kv_blocks",
    "kv_bytes_per_token",
    "least_step_s",
    "weight_bytes_per_gpu",
]

Floats = np.ndarray[Any, np.dtype[np.float64]]

RESERVE_BYTES = 1.2 * GIB
"""Memory of one GPU for activations, graphs and the communication library."""


def kv_bytes_per_token(model: ModelGeometry, dtype: str = "bf16") -> int:
    """Bytes of KV cache that one token takes over all layers and all GPUs of the instance.

    Example:
        >>> from workloadlab.latency import ModelGeometry
        >>> kv_bytes_per_token(ModelGeometry.named("Qwen3-32B"), "fp8")
        131072
    """
    return int(model.kv_bytes_per_token(1) * value_bytes(dtype))


def weight_bytes_per_gpu(
    model: ModelGeometry, *, dtype: str | None = None, tp: int = 1, expert_parallel: int = 1
) -> float:
    """Bytes of weights on one of the GPUs of an instance.

    Args:
        model: the model's shape.
        dtype: of the weights; the model's own otherwise.
        tp: GPUs that share the model.
        expert_parallel: ranks that share the experts; each holds the rest of the model.

    Example:
        >>> from workloadlab.latency import ModelGeometry
        >>> experts = ModelGeometry.named("Qwen3-30B-A3B")
        >>> [round(weight_bytes_per_gpu(experts, expert_parallel=n) / 2**30, 1) for n in (1, 2)]
        [56.9, 29.9]
    """
    each = value_bytes(dtype or model.dtype)
    experts = model.expert_parameters() * each
    return (model.weight_bytes(each) - experts) / tp + experts / max(tp, expert_parallel)


def kv_blocks(
    model: ModelGeometry,
    gpu: Gpu | str,
    *,
    dtype: str | None = None,
    kv_dtype: str = "bf16",
    tp: int = 1,
    expert_parallel: int = 1,
    memory_fraction: float = 0.9,
    reserve_bytes: float = RESERVE_BYTES,
    block_size: int = 16,
) -> int:
    """Count the KV-cache blocks that fit beside the weights, as an engine like vLLM counts them.

    blocks = (fraction x memory - weights on a GPU - reserve) / (block_size x KV bytes per token / tp).
    KV heads that are fewer than `tp` are copied to every GPU. For Llama-3.1-8B on an RTX 4090 that
    is 2,556, where vLLM 0.19 logged 2,588.

    Args:
        model: the model's shape.
        gpu: the accelerator or its name.
        dtype: of the weights; the model's own otherwise.
        kv_dtype: of the cache.
        tp: GPUs that share the model.
        expert_parallel: ranks that share the experts.
        memory_fraction: share of the memory that the engine may take.
        reserve_bytes: what it needs of that for itself.
        block_size: tokens per block.

    Example:
        >>> from workloadlab.latency import ModelGeometry
        >>> kv_blocks(ModelGeometry.named("Llama-3.1-8B"), "H100")
        28222

    Raises:
        UsageError: an unknown GPU or dtype, a size outside its range, or the weights do not fit.
    """
    if min(tp, expert_parallel, block_size) < 1 or not 0 < memory_fraction <= 1:
        raise UsageError(
            f"tp = {tp}, expert_parallel = {expert_parallel}, block_size = {block_size}, "
            f"memory_fraction = {memory_fraction}",
            fix="use counts of 1 or more and a fraction above 0, at most 1",
        )
    gpu = find_gpu(gpu) if isinstance(gpu, str) else gpu
    weights = weight_bytes_per_gpu(model, dtype=dtype, tp=tp, expert_parallel=expert_parallel)
    free = memory_fraction * gpu.memory_bytes - weights - reserve_bytes
    heads = max(1.0, model.kv_heads / tp)
    block = block_size * kv_bytes_per_token(model, kv_dtype) * heads / model.kv_heads
    if free < block:
        raise UsageError(
            f"{model.model} takes {weights / GIB:.1f} GiB on each of {tp} x {gpu.name} with "
            f"{gpu.memory_bytes / GIB:.1f} GiB: no room for a KV cache",
            fix="raise tp or memory_fraction, or use a smaller dtype",
        )
    return int(free // block)


def least_step_s(
    model: ModelGeometry, gpu: Gpu | str, features: Floats, *, dtype: str = "bf16", tp: int = 1
) -> Floats:
    """Roofline bound: seconds below which no step can go on this hardware.

    The larger of bytes / bandwidth and operations / FLOP/s, shared by `tp` GPUs. Bytes: the weights
    that every step reads (of a mixture of experts only those of one token) and the KV cache of the
    decodes. Operations: 2 per active weight and token of the decoder layers, 2 per weight of the
    output head and decoded sequence; attention is left out, so the bound is a bound.

    Args:
        model: the model's shape.
        gpu: the accelerator or its name.
        features: rows of (prefill_tokens, prefill_context_tokens, decode_seqs,
            decode_context_tokens).
        dtype: of weights and KV cache.
        tp: GPUs that share the model.

    Example:
        >>> import numpy as np
        >>> from workloadlab.latency import ModelGeometry
        >>> llama = ModelGeometry.named("Llama-3.1-8B")
        >>> bound = least_step_s(llama, "H100", np.array([[0.0, 0, 1, 100], [2048, 0, 0, 0]]))
        >>> [round(1e3 * float(s), 1) for s in bound]
        [4.5, 28.9]
    """
    gpu = find_gpu(gpu) if isinstance(gpu, str) else gpu
    each = value_bytes(dtype)
    peak = gpu.flops.get(dtype) or max(gpu.flops.values())
    prefill, _, seqs, context = features.T
    head = model.vocab * model.hidden
    active = model.active_parameters() - model.end_parameters()
    read = (active + head) * each + context * kv_bytes_per_token(model, dtype)
    operations = 2.0 * active * (prefill + seqs) + 2.0 * head * np.maximum(seqs, 1.0)
    bound: Floats = np.maximum(read / gpu.memory_bytes_s, operations / peak) / tp
    return bound
