"""What both engines give: outcomes as arrays, and as a trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.errors import DataError
from workloadlab.trace import COLUMNS, MOST_S, Provenance, Trace
from workloadlab.words import seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.simulation.workload import Floats, Ints, Workload

__all__ = ["REPLAYED", "Outcome", "blank_outcome", "outcome_trace"]

REPLAYED = ("queue_ns", "ttft_ns", "last_token_ns", "e2e_ns", "cached_tokens", "token_offsets_ns",
            "outcome", "finish_reason", "ttft_clock", "instance_id", "waiting_at_arrival",
            "running_at_arrival", "kv_usage_at_arrival", "dispatch_ns", "preemptions")  # fmt: skip
"""Columns of the input trace that a replay replaces."""


@dataclass(frozen=True)
class Outcome:
    """What happened to each request; times in seconds of simulated time, NaN where it never came.

    A request is served if it has an end, rejected if it has no instance, and failed otherwise; of one
    that was retried all but arrival and preemptions is that of the last attempt: see `Event`.

    Attributes:
        arrival_s: when the request arrived; in closed-loop sessions an outcome too.
        instance: index of the instance, -1 if rejected.
        dispatch_s: when the router placed the request.
        scheduled_s: when its first chunk started.
        first_token_s, end_s: ends of the steps that gave the first and the last token.
        preemptions: how often it was preempted.
        cached_tokens: prompt tokens found in the prefix cache when it was first scheduled.
        steps, steps_outside: engine steps in all, and those outside the latency model's domain.
        memory: what each replica of the router remembered at the end, (replicas, cells).
    """

    arrival_s: Floats
    instance: Ints
    dispatch_s: Floats
    scheduled_s: Floats
    first_token_s: Floats
    end_s: Floats
    preemptions: Ints
    cached_tokens: Ints
    steps: int
    steps_outside: int
    memory: Floats = field(default_factory=lambda: np.zeros((1, 0)))


def blank_outcome(workload: Workload) -> Outcome:
    """Return the outcome before anything has happened."""
    n = len(workload)
    arrival, dispatch, scheduled, first, end = (np.full(n, np.nan) for _ in range(5))
    preemptions, cached = np.zeros(n, np.int64), np.zeros(n, np.int64)
    return Outcome(
        arrival, np.full(n, -1), dispatch, scheduled, first, end, preemptions, cached, 0, 0
    )


def outcome_trace(
    trace: Trace,
    base: pl.DataFrame,
    workload: Workload,
    outcome: Outcome,
    *,
    run_id: str,
    names: Sequence[str],
    options: dict[str, Any],
) -> Trace:
    """Lay the outcome beside the requests: the rows of `base` with the replayed columns filled in.

    Args:
        trace: the trace that was replayed, for provenance.
        base: its rows without the columns in `REPLAYED`.
        workload: as replayed, so with scaled arrivals.
        outcome: from an engine.
        run_id: name of the run.
        names: instance names by index.
        options: what was replayed how, for the provenance.
    """
    arrival = outcome.arrival_s
    _refuse_overflow(outcome, run_id)
    arrival_ns = np.rint(arrival * 1e9).astype(np.int64)

    def since_arrival(moment_s: Floats) -> pl.Series:
        filled = np.isfinite(moment_s)
        span = np.rint((np.where(filled, moment_s, arrival) - arrival) * 1e9).astype(np.int64)
        return pl.Series(span).set(pl.Series(~filled), None)

    placed, served = pl.Series(outcome.instance >= 0), pl.Series(np.isfinite(outcome.end_s))
    instance = pl.Series(np.maximum(outcome.instance, 0))
    end = since_arrival(outcome.end_s)
    filled = base.with_columns(
        run_id=pl.lit(run_id),
        arrival_ns=pl.Series(arrival_ns),
        queue_ns=since_arrival(outcome.scheduled_s),
        ttft_ns=since_arrival(outcome.first_token_s),
        last_token_ns=end,
        e2e_ns=end,
        output_tokens=pl.Series(workload.output_tokens).cast(pl.UInt32),
        outcome=pl.select(
            pl.when(served).then(pl.lit("ok")).when(placed).then(pl.lit("error"))
            .otherwise(pl.lit("rejected"))
        ).to_series(),
        instance_id=pl.Series(list(names)).gather(instance).set(~placed, None),
        dispatch_ns=since_arrival(outcome.dispatch_s),
        preemptions=pl.Series(outcome.preemptions).cast(pl.UInt32),
        **_cached(workload, outcome),
    )  # fmt: skip
    filled = filled.select(name for name in COLUMNS if name in filled.columns)
    filled = filled.sort("arrival_ns", "row_id")
    provenance = Provenance(
        reader="replay",
        options=options,
        t0_unix_ns=trace.provenance.t0_unix_ns,
        rows={"read": len(workload), "written": len(workload)},
        parents=[trace.provenance.to_dict()],
    )
    return Trace(filled.lazy(), provenance)


def _refuse_overflow(outcome: Outcome, run_id: str) -> None:
    """Refuse a replay whose end cannot be written in nanoseconds.

    Raises:
        DataError: a request ends later than any time that a trace can hold.
    """
    moments = np.concatenate([outcome.arrival_s, outcome.end_s, outcome.first_token_s])
    latest = float(np.max(moments, initial=0.0, where=~np.isnan(moments)))
    if latest > MOST_S:
        raise DataError(
            f"a request ends {seconds(latest)} after the start; a trace holds times up to "
            f"{seconds(MOST_S)}",
            where=run_id,
            fix="check the latency model, whose steps take too long, and the think times",
        )


def _cached(workload: Workload, outcome: Outcome) -> dict[str, pl.Series]:
    """Return the cached tokens as a column, if prefixes were cached at all."""
    if workload.block_size == 0:
        return {}
    return {"cached_tokens": pl.Series(outcome.cached_tokens).cast(pl.UInt32)}
