"""Latencies of an outcome trace, or of a log with timings, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.trace import Trace

__all__ = ["LATENCIES", "Timings", "read_timings"]

LATENCIES = ("ttft_s", "tpot_s", "e2e_s", "queue_s")


@dataclass(frozen=True)
class Timings:
    """One value per request by row_id, warm-up requests left out.

    Attributes:
        row_id: of the request in its trace.
        arrival_s, ttft_s, tpot_s, e2e_s, queue_s: seconds, NaN where not recorded. TPOT is
            (e2e - ttft) / (output_tokens - 1), so not defined below two tokens.
        input_tokens, output_tokens: lengths, 0 where not recorded.
        served: whether the request ended well.
        preemptions: per request, 0 where not recorded.
        cached_tokens: prompt tokens found in a cache, or None if the trace does not say.
        instance: index into `instances`, -1 where not recorded.
        instances: distinct instance names, sorted.
    """

    row_id: NDArray[np.uint64]
    arrival_s: NDArray[np.float64]
    ttft_s: NDArray[np.float64]
    tpot_s: NDArray[np.float64]
    e2e_s: NDArray[np.float64]
    queue_s: NDArray[np.float64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    served: NDArray[np.bool_]
    preemptions: NDArray[np.int64]
    cached_tokens: NDArray[np.int64] | None
    instance: NDArray[np.int64]
    instances: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row_id)

    @property
    def total_tokens(self) -> NDArray[np.int64]:
        """Tokens of each request's prompt and output."""
        return self.input_tokens + self.output_tokens

    def cache_hit_ratio(self) -> float | None:
        """Return cached prompt tokens / prompt tokens; None if the trace does not say."""
        asked = int(self.input_tokens.sum())
        if self.cached_tokens is None or not asked:
            return None
        return int(self.cached_tokens.sum()) / asked

    def match(self, other: Timings) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
        """Return the positions of every request here and in `other`; None if these hold others.

        Requests are the same if row id and prompt length are.
        """
        common, here, there = np.intersect1d(self.row_id, other.row_id, return_indices=True)
        same = len(common) == len(other) == len(self) and np.array_equal(
            self.input_tokens[here], other.input_tokens[there]
        )
        return (here, there) if same else None


def read_timings(trace: Trace) -> Timings:
    """Read a trace's timings; a request is served if its outcome is ok or, unrecorded, it has an end."""
    frame = trace.read(
        "row_id", "arrival_ns", "ttft_ns", "e2e_ns", "queue_ns", "input_tokens", "output_tokens",
        "outcome", "preemptions", "cached_tokens", "instance_id", "warmup",
    ).filter(~pl.col("warmup").fill_null(value=False)).sort("row_id")  # fmt: skip
    frame = frame.with_columns(
        served=pl.when(pl.col("outcome").is_null())
        .then(pl.col("e2e_ns").is_not_null())
        .otherwise(pl.col("outcome") == "ok"),
        tpot_ns=pl.when(pl.col("output_tokens") > 1).then(
            (pl.col("e2e_ns") - pl.col("ttft_ns")) / (pl.col("output_tokens").cast(pl.Int64) - 1)
        ),
    )
    names = sorted(frame["instance_id"].drop_nulls().unique().to_list())

    def seconds(name: str) -> NDArray[np.float64]:
        # polars multiplies by 1e-9 where it should divide, and 30 ms would miss a target of 0.03 s.
        return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() / 1e9

    def integers(name: str) -> NDArray[np.int64]:
        return frame[name].cast(pl.Int64).fill_null(0).to_numpy()

    return Timings(
        row_id=frame["row_id"].to_numpy(),
        arrival_s=seconds("arrival_ns"),
        ttft_s=seconds("ttft_ns"),
        tpot_s=seconds("tpot_ns"),
        e2e_s=seconds("e2e_ns"),
        queue_s=seconds("queue_ns"),
        input_tokens=integers("input_tokens"),
        output_tokens=integers("output_tokens"),
        served=frame["served"].to_numpy(),
        preemptions=integers("preemptions"),
        cached_tokens=integers("cached_tokens") if trace.has("cached_tokens") else None,
        instance=frame["instance_id"]
        .replace_strict(names, range(len(names)), default=-1, return_dtype=pl.Int64)
        .fill_null(-1)
        .to_numpy()
        if names
        else np.full(len(frame), -1),
        instances=tuple(names),
    )
