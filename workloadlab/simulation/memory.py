"""GPU memory of a pool: how many KV blocks its engine would take, and how many cannot be."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.latency import ModelGeometry
from workloadlab.latency.hardware.gpus import find_gpu, plain_dtype
from workloadlab.latency.hardware.limits import RESERVE_BYTES, kv_blocks

if TYPE_CHECKING:
    from workloadlab.latency.hardware.gpus import Gpu
    from workloadlab.simulation.pool import Pool

__all__ = ["AUTO", "blocks_that_fit", "context_of", "gpu_named", "refuse_more_than_memory"]

AUTO = "auto"
"""The KV cache in the format of the model: 16 bits, for quantized weights too."""


def blocks_that_fit(pool: Pool) -> int | None:
    """Count the KV blocks that the engine of a pool takes beside the weights.

    Args:
        pool: its latency model says which GPU, model, dtype and tp, and how many ranks share experts.

    Returns:
        None where the GPU or the model's shape is not known, or the weights alone do not fit.

    Example:
        >>> from workloadlab import Pool
        >>> blocks_that_fit(Pool(latency="rtx4090-llama-3.1-8b", engine="vllm-0.19"))
        2556
    """
    return _blocks(*_place(pool), pool.gpu_memory_utilization, RESERVE_BYTES)


def refuse_more_than_memory(pool: Pool) -> None:
    """Refuse more KV blocks than all memory beside the weights could hold.

    Raises:
        UsageError: too many; names the most.
    """
    most = _blocks(*_place(pool), 1.0, 0.0)
    if pool.limited and most is not None and pool.blocks > most:
        raise UsageError(
            f"pool {pool.name!r}: kv_blocks = {pool.kv_blocks:,}, and beside {pool.latency.model} "
            f"{pool.latency.tp} x {pool.latency.gpu} hold at most {most:,} blocks of "
            f"{pool.block_size} tokens",
            fix='lower kv_blocks, or set kv_cache_dtype = "fp8" if the cache holds bytes',
        )


_Place = tuple[str, str, str | None, int, int, int, str]


def _place(pool: Pool) -> _Place:
    model, kv_dtype = pool.latency, plain_dtype(pool.kv_cache_dtype)
    ranks = model.system.get("expert_parallel", 1)
    held = "bf16" if kv_dtype == AUTO else kv_dtype
    return (model.gpu, model.model, model.dtype, model.tp, ranks, pool.block_size, held)


@lru_cache
def context_of(model: str) -> int | None:
    """Return the most tokens that a request to a model may have, None where it is unknown."""
    try:
        return ModelGeometry.named(model).context
    except UsageError:
        return None


@lru_cache
def gpu_named(name: str) -> Gpu | None:
    """Return an accelerator by its name, None where it is unknown."""
    try:
        return None if name == "unknown" else find_gpu(name)
    except UsageError:
        return None


@lru_cache
def _blocks(
    gpu: str, model: str, dtype: str | None, tp: int, ranks: int, block_size: int, kv_dtype: str,
    memory_fraction: float, reserve_bytes: float,
) -> int | None:  # fmt: skip
    known = gpu_named(gpu)
    if known is None:
        return None
    try:
        return kv_blocks(
            ModelGeometry.named(model),
            known,
            dtype=dtype,
            kv_dtype=kv_dtype,
            tp=tp,
            expert_parallel=ranks,
            memory_fraction=memory_fraction,
            reserve_bytes=reserve_bytes,
            block_size=block_size,
        )
    except UsageError:
        return None
