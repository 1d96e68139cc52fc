"""Peak figures of GPUs, as their makers publish them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean

__all__ = ["DTYPE_BYTES", "GIB", "GPUS", "Gpu", "find_gpu", "plain_dtype", "value_bytes"]

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

GIB = 1024**3


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """Figures of one accelerator, as its maker publishes them.

    Attributes:
        name: its name here.
        flops: dense FLOP/s (no sparsity, 32-bit accumulation) by the dtype of the operands.
        memory_bytes_s: memory bandwidth, bytes/s.
        memory_bytes: memory that the driver lets programs see, bytes.
        link_bytes_s: bandwidth to the other GPUs of the machine, one direction, bytes/s.
        multiprocessors: streaming multiprocessors (compute units) that it has; 0 if it has none such.
        link: the kind of that link; `nvlink` and the like, `pcie`, or `pcie through the host` if the
            driver keeps cards from each other's memory.
        source: the publication of the figures.
        aliases: other names for it.
    """

    name: str
    flops: dict[str, float]
    memory_bytes_s: float
    memory_bytes: float
    multiprocessors: int
    link_bytes_s: float
    link: str
    source: str
    aliases: tuple[str, ...] = ()


def _gpu(
    name: str,
    tflops: dict[str, float],
    gb_s: float,
    gib: float,
    multiprocessors: int,
    link: tuple[str, float],
    source: str,
    *aliases: str,
) -> Gpu:
    return Gpu(
        name=name,
        flops={dtype: value * 1e12 for dtype, value in tflops.items()},
        memory_bytes_s=gb_s * 1e9,
        memory_bytes=gib * GIB,
        multiprocessors=multiprocessors,
        link_bytes_s=link[1] * 1e9,
        link=link[0],
        source=source,
        aliases=aliases,
    )


def _half(tflops: float, **more: float) -> dict[str, float]:
    return {"bf16": tflops, "fp16": tflops, **more}


_AMPERE = "NVIDIA A100 datasheet, 2021"
_HOPPER = "NVIDIA H100 datasheet, 2023"
_ADA = "NVIDIA Ada GPU architecture whitepaper, 2023"

_HOST = ("pcie through the host", 32.0)

# Dense TFLOP/s, GB/s of memory, GiB visible to CUDA, multiprocessors, GB/s of the link in one direction.
GPUS: tuple[Gpu, ...] = (
    _gpu("A100-40GB", _half(312, int8=624), 1555, 39.4, 108, ("nvlink", 300), _AMPERE),
    _gpu(
        "A100-80GB",
        _half(312, int8=624),
        2039,
        79.2,
        108,
        ("nvlink", 300),
        _AMPERE,
        "A100",
        "A100 SXM",
    ),
    _gpu(
        "H100-SXM",
        _half(989, fp8=1979, int8=1979),
        3350,
        79.2,
        132,
        ("nvlink", 450),
        _HOPPER,
        "H100",
        "H100 80GB",
        "H100 80GB HBM3",
    ),
    _gpu("H100-PCIe", _half(756, fp8=1513, int8=1513), 2000, 79.2, 114, ("pcie", 64), _HOPPER),
    _gpu(
        "GH200",
        _half(989, fp8=1979, int8=1979),
        4000,
        94.5,
        132,
        ("nvlink", 450),
        "NVIDIA GH200 datasheet, 2023",
    ),
    _gpu(
        "H200",
        _half(989, fp8=1979, int8=1979),
        4800,
        139.8,
        132,
        ("nvlink", 450),
        "NVIDIA H200 datasheet, 2024",
        "H200 SXM",
    ),
    _gpu(
        "B200",
        _half(2250, fp8=4500, int8=4500, fp4=9000),
        8000,
        178.4,
        148,
        ("nvlink", 900),
        "NVIDIA HGX B200 datasheet, 2025",
        "B200 SXM",
    ),
    _gpu(
        "L40S",
        _half(362, fp8=733, int8=733),
        864,
        44.4,
        142,
        ("pcie", 32),
        "NVIDIA L40S datasheet, 2023",
    ),
    _gpu(
        "L4",
        _half(121, fp8=242, int8=242),
        300,
        22.0,
        58,
        ("pcie", 32),
        "NVIDIA L4 datasheet, 2023",
    ),
    _gpu(
        "A6000",
        _half(154.8, int8=309.7),
        768,
        47.5,
        84,
        ("pcie", 32),
        "NVIDIA RTX A6000 datasheet, 2021",
        "RTX A6000",
    ),
    _gpu("A30", _half(165, int8=330), 933, 23.5, 56, ("nvlink", 100), "NVIDIA A30 datasheet, 2021"),
    _gpu("A10", _half(125, int8=250), 600, 22.0, 72, ("pcie", 32), "NVIDIA A10 datasheet, 2021"),
    _gpu(
        "V100",
        {"fp16": 125},
        900,
        31.7,
        80,
        ("nvlink", 150),
        "NVIDIA V100 datasheet (SXM2, 32 GB), 2018",
    ),
    _gpu("RTX 3090", _half(71, int8=284), 936, 23.6, 82, _HOST, "NVIDIA GA102 whitepaper, 2021"),
    _gpu("RTX 4090", _half(165.2, fp8=330.3, int8=660.6), 1008, 23.5, 128, _HOST, _ADA),
    _gpu(
        "RTX PRO 6000",
        _half(503.8, fp8=1007.6, int8=1007.6, fp4=2015.2),
        1792,
        94.97,
        188,
        ("pcie", 64),
        "NVIDIA RTX Blackwell PRO architecture whitepaper, 2025 (workstation edition; "
        "the server edition is specified at 1597 GB/s)",
        "RTX PRO 6000 Blackwell",
        "RTX PRO 6000 Blackwell Server Edition",
        "RTX PRO 6000 Blackwell Workstation Edition",
    ),
    _gpu(
        "MI300X",
        _half(1307.4, fp8=2614.9, int8=2614.9),
        5300,
        191.7,
        304,
        ("infinity fabric", 448),
        "AMD Instinct MI300X datasheet, 2023",
    ),
    _gpu(
        "TPU v6e",
        _half(918, int8=1836),
        1640,
        31.2,
        0,
        ("ici", 224),
        "Google Cloud TPU v6e documentation, 2024",
        "TPU v6e-1",
        "TPU v6",
    ),
)
"""The accelerators with known figures."""


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
    known = {_plain(spelling): gpu for gpu in GPUS for spelling in (gpu.name, *gpu.aliases)}
    plain = _plain(name)
    if plain in known:
        return known[plain]
    raise UsageError(
        f"no figures for the GPU {name!r}", fix=did_you_mean(name, [gpu.name for gpu in GPUS])
    )


def plain_dtype(name: str) -> str:
    """Return the name that a number format has here.

    Example:
        >>> plain_dtype("bfloat16"), plain_dtype("fp8_e4m3"), plain_dtype("fp4")
        ('bf16', 'fp8', 'fp4')
    """
    return _DTYPES.get(name.lower().removeprefix("torch."), name)


_DTYPES = {
    "float32": "fp32",
    "bfloat16": "bf16",
    "float16": "fp16",
    "half": "fp16",
    "fp8_e4m3": "fp8",
    "fp8_e5m2": "fp8",
}


def value_bytes(dtype: str) -> float:
    """Return the bytes of one stored value.

    Raises:
        UsageError: an unknown dtype.
    """
    if dtype not in DTYPE_BYTES:
        raise UsageError(f"unknown dtype {dtype!r}", fix=f"use one of {', '.join(DTYPE_BYTES)}")
    return DTYPE_BYTES[dtype]
