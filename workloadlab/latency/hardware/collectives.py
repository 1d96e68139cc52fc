"""Collective operations between GPUs: the time that parallelism adds to a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.errors import DataError
from workloadlab.latency.hardware.gpus import find_gpu

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.latency.hardware.geometry import ModelGeometry

__all__ = [
    "Collective",
    "Exchanges",
    "all_reduce_default",
    "exchange_default",
    "expert_parallel",
    "find_all_reduce",
    "tensor_parallel",
]

Floats = np.ndarray[Any, np.dtype[np.float64]]

# Microseconds to start with, and the share of the link's bandwidth that is reached.
#
# NVLink: 4.2 to 5.2 us and 0.52 to 0.73 in the published tables of A100, H100 and H200.
#
# PCIe between cards that reach each other's memory. An all-reduce between two of them is vLLM's own
# kernel, which reads the peer (up to 8 MB; `custom_all_reduce.py` allows PCIe for exactly two GPUs): a
# peer is read at 43 and written at 45 GB/s of 64 (vLLM issue 56128, RTX PRO 6000), and such kernels
# take 4 to 8 us at a few kB (FlashInfer pull request 5023; rtx6kpro, pcie-bandwidth.md). All else is
# NCCL: 24 us up to 64 kB and 28 us at 256 kB (rtx6kpro), 35 GB/s at 17 MB (FlashInfer 5023). The
# expert-parallel run of LLMServingSim agrees: 20 to 30 us a collective from 0.1 to 0.3 MB.
#
# GeForce cards cannot reach each other's memory over PCIe: NCCL goes through the host.
_NVLINK, _PEER, _NCCL, _HOST = (5.0, 0.6), (8.0, 0.6), (24.0, 0.55), (20.0, 0.25)
_VALUE_BYTES = 2  # activations travel as bf16

# GPU -> folder of aiconfigurator, folder of Vidur, in the layout that both projects publish.
_MEASURED = {
    "A100-80GB": ("aiconfigurator/a100_sxm", "vidur/network/a100_dgx"),
    "H100-SXM": ("aiconfigurator/h100_sxm", "vidur/network/h100_dgx"),
    "H200": ("aiconfigurator/h200_sxm", ""),
}


@dataclass(frozen=True)
class Collective:
    """Time of one collective operation between GPUs.

    Attributes:
        ranks: number of GPUs.
        message_bytes: sizes with a known time, ascending; of an all-gather or reduce-scatter, the
            part that each GPU contributes or receives.
        us: microseconds at those sizes.
        source: the origin of the times, in words.
    """

    ranks: int
    message_bytes: Floats
    us: Floats
    source: str

    def time_us(self, sent: Floats) -> Floats:
        """Microseconds for messages of so many bytes.

        Between known sizes and beyond the last one the time is linear in bytes.
        """
        slope = (self.us[-1] - self.us[-2]) / (self.message_bytes[-1] - self.message_bytes[-2])
        beyond = np.maximum(0.0, sent - self.message_bytes[-1]) * slope
        time: Floats = np.interp(sent, self.message_bytes, self.us) + beyond
        return time


@dataclass(frozen=True)
class Exchanges:
    """Messages between the GPUs of an instance, or between expert-parallel ranks, in a step.

    Attributes:
        layer: twice in each layer, the hidden state of every token of a GPU.
        logits: once, every GPU's part of the vocabulary for every sequence (vLLM gathers it before
            sampling), or None where each GPU holds the whole output head.
        names: of the two per layer, in words.
    """

    layer: Collective
    logits: Collective | None
    names: str

    def step_us(self, geometry: ModelGeometry, tokens: Floats, sequences: Floats) -> Floats:
        """Microseconds of all collectives of steps of so many tokens and sequences per GPU."""
        hidden = np.asarray(tokens, float) * geometry.hidden * _VALUE_BYTES
        step = 2 * geometry.layers * self.layer.time_us(hidden)
        if self.logits:
            part = geometry.vocab / self.logits.ranks * _VALUE_BYTES
            step = step + self.logits.time_us(np.asarray(sequences, float) * part)
        return step

    def __str__(self) -> str:
        said = f"{self.names} per layer, {self.layer.source}"
        return f"{said}; logits gathered, {self.logits.source}" if self.logits else said


def tensor_parallel(path: Path, gpu: str, tp: int) -> Exchanges:
    """Return two all-reduces per layer and the gathering of the logits.

    Args:
        path: where `find_all_reduce` looks for a measured table.
        gpu: the accelerator.
        tp: number of GPUs.

    Raises:
        UsageError: no table and no figures for the GPU.
        DataError: a table is there and cannot be read.
    """
    return Exchanges(
        find_all_reduce(path, gpu, tp), exchange_default(gpu, tp), names="2 all-reduces"
    )


def expert_parallel(gpu: str, ranks: int) -> Exchanges:
    """Return an all-gather before and a reduce-scatter after the experts of every layer.

    Raises:
        UsageError: no figures for the GPU.
    """
    return Exchanges(exchange_default(gpu, ranks), None, names="an all-gather and a reduce-scatter")


def all_reduce_default(gpu: str, tp: int) -> Collective:
    """Estimate an all-reduce from the GPU's link where none was measured.

    us = latency + 2 (tp - 1) / tp x bytes / (share x link bandwidth), the traffic of a ring. Latency
    and share: NVLink 5 us and 0.6; PCIe 8 us and 0.6 between two GPUs, 24 us and 0.55 between more,
    20 us and 0.25 where messages go through the host.

    Example:
        >>> pcie = all_reduce_default("RTX PRO 6000", 2)
        >>> float(np.interp(21e6, pcie.message_bytes, pcie.us).round())
        555.0

    Raises:
        UsageError: no figures for the GPU.
    """
    link = find_gpu(gpu).link
    figures = {"pcie": _PEER if tp == 2 else _NCCL, "pcie through the host": _HOST}
    return _estimated(gpu, tp, 2 * (tp - 1) / tp, figures.get(link, _NVLINK))


def exchange_default(gpu: str, ranks: int) -> Collective:
    """Estimate an all-gather or a reduce-scatter between GPUs from their link.

    us = latency + (ranks - 1) x bytes of a rank / (share x link bandwidth). Latency and share are those
    of NCCL: 24 us and 0.55 over PCIe, otherwise as for `all_reduce_default`.

    Example:
        >>> pcie = exchange_default("RTX PRO 6000", 2)
        >>> float(np.interp(0.5e6, pcie.message_bytes, pcie.us).round())
        38.0

    Raises:
        UsageError: no figures for the GPU.
    """
    figures = {"pcie": _NCCL, "pcie through the host": _HOST}
    return _estimated(gpu, ranks, ranks - 1, figures.get(find_gpu(gpu).link, _NVLINK))


def _estimated(gpu: str, ranks: int, traffic: float, figures: tuple[float, float]) -> Collective:
    """Return a straight line: a start, then so many messages over the link."""
    (latency, share), card = figures, find_gpu(gpu)
    sizes = np.array([0.0, 1e9])
    source = (
        f"estimated: {latency:g} us + ring traffic at {share:.0%} of "
        f"{card.link_bytes_s / 1e9:g} GB/s ({card.link}) between {card.name}s"
    )
    us = latency + traffic / (share * card.link_bytes_s) * 1e6 * sizes
    return Collective(ranks, sizes, us, source)


def find_all_reduce(path: Path, gpu: str, tp: int) -> Collective:
    """Return the measured table of this GPU from the data folders around `path`, else the default.

    Raises:
        UsageError: no table and no figures for the GPU.
        DataError: a table is there and cannot be read.
    """
    name = find_gpu(gpu).name
    if name in _MEASURED:
        aiconfigurator, vidur = _MEASURED[name]
        for place in (path, *path.resolve().parents):
            for table in sorted((place / aiconfigurator).glob("*/custom_allreduce_perf.parquet")):
                found = _aiconfigurator(table, tp)
                if found:
                    return found
            table = place / vidur / "all_reduce.parquet"
            found = _vidur(table, tp) if vidur and table.is_file() else None
            if found:
                return found
    return all_reduce_default(gpu, tp)


def _aiconfigurator(table: Path, tp: int) -> Collective | None:
    """Elements and milliseconds of the engine's own kernel, replayed from a CUDA graph."""
    rows = _table(table, ("num_gpus", "backend", "message_size", "latency")).filter(
        pl.col("num_gpus") == tp, pl.col("backend").str.ends_with("graph")
    )
    folder = f"{table.parent.parent.name}/{table.parent.name}"
    return _all_reduce(rows, tp, "latency", "message_size", f"measured: aiconfigurator {folder}")


def _vidur(table: Path, tp: int) -> Collective | None:
    """Elements and milliseconds of NCCL with all GPUs in one machine."""
    time = "time_stats.all_reduce.median"
    columns = ("num_workers", "devices_per_node", "size", time)
    rows = _table(table, columns).filter(
        pl.col("num_workers") == tp, pl.col("devices_per_node") == tp
    )
    return _all_reduce(rows, tp, time, "size", f"measured: Vidur network/{table.parent.name}")


def _table(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, columns=list(columns))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"cannot be read: {str(error).splitlines()[0]}", where=str(path)) from error


def _all_reduce(
    rows: pl.DataFrame, tp: int, time: str, size: str, source: str
) -> Collective | None:
    points = rows.group_by(size).agg(pl.col(time).median()).sort(size).drop_nulls()
    if points.height < 2:
        return None
    sent, us = points[size].to_numpy() * float(_VALUE_BYTES), points[time].to_numpy() * 1e3
    return Collective(tp, sent, np.maximum.accumulate(us), source)
