"""Latencies of an outcome trace, or of a log with timings, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.trace import Trace

__all__ = ["LATENCIES", "PARTIES", "Labels", "Timings", "read_timings"]

LATENCIES = ("ttft_s", "tpot_s", "e2e_s", "queue_s")

PARTIES = ("tenant_id", "slo_class", "model", "task")
"""Columns by whose values requests are told apart."""


@dataclass(frozen=True)
class Labels:
    """The value of one column for each request.

    Attributes:
        codes: index into `names`, -1 where not recorded.
        names: distinct values, sorted.
    """

    codes: NDArray[np.int64]
    names: tuple[str, ...]


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
        itl_s: times between successive tokens of a request, those of one after those of another;
            empty where token times are not recorded.
        itl_of: of which request each of them is.
        parties: tenants, service classes, models and tasks, by column; those that are recorded.
        copies: instances that computed a prompt block, on average over blocks; None where blocks or
            instances are not recorded.
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
    itl_s: NDArray[np.float64]
    itl_of: NDArray[np.int64]
    parties: dict[str, Labels]
    copies: float | None

    def __len__(self) -> int:
        return len(self.row_id)

    @property
    def total_tokens(self) -> NDArray[np.int64]:
        """Tokens of each request's prompt and output."""
        return self.input_tokens + self.output_tokens

    @cached_property
    def by_arrival(self) -> NDArray[np.intp] | slice:
        """Order of arrival, as an index into the requests."""
        if (self.arrival_s[1:] >= self.arrival_s[:-1]).all():
            return slice(None)
        return np.argsort(self.arrival_s, kind="stable")

    @cached_property
    def makespan_s(self) -> float | None:
        """First arrival to last end, or to the last arrival where that came later; None without ends."""
        ends = (self.arrival_s + self.e2e_s)[self.served & np.isfinite(self.e2e_s)]
        if not len(ends):
            return None
        return float(max(ends.max(), self.arrival_s.max()) - self.arrival_s.min())

    def cache_hit_ratio(self) -> float | None:
        """Return cached prompt tokens / prompt tokens; None if the trace does not say."""
        asked = int(self.input_tokens.sum())
        if self.cached_tokens is None or not asked:
            return None
        return int(self.cached_tokens.sum()) / asked

    def of(self, chosen: NDArray[np.bool_]) -> Timings:
        """Return the timings of some requests; copies of blocks are not told of parts."""
        within = chosen[self.itl_of]
        kept = {
            each.name: value[chosen]
            for each in fields(self)
            if isinstance(value := getattr(self, each.name), np.ndarray) and len(value) == len(self)
        }
        parties = {
            name: Labels(labels.codes[chosen], labels.names)
            for name, labels in self.parties.items()
        }
        place = np.cumsum(chosen) - 1
        itl = {"itl_s": self.itl_s[within], "itl_of": place[self.itl_of[within]]}
        return replace(self, **kept | itl, parties=parties, copies=None)

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
        "outcome", "preemptions", "cached_tokens", "instance_id", "warmup", *PARTIES,
    )  # fmt: skip
    if frame["warmup"].any():
        frame = frame.filter(~pl.col("warmup").fill_null(value=False))
    if not frame["row_id"].is_sorted():
        frame = frame.sort("row_id")
    frame = frame.with_columns(
        served=pl.when(pl.col("outcome").is_null())
        .then(pl.col("e2e_ns").is_not_null())
        .otherwise(pl.col("outcome") == "ok"),
        tpot_ns=pl.when(pl.col("output_tokens") > 1).then(
            (pl.col("e2e_ns") - pl.col("ttft_ns")) / (pl.col("output_tokens").cast(pl.Int64) - 1)
        ),
    )
    placed = _labels(frame["instance_id"])
    itl_s, itl_of = _between_tokens(trace, frame["row_id"])

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
        instance=placed.codes,
        instances=placed.names,
        itl_s=itl_s,
        itl_of=itl_of,
        parties={name: labels for name in PARTIES if (labels := _labels(frame[name])).names},
        copies=_copies(trace),
    )


def _labels(column: pl.Series) -> Labels:
    names = sorted(column.drop_nulls().unique().to_list())
    if not names:
        return Labels(np.full(len(column), -1), ())
    codes = column.cast(pl.Enum(names)).to_physical().cast(pl.Int64)
    return Labels(codes.fill_null(-1).to_numpy(), tuple(names))


def _between_tokens(trace: Trace, kept: pl.Series) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the gaps between tokens, and the place among the kept rows of the request of each."""
    if not trace.has("token_offsets_ns"):
        return np.zeros(0), np.zeros(0, np.int64)
    frame = (
        trace.read("row_id", "token_offsets_ns")
        .join(pl.DataFrame({"row_id": kept, "of": range(len(kept))}), on="row_id")
        .sort("of")
        .select("of", pl.col("token_offsets_ns").list.diff(null_behavior="drop"))
        .explode("token_offsets_ns")
        .drop_nulls()
    )
    return (
        frame["token_offsets_ns"].cast(pl.Float64).to_numpy() / 1e9,
        frame["of"].cast(pl.Int64).to_numpy(),
    )


def _copies(trace: Trace) -> float | None:
    """Return how many instances computed a block of a prompt, on average over the blocks."""
    if not (trace.has("block_ids") and trace.has("instance_id")):
        return None
    frame = (
        trace.frame.select("instance_id", "block_ids")
        .drop_nulls()
        .explode("block_ids")
        .drop_nulls()
        .unique()
        .select(pairs=pl.len(), blocks=pl.col("block_ids").n_unique())
        .collect()
    )
    pairs, blocks = frame.row(0)
    return pairs / blocks if blocks else None
