"""Averages of a server's gauges, computed from the timings of its requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from workloadlab.trace import Trace

__all__ = ["Occupancy", "occupancy"]

Floats = Any


@dataclass(frozen=True)
class Occupancy:
    """Means over the time from the first arrival to the last.

    Attributes:
        running, waiting: requests, summed over instances.
        kv_tokens: tokens of context of the running requests. A prefix that two of them share counts
            twice, and a preempted request counts as running.
        hit_ratio: cached tokens over prompt tokens, None if the trace does not say.
    """

    running: float
    waiting: float
    kv_tokens: float
    hit_ratio: float | None


def occupancy(trace: Trace) -> Occupancy:
    """Average the load of a server; requests without e2e are left out, warm-up requests are not.

    A request waits from its dispatch until it is scheduled and runs from then to its end; where the
    trace does not record these moments, both are its arrival. Its context is the prompt until the first
    token, and grows by the output from then to the end.

    Raises:
        UnsupportedError: the trace has no timings or lengths.
        UsageError: fewer than two different arrivals.

    Example:
        >>> import polars as pl
        >>> from workloadlab.trace import Trace
        >>> second = 10**9
        >>> trace = Trace.from_frame(pl.DataFrame({
        ...     "arrival_ns": [0, 4 * second], "queue_ns": [second, 0], "ttft_ns": [second, 1],
        ...     "e2e_ns": [3 * second, 1], "input_tokens": [10, 1], "output_tokens": [20, 1]}))
        >>> occupancy(trace)
        Occupancy(running=0.5, waiting=0.25, kv_tokens=10.0, hit_ratio=None)
    """
    trace.require("timings", "occupancy")
    trace.require("lengths", "occupancy")
    frame = trace.read(
        "arrival_ns", "dispatch_ns", "queue_ns", "ttft_ns", "e2e_ns", "input_tokens",
        "output_tokens", "cached_tokens",
    )  # fmt: skip
    first_s, last_s = frame["arrival_ns"][0] / 1e9, frame["arrival_ns"][-1] / 1e9
    if last_s <= first_s:
        raise UsageError("all requests arrive at once", fix="give a trace that lasts")
    ended = frame.filter(pl.col("e2e_ns").is_not_null())

    def moment(name: str, otherwise: str | None = None) -> Floats:
        since = pl.col(name) if otherwise is None else pl.coalesce(name, otherwise)
        return (
            ended.select((pl.col("arrival_ns") + since.fill_null(0)) / 1e9).to_series().to_numpy()
        )

    sent_s, start_s = moment("dispatch_ns"), moment("queue_ns", "dispatch_ns")
    token_s, end_s = moment("ttft_ns", "e2e_ns"), moment("e2e_ns")

    def within(begin_s: Floats, finish_s: Floats) -> tuple[Floats, Floats]:
        """Return the length of each interval inside the window, and its middle."""
        low, high = np.maximum(begin_s, first_s), np.minimum(finish_s, last_s)
        return np.maximum(high - low, 0.0), (low + high) / 2

    input_tokens = ended["input_tokens"].cast(pl.Float64).to_numpy()
    output = ended["output_tokens"].cast(pl.Float64).fill_null(0.0).to_numpy()
    decode_s, middle_s = within(token_s, end_s)
    grown = output * (middle_s - token_s) / np.maximum(end_s - token_s, 1e-12)
    kv_token_s = input_tokens * within(start_s, token_s)[0] + (input_tokens + grown) * decode_s
    span_s = last_s - first_s
    return Occupancy(
        running=float(within(start_s, end_s)[0].sum() / span_s),
        waiting=float(within(sent_s, start_s)[0].sum() / span_s),
        kv_tokens=float(kv_token_s.sum() / span_s),
        hit_ratio=_hit_ratio(ended) if trace.has("cached_tokens") else None,
    )


def _hit_ratio(frame: pl.DataFrame) -> float:
    cached, input_tokens = (
        int(frame[name].cast(pl.Int64).sum()) for name in ("cached_tokens", "input_tokens")
    )
    return cached / input_tokens if input_tokens else 0.0
