"""The trace in windows: which hour is the heaviest, and each hour with what came just before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.errors import UsageError
from workloadlab.trace import Trace
from workloadlab.words import plural

if TYPE_CHECKING:
    from workloadlab.latency import LatencyModel

__all__ = ["HOUR_S", "Window", "busiest", "peak_of", "require_rate", "windows_of"]

HOUR_S = 3600.0

LEAD_S = 120.0
"""Of requests before a window are replayed with it, as warm-up, so that it does not start empty."""

TYPICAL_BATCH, TYPICAL_CONTEXT, TYPICAL_CHUNK = 32, 32_768, 2048


@dataclass(frozen=True)
class Window:
    """Part of a trace.

    Attributes:
        start_s: since the first arrival of the trace.
        length_s: to the end of the window, or to the trace's last arrival.
        requests: that arrive in it.
        work_s: engine seconds that they take in typical batches, a rough figure to compare windows by.
        trace: these requests, with the two minutes before them marked as warm-up.
    """

    start_s: float
    length_s: float
    requests: int
    work_s: float
    trace: Trace

    @property
    def rate_rps(self) -> float:
        """Arrivals per second."""
        return self.requests / self.length_s if self.length_s else float(self.requests)


def require_rate(trace: Trace) -> None:
    """Refuse a trace that has no rate to plan for.

    Raises:
        UsageError: no requests, or all at one instant; warm-up requests do not count.
        UnsupportedError: the trace lacks arrivals or lengths.
    """
    if trace.requests == 0:
        raise UsageError("the trace has no requests, so there is nothing to plan for")
    trace.require("lengths", "a plan")
    trace.require("arrivals", "a plan")
    frame = trace.read("arrival_ns", "warmup")
    arrivals = frame.filter(~pl.col("warmup").fill_null(value=False))["arrival_ns"]
    if arrivals.n_unique() < 2:
        raise UsageError(
            f"the trace has {plural(len(arrivals), 'measured request')}, at no two instants, so it has "
            "no rate to plan for",
            fix="give a log of a stretch of time",
        )


def windows_of(trace: Trace, model: LatencyModel, width_s: float | None) -> list[Window]:
    """Cut a trace into windows of equal width from its first arrival on; empty ones are left out.

    Args:
        trace: needs arrivals and lengths.
        model: by whose times the work is estimated.
        width_s: of a window; None for the whole trace in one.
    """
    frame = trace.read("arrival_ns", "input_tokens", "output_tokens", "warmup")
    arrival = frame["arrival_ns"].to_numpy()
    kept = ~frame["warmup"].fill_null(value=False).to_numpy()
    first, span_s = int(arrival[0]), float(arrival[-1] - arrival[0]) / 1e9
    if width_s is None or width_s >= span_s:
        width_s = max(span_s, 1e-9)
    index = np.minimum((arrival - first) / 1e9 // width_s, np.ceil(span_s / width_s) - 1).astype(
        int
    )
    work = _work_s(frame, model)
    found = []
    for number in np.unique(index[kept]):
        inside = kept & (index == number)
        start_s = float(number) * width_s
        found.append(
            Window(
                start_s=start_s,
                length_s=min(width_s, span_s - start_s) or width_s,
                requests=int(inside.sum()),
                work_s=float(work[inside].sum()),
                trace=_part(trace, first, start_s, int(arrival[index == number][-1])),
            )
        )
    return found


def peak_of(trace: Trace, model: LatencyModel) -> Window:
    """Return the hour with the most work per second; the whole of a trace under two hours."""
    width_s = HOUR_S if trace.span_s >= 2 * HOUR_S else None
    return busiest(windows_of(trace, model, width_s))


def busiest(windows: list[Window]) -> Window:
    """Return the window with the most work per second."""
    return max(windows, key=lambda window: window.work_s / max(window.length_s, 1e-9))


def _work_s(
    frame: pl.DataFrame, model: LatencyModel
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    prompt = frame["input_tokens"].cast(pl.Float64).fill_null(1.0).to_numpy()
    output = frame["output_tokens"].cast(pl.Float64).fill_null(1.0).to_numpy()
    chunk_s = model.step_time_s(prefill_tokens=TYPICAL_CHUNK)
    step_s = model.step_time_s(decode_seqs=TYPICAL_BATCH, decode_context_tokens=TYPICAL_CONTEXT)
    work: np.ndarray[tuple[int], np.dtype[np.float64]] = prompt * (
        chunk_s / TYPICAL_CHUNK
    ) + output * (step_s / TYPICAL_BATCH)
    return work


def _part(trace: Trace, first_ns: int, start_s: float, last_ns: int) -> Trace:
    start_ns = first_ns + round(start_s * 1e9)
    arrival = pl.col("arrival_ns")
    lead = arrival < start_ns
    frame = trace.frame.filter(
        (arrival >= start_ns - round(LEAD_S * 1e9)) & (arrival <= last_ns)
    ).with_columns(warmup=pl.col("warmup").fill_null(value=False) | lead)
    return Trace(frame.collect().lazy(), trace.provenance)
