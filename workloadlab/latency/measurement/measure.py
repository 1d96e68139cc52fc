"""Measure: a decoder of one geometry, step by step, on the GPU of this machine."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from workloadlab.errors import DataError, UsageError
from workloadlab.latency.measurement.journal import Journal
from workloadlab.latency.measurement.plan import Limits, Shape, planned, refined
from workloadlab.latency.samples import write_samples

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from workloadlab.latency.hardware.geometry import ModelGeometry

__all__ = ["StepTimer", "measure"]

_ROUNDS = 3


class StepTimer(Protocol):
    """Times steps on a device.

    Attributes:
        conditions: facts that the times depend on: gpu, driver, torch, dtype, model, geometry, clocks.
    """

    conditions: dict[str, Any]

    def seconds(self, shape: Shape) -> float:
        """Median time of one step of this shape; NaN if it does not fit into memory."""

    def clock_mhz(self) -> int | None:
        """Clock of the GPU now, None if unknown."""


def measure(
    geometry: ModelGeometry,
    out: str | Path,
    *,
    dtype: str = "bf16",
    device: str = "auto",
    limits: Limits | None = None,
    refine: int = 48,
    timer: StepTimer | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:
    """Measure step times of a decoder with random weights and write them as a step table.

    A grid is measured first, then three rounds of steps between those that a fit predicts worst.
    Each step is warmed up and repeated; its median counts. Beside the table a journal
    `OUT.journal.jsonl` is written line by line with the conditions (GPU, driver, clocks, versions);
    a run that was interrupted goes on from it.

    Without a GPU a tiny geometry runs on the CPU, and the table's model says so: a way to try
    the command, not a measurement of the model.

    Args:
        geometry: the decoder.
        out: Parquet or CSV file to write.
        dtype: bf16, fp16 or fp32; on a CPU always fp32.
        device: "auto", "cuda" or "cpu".
        limits: of the grid; None for defaults by device.
        refine: steps measured beyond the grid.
        timer: times a step, instead of the decoder in PyTorch.
        progress: called with steps done and planned.

    Returns:
        The step table.

    Raises:
        UsageError: PyTorch or the GPU is missing, an unknown dtype or device.
        DataError: the journal beside `out` is of other conditions.
    """
    out = Path(out)
    if timer is None:
        timer = _torch_timer(geometry, dtype, device)
    on_cpu = timer.conditions["gpu"] == "cpu"
    limits = limits or (Limits(seqs=8, chunk_tokens=64, context_tokens=256) if on_cpu else Limits())
    journal = Journal(out.with_name(out.name + ".journal.jsonl"), timer.conditions)
    grid = planned(limits)
    total = len(grid) + refine
    tell = progress or (lambda _done, _total: None)
    _run(journal, timer, grid, lambda done: tell(done, total))
    per_round = math.ceil(refine / _ROUNDS)
    while (left := total - len(journal.seconds)) > 0:
        known = {shape: s for shape, s in journal.seconds.items() if math.isfinite(s)}
        more = refined(known, limits, most=min(per_round, left))
        more = [shape for shape in more if shape not in journal.seconds]
        if not more:
            break
        _run(journal, timer, more, lambda done: tell(done, total))
    journal.seconds = {s: t for s, t in journal.seconds.items() if math.isfinite(t)}
    if len(journal.seconds) < 2:
        raise DataError("no step fits into the memory of this device", fix="take a smaller model")
    table = journal.samples(gpu=timer.conditions["gpu"], model=timer.conditions["model"])
    write_samples(table, out)
    return table


def _run(
    journal: Journal, timer: StepTimer, shapes: list[Shape], tell: Callable[[int], None]
) -> None:
    for shape in shapes:
        if shape not in journal.seconds:
            journal.add(shape, timer.seconds(shape), timer.clock_mhz())
        tell(len(journal.seconds))


def _torch_timer(geometry: ModelGeometry, dtype: str, device: str) -> StepTimer:
    try:
        import torch  # noqa: F401
    except ImportError:
        raise UsageError(
            "measuring needs PyTorch, which is not installed",
            fix="pip install 'workloadlab[measure]'",
        ) from None
    from workloadlab.latency.measurement.timing import TorchTimer

    timer: StepTimer = TorchTimer.on(geometry, dtype=dtype, device=device)
    return timer
