"""Collective operations between GPUs: the time that parallelism adds to a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.errors import DataError
from workloadlab.latency.hardware.gpus import find_gpu
from workloadlab.latency.hardware.links import UNKNOWN, GivenLink, link_of

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


def tensor_parallel(path: Path, gpu: str, tp: int, link: GivenLink = UNKNOWN) -> Exchanges:
    """Return two all-reduces per layer and the gathering of the logits.

    Args:
        path: where `find_all_reduce` looks for a measured table.
        gpu: the accelerator.
        tp: number of GPUs.
        link: what is known of the link between them.

    Raises:
        UsageError: no table and no figures for the GPU.
        DataError: a table is there and cannot be read.
    """
    return Exchanges(
        find_all_reduce(path, gpu, tp, link), exchange_default(gpu, tp, link), names="2 all-reduces"
    )


def expert_parallel(gpu: str, ranks: int, link: GivenLink = UNKNOWN) -> Exchanges:
    """Return an all-gather before and a reduce-scatter after the experts of every layer.

    Raises:
        UsageError: no figures for the GPU.
    """
    collective = exchange_default(gpu, ranks, link)
    return Exchanges(collective, None, names="an all-gather and a reduce-scatter")


def all_reduce_default(gpu: str, tp: int, link: GivenLink = UNKNOWN) -> Collective:
    """Estimate an all-reduce from the GPU's link where none was measured; `links` has its figures.

    us = latency + 2 (tp - 1) / tp x bytes / (bytes per us), the traffic of a ring.

    Example:
        >>> pcie = all_reduce_default("RTX PRO 6000", 2)
        >>> float(np.interp(16e6, pcie.message_bytes, pcie.us).round())
        1020.0

    Raises:
        UsageError: no figures for the GPU.
    """
    return _estimated(gpu, tp, 2 * (tp - 1) / tp, "all-reduce", link)


def exchange_default(gpu: str, ranks: int, link: GivenLink = UNKNOWN) -> Collective:
    """Estimate an all-gather or a reduce-scatter between GPUs from their link.

    us = latency + (ranks - 1) x bytes of a rank / (bytes per us).

    Example:
        >>> pcie = exchange_default("RTX PRO 6000", 2)
        >>> float(np.interp(0.5e6, pcie.message_bytes, pcie.us).round())
        38.0

    Raises:
        UsageError: no figures for the GPU.
    """
    return _estimated(gpu, ranks, ranks - 1, "exchange", link)


def _estimated(
    gpu: str, ranks: int, traffic: float, operation: str, given: GivenLink
) -> Collective:
    """Return a straight line: a start, then so many messages over the link."""
    found = link_of(gpu, operation, ranks).but(given)
    sizes = np.array([0.0, 1e9])
    us = 1e6 * (found.latency_s + traffic / found.bytes_s * sizes)
    return Collective(ranks, sizes, us, f"{found} between {find_gpu(gpu).name}s")


def find_all_reduce(path: Path, gpu: str, tp: int, link: GivenLink = UNKNOWN) -> Collective:
    """Return the measured table of this GPU from the data folders around `path`, else the default.

    A link that is given is another than the measured one.

    Raises:
        UsageError: no table and no figures for the GPU.
        DataError: a table is there and cannot be read.
    """
    name = find_gpu(gpu).name
    if name in _MEASURED and link == UNKNOWN:
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
    return all_reduce_default(gpu, tp, link)


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
