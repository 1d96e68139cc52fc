"""What tensor parallelism adds to a step: two all-reduces of the residual stream per layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.errors import DataError
from workloadlab.latency.hardware import find_gpu

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.latency.geometry import ModelGeometry

__all__ = ["AllReduce", "all_reduce_default", "find_all_reduce"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

# Microseconds to start with, and the share of the link's bandwidth that a ring reaches. NVLink: 4.2
# to 5.2 us and 0.52 to 0.73 in the published tables of A100, H100 and H200. PCIe: NCCL through the
# host, as between the RTX PRO 6000 of LLMServingSim's runs (20 us, 16 of 64 GB/s: its expert-parallel
# run spends 50 us a layer on two collectives of 4 kB and 130 to 230 us on two of 0.5 MB). Cards that
# write to each other's memory start at 6 to 8 us and reach 0.6.
_PCIE, _OTHER = (20.0, 0.25), (5.0, 0.6)
_VALUE_BYTES = 2  # activations travel as bf16

# GPU -> folder of aiconfigurator, folder of Vidur, in the layout that both projects publish.
_MEASURED = {
    "A100-80GB": ("aiconfigurator/a100_sxm", "vidur/network/a100_dgx"),
    "H100-SXM": ("aiconfigurator/h100_sxm", "vidur/network/h100_dgx"),
    "H200": ("aiconfigurator/h200_sxm", ""),
}


@dataclass(frozen=True)
class AllReduce:
    """Time of one all-reduce between the GPUs of an instance.

    Attributes:
        tp: number of GPUs.
        message_bytes: sizes with a known time, ascending.
        us: microseconds at those sizes.
        source: where the times come from, in words.
    """

    tp: int
    message_bytes: Floats
    us: Floats
    source: str

    def step_us(self, geometry: ModelGeometry, tokens: Floats) -> Floats:
        """Microseconds of all collectives of a step of `tokens` tokens: 2 per layer.

        Between known sizes and beyond the last one the time is linear in bytes.
        """
        sent = np.asarray(tokens, float) * geometry.hidden * _VALUE_BYTES
        slope = (self.us[-1] - self.us[-2]) / (self.message_bytes[-1] - self.message_bytes[-2])
        beyond = np.maximum(0.0, sent - self.message_bytes[-1]) * slope
        step: Floats = 2 * geometry.layers * (np.interp(sent, self.message_bytes, self.us) + beyond)
        return step


def all_reduce_default(gpu: str, tp: int) -> AllReduce:
    """Estimate an all-reduce from the GPU's link where none was measured.

    us = latency + 2 (tp - 1) / tp x bytes / (share x link bandwidth), the traffic of a ring: 20 us
    and a quarter of the link over PCIe (through the host), 5 us and 0.6 of it otherwise.

    Example:
        >>> pcie = all_reduce_default("RTX PRO 6000", 2)
        >>> float(np.interp(21e6, pcie.message_bytes, pcie.us).round())
        1332.0

    Raises:
        UsageError: no figures for the GPU.
    """
    figures = find_gpu(gpu)
    latency, share = _PCIE if figures.link == "pcie" else _OTHER
    traffic = 2 * (tp - 1) / tp / (share * figures.link_bytes_s) * 1e6
    sizes = np.array([0.0, 1e9])
    source = (
        f"estimated: {latency:g} us + ring traffic at {share:.0%} of "
        f"{figures.link_bytes_s / 1e9:g} GB/s ({figures.link}) between {figures.name}s"
    )
    return AllReduce(tp, sizes, latency + traffic * sizes, source)


def find_all_reduce(path: Path, gpu: str, tp: int) -> AllReduce:
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


def _aiconfigurator(table: Path, tp: int) -> AllReduce | None:
    """Elements and milliseconds of the engine's own kernel, replayed from a CUDA graph."""
    rows = _table(table, ("num_gpus", "backend", "message_size", "latency")).filter(
        pl.col("num_gpus") == tp, pl.col("backend").str.ends_with("graph")
    )
    folder = f"{table.parent.parent.name}/{table.parent.name}"
    return _all_reduce(rows, tp, "latency", "message_size", f"measured: aiconfigurator {folder}")


def _vidur(table: Path, tp: int) -> AllReduce | None:
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


def _all_reduce(rows: pl.DataFrame, tp: int, time: str, size: str, source: str) -> AllReduce | None:
    points = rows.group_by(size).agg(pl.col(time).median()).sort(size).drop_nulls()
    if points.height < 2:
        return None
    sent, us = points[size].to_numpy() * float(_VALUE_BYTES), points[time].to_numpy() * 1e3
    return AllReduce(tp, sent, np.maximum.accumulate(us), source)
