"""What GPUs can do at best, how much KV cache fits on them, and the least time a step can take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from workloadlab.latency.hardware.geometry import ModelGeometry

__all__ = [
    "DTYPE_BYTES",
    "GPUS",
    "Gpu",
    "find_gpu",
    "kv_blocks",
    "kv_bytes_per_token",
    "least_step_s",
]

Floats = np.ndarray[Any, np.dtype[np.float64]]

DTYPE_BYTES = {
    "fp32": 4.0,
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "fp4": 0.5,
    "int4": 0.5,
}
"""Bytes of one stored value; scales of block-quantized formats are left out."""

_GIB = 1024**3
_RESERVE_BYTES = 1.2 * _GIB


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """Figures of one accelerator, as its maker publishes them.

    Attributes:
        name: what it is called here.
        flops: dense FLOP/s (no sparsity, 32-bit accumulation) by the dtype of the operands.
        memory_bytes_s: memory bandwidth, bytes/s.
        memory_bytes: memory that the driver lets programs see, bytes.
        link_bytes_s: bandwidth to the other GPUs of the machine, one direction, bytes/s.
        link: what that link is; `nvlink` and the like, `pcie`, or `pcie through the host` if the
            driver keeps cards from each other's memory.
        source: where the figures are published.
    """

    name: str
    flops: dict[str, float]
    memory_bytes_s: float
    memory_bytes: float
    link_bytes_s: float
    link: str
    source: str


def _gpu(
    name: str,
    tflops: dict[str, float],
    gb_s: float,
    gib: float,
    link: tuple[str, float],
    source: str,
) -> Gpu:
    return Gpu(
        name=name,
        flops={dtype: value * 1e12 for dtype, value in tflops.items()},
        memory_bytes_s=gb_s * 1e9,
        memory_bytes=gib * _GIB,
        link_bytes_s=link[1] * 1e9,
        link=link[0],
        source=source,
    )


def _half(tflops: float, **more: float) -> dict[str, float]:
    return {"bf16": tflops, "fp16": tflops, **more}


_AMPERE = "NVIDIA A100 datasheet, 2021"
_HOPPER = "NVIDIA H100 datasheet, 2023"
_ADA = "NVIDIA Ada GPU architecture whitepaper, 2023"

_HOST = ("pcie through the host", 32.0)

# Dense TFLOP/s, GB/s of memory, GiB visible to CUDA, GB/s of the link in one direction.
GPUS: tuple[Gpu, ...] = (
    _gpu("A100-40GB", _half(312, int8=624), 1555, 39.4, ("nvlink", 300), _AMPERE),
    _gpu("A100-80GB", _half(312, int8=624), 2039, 79.2, ("nvlink", 300), _AMPERE),
    _gpu("H100-SXM", _half(989, fp8=1979, int8=1979), 3350, 79.2, ("nvlink", 450), _HOPPER),
    _gpu("H100-PCIe", _half(756, fp8=1513, int8=1513), 2000, 79.2, ("pcie", 64), _HOPPER),
    _gpu(
        "GH200",
        _half(989, fp8=1979, int8=1979),
        4000,
        94.5,
        ("nvlink", 450),
        "NVIDIA GH200 datasheet, 2023",
    ),
    _gpu(
        "H200",
        _half(989, fp8=1979, int8=1979),
        4800,
        139.8,
        ("nvlink", 450),
        "NVIDIA H200 datasheet, 2024",
    ),
    _gpu(
        "B200",
        _half(2250, fp8=4500, int8=4500, fp4=9000),
        8000,
        178.4,
        ("nvlink", 900),
        "NVIDIA HGX B200 datasheet, 2025",
    ),
    _gpu(
        "L40S",
        _half(362, fp8=733, int8=733),
        864,
        44.4,
        ("pcie", 32),
        "NVIDIA L40S datasheet, 2023",
    ),
    _gpu("L4", _half(121, fp8=242, int8=242), 300, 22.0, ("pcie", 32), "NVIDIA L4 datasheet, 2023"),
    _gpu(
        "A6000",
        _half(154.8, int8=309.7),
        768,
        47.5,
        ("pcie", 32),
        "NVIDIA RTX A6000 datasheet, 2021",
    ),
    _gpu("A30", _half(165, int8=330), 933, 23.5, ("nvlink", 100), "NVIDIA A30 datasheet, 2021"),
    _gpu("A10", _half(125, int8=250), 600, 22.0, ("pcie", 32), "NVIDIA A10 datasheet, 2021"),
    _gpu(
        "V100",
        {"fp16": 125},
        900,
        31.7,
        ("nvlink", 150),
        "NVIDIA V100 datasheet (SXM2, 32 GB), 2018",
    ),
    _gpu("RTX 3090", _half(71, int8=284), 936, 23.6, _HOST, "NVIDIA GA102 whitepaper, 2021"),
    _gpu("RTX 4090", _half(165.2, fp8=330.3, int8=660.6), 1008, 23.5, _HOST, _ADA),
    _gpu(
        "RTX PRO 6000",
        _half(503.8, fp8=1007.6, int8=1007.6, fp4=2015.2),
        1792,
        94.97,
        ("pcie", 64),
        "NVIDIA RTX Blackwell PRO architecture whitepaper, 2025 (workstation edition; "
        "the server edition is specified at 1597 GB/s)",
    ),
    _gpu(
        "MI300X",
        _half(1307.4, fp8=2614.9, int8=2614.9),
        5300,
        191.7,
        ("infinity fabric", 448),
        "AMD Instinct MI300X datasheet, 2023",
    ),
    _gpu(
        "TPU v6e",
        _half(918, int8=1836),
        1640,
        31.2,
        ("ici", 224),
        "Google Cloud TPU v6e documentation, 2024",
    ),
)
"""The accelerators with known figures."""

_ALIASES = {
    "a100": "A100-80GB",
    "a100sxm": "A100-80GB",
    "h100": "H100-SXM",
    "h10080gb": "H100-SXM",
    "h10080gbhbm3": "H100-SXM",
    "h200sxm": "H200",
    "b200sxm": "B200",
    "rtxa6000": "A6000",
    "rtxpro6000blackwellserveredition": "RTX PRO 6000",
    "rtxpro6000blackwellworkstationedition": "RTX PRO 6000",
    "rtxpro6000blackwell": "RTX PRO 6000",
    "tpuv6e1": "TPU v6e",
    "tpuv6": "TPU v6e",
}


def _plain(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    for noise in ("nvidia", "amd", "instinct", "geforce", "sxm4", "sxm5", "sxm2", "gpu"):
        plain = plain.replace(noise, "")
    return plain


def find_gpu(name: str) -> Gpu:
    """Look a GPU up by any usual spelling of its name.

    Example:
        >>> find_gpu("NVIDIA A100-SXM4-80GB").name, find_gpu("rtxpro6000").name
        ('A100-80GB', 'RTX PRO 6000')

    Raises:
        UsageError: no figures for it; the message names the nearest.
    """
    known = {_plain(gpu.name): gpu for gpu in GPUS}
    known |= {alias: known[_plain(target)] for alias, target in _ALIASES.items()}
    plain = _plain(name)
    if plain in known:
        return known[plain]
    near = sorted({known[match].name for match in get_close_matches(plain, known, n=3)})
    fix = (
        f"did you mean {' or '.join(near)}?"
        if near
        else f"known: {', '.join(g.name for g in GPUS)}"
    )
    raise UsageError(f"no figures for the GPU {name!r}", fix=fix)


def kv_bytes_per_token(model: ModelGeometry, dtype: str = "bf16") -> int:
    """Bytes of KV cache that one token takes over all layers and all GPUs of the instance.

    Example:
        >>> from workloadlab.latency import ModelGeometry
        >>> kv_bytes_per_token(ModelGeometry.named("Qwen3-32B"), "fp8")
        131072
    """
    return int(model.kv_bytes_per_token(1) * _bytes(dtype))


def kv_blocks(
    model: ModelGeometry,
    gpu: Gpu | str,
    *,
    dtype: str | None = None,
    kv_dtype: str = "bf16",
    tp: int = 1,
    memory_fraction: float = 0.9,
    block_size: int = 16,
) -> int:
    """Count the KV-cache blocks that fit beside the weights, as an engine like vLLM counts them.

    blocks = (fraction x memory - weights / tp - reserve) / (block_size x KV bytes per token / tp),
    where the reserve of 1.2 GiB stands for activations, graphs and the communication library. KV
    heads that are fewer than `tp` are copied to every GPU.

    Args:
        model: the model's shape.
        gpu: the accelerator or its name.
        dtype: of the weights; the model's own otherwise.
        kv_dtype: of the cache.
        tp: GPUs that share the model.
        memory_fraction: share of the memory that the engine may take.
        block_size: tokens per block.

    Example:
        >>> from workloadlab.latency import ModelGeometry
        >>> kv_blocks(ModelGeometry.named("Llama-3.1-8B"), "H100")
        28222

    Raises:
        UsageError: an unknown GPU or dtype, a size outside its range, or the weights do not fit.
    """
    if tp < 1 or block_size < 1 or not 0 < memory_fraction <= 1:
        raise UsageError(
            f"tp = {tp}, block_size = {block_size}, memory_fraction = {memory_fraction}",
            fix="use tp and block_size of 1 or more and a fraction above 0, at most 1",
        )
    gpu = find_gpu(gpu) if isinstance(gpu, str) else gpu
    weights = model.weight_bytes(_bytes(dtype or model.dtype)) / tp
    free = memory_fraction * gpu.memory_bytes - weights - _RESERVE_BYTES
    heads = max(1.0, model.kv_heads / tp)
    block = block_size * kv_bytes_per_token(model, kv_dtype) * heads / model.kv_heads
    if free < block:
        raise UsageError(
            f"{model.model} takes {weights / _GIB:.1f} GiB on each of {tp} x {gpu.name} with "
            f"{gpu.memory_bytes / _GIB:.1f} GiB: no room for a KV cache",
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
    value_bytes = _bytes(dtype)
    peak = gpu.flops.get(dtype) or max(gpu.flops.values())
    prefill, _, seqs, context = features.T
    head = model.vocab * model.hidden
    active = model.active_parameters() - model.end_parameters()
    read = (active + head) * value_bytes + context * kv_bytes_per_token(model, dtype)
    operations = 2.0 * active * (prefill + seqs) + 2.0 * head * np.maximum(seqs, 1.0)
    bound: Floats = np.maximum(read / gpu.memory_bytes_s, operations / peak) / tp
    return bound


def _bytes(dtype: str) -> float:
    if dtype not in DTYPE_BYTES:
        raise UsageError(f"unknown dtype {dtype!r}", fix=f"use one of {', '.join(DTYPE_BYTES)}")
    return DTYPE_BYTES[dtype]
