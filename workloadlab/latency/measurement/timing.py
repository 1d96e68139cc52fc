"""Timing of steps: device events and CUDA graphs on a GPU, the clock of the process on a CPU."""

from __future__ import annotations

import math
import shutil
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from workloadlab.errors import UsageError
from workloadlab.latency.measurement.decoder import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.latency.hardware.geometry import ModelGeometry
    from workloadlab.latency.measurement.plan import Shape

__all__ = ["TorchTimer", "tiny"]

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
_WARM_UP, _REPEATS = 3, 15


def tiny(geometry: ModelGeometry) -> ModelGeometry:
    """Return a geometry of the same kind that a CPU runs in milliseconds."""
    return replace(
        geometry,
        model=f"tiny stand-in for {geometry.model}",
        layers=2,
        hidden=64,
        heads=4,
        kv_heads=2 if geometry.kv_heads < geometry.heads else 4,
        head_dim=16,
        intermediate=128,
        vocab=256,
        experts=min(geometry.experts, 4),
        experts_per_token=min(geometry.experts_per_token, 2),
    )


@dataclass
class TorchTimer:
    """Times steps of a decoder; see `StepTimer`."""

    decoder: Decoder
    conditions: dict[str, Any]
    graphs: bool = True

    @classmethod
    def on(cls, geometry: ModelGeometry, *, dtype: str, device: str) -> TorchTimer:
        """Make the decoder on a device.

        Raises:
            UsageError: an unknown dtype or device, no GPU, or weights that do not fit.
        """
        if dtype not in DTYPES:
            raise UsageError(f"dtype {dtype!r} is unknown", fix=f"use {', '.join(DTYPES)}")
        if device not in ("auto", "cuda", "cpu"):
            raise UsageError(f"device {device!r} is unknown", fix="use auto, cuda or cpu")
        if device == "cuda" and not torch.cuda.is_available():
            raise UsageError(
                "PyTorch sees no GPU on this machine",
                fix="check the driver and that PyTorch was built with CUDA, or use --device cpu",
            )
        on_gpu = device != "cpu" and torch.cuda.is_available()
        if not on_gpu:
            geometry, dtype = tiny(geometry), "fp32"
        where = torch.device("cuda" if on_gpu else "cpu")
        try:
            decoder = Decoder(geometry, DTYPES[dtype], where)
        except torch.OutOfMemoryError as error:
            raise UsageError(
                f"the weights of {geometry.model} in {dtype} do not fit into the GPU's memory",
                fix="take a smaller model or dtype",
            ) from error
        gpu = torch.cuda.get_device_name() if on_gpu else "cpu"
        facts = _query("driver_version", "clocks.max.sm", "clocks.max.mem") if on_gpu else {}
        conditions = {
            "gpu": gpu, "model": geometry.model, "dtype": dtype, "geometry": asdict(geometry),
            "torch": torch.__version__, "cuda": torch.version.cuda, **facts,
        }  # fmt: skip
        return cls(decoder, conditions)

    @torch.inference_mode()
    def seconds(self, shape: Shape) -> float:
        """Return the median time of a step; NaN if it does not fit into memory."""
        try:
            run = self.decoder.step(shape)
            if self.decoder.device.type == "cuda":
                return self._on_gpu(run)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return math.nan
        return _by_clock(run)

    def _on_gpu(self, run: Callable[[], torch.Tensor]) -> float:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                run()
        torch.cuda.current_stream().wait_stream(side)
        play: Callable[[], Any] = run
        if self.graphs:
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(graph):
                    run()
                play = graph.replay
            except RuntimeError as error:
                if isinstance(error, torch.OutOfMemoryError):
                    raise
                self.graphs = False
                self.conditions["graphs"] = False
        play()
        events = [
            (torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True))
            for _ in range(_REPEATS)
        ]
        for begin, end in events:
            begin.record()
            play()
            end.record()
        torch.cuda.synchronize()
        taken_ms = [float(begin.elapsed_time(end)) for begin, end in events]
        return statistics.median(taken_ms) / 1e3

    def clock_mhz(self) -> int | None:
        """Return the clock of the GPU's processors now, None if unknown."""
        if self.decoder.device.type != "cuda":
            return None
        now = _query("clocks.sm").get("clocks.sm", "")
        return int(now.split()[0]) if now[:1].isdigit() else None


def _by_clock(run: Callable[[], Any]) -> float:
    for _ in range(_WARM_UP):
        run()
    taken = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        run()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def _query(*names: str) -> dict[str, str]:
    """Ask nvidia-smi about the first GPU; {} without it."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return {}
    words = [tool, f"--query-gpu={','.join(names)}", "--format=csv,noheader", "--id=0"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    values = [value.strip() for value in done.stdout.strip().split(",")]
    return dict(zip(names, values, strict=True)) if len(values) == len(names) else {}
