"""What a trace says of a request before it is served, as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloadlab.trace import Trace

    Floats = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["FEATURES", "PARTIES", "encodings_of", "features_of", "for_fitting"]

PARTIES = ("model", "task", "tenant_id", "client_id", "slo_class")
"""Columns of names; each becomes the mean output of that name in training."""

HISTORY = ("session_id", "client_id")
"""Whose earlier outputs tell: the last one and the mean of all, as they were sent."""

FEATURES = (
    "input_tokens",
    "hour",
    "turn",
    *PARTIES,
    *(f"{what}_of_{who}" for who in HISTORY for what in ("last", "mean")),
)

_PRIOR = 20.0
"""Requests of a name at which its mean counts as much as that of all."""

_DAY_NS, _HOUR_NS = 86_400_000_000_000, 3_600_000_000_000


def encodings_of(trace: Trace) -> dict[str, dict[str, float]]:
    """Return by column the mean output tokens of each name; a rare one is drawn to that of all."""
    frame = trace.read(*PARTIES, "output_tokens").drop_nulls("output_tokens")
    overall = float(frame["output_tokens"].mean() or 0.0)  # type: ignore[arg-type]
    found = {}
    for name in PARTIES:
        groups = (
            frame.drop_nulls(name)
            .group_by(name)
            .agg(count=pl.len(), total=pl.col("output_tokens").cast(pl.Float64).sum())
            .sort(name)
        )
        means = (groups["total"] + _PRIOR * overall) / (groups["count"] + _PRIOR)
        found[name] = dict(zip(groups[name].cast(pl.String), means.round(3), strict=True))
    return found


def features_of(trace: Trace, encodings: Mapping[str, Mapping[str, float]]) -> Floats:
    """Return the features of every request, (requests, features); NaN where nothing is recorded.

    The earlier outputs of a session or client are those of its requests above in the trace.
    """
    frame = trace.read(
        "arrival_ns", "input_tokens", "output_tokens", "turn", "session_id", *PARTIES
    )
    unix = pl.col("arrival_ns") + (trace.provenance.t0_unix_ns or 0)
    output = pl.col("output_tokens").cast(pl.Float64)
    columns = [
        pl.col("input_tokens").cast(pl.Float64),
        (unix % _DAY_NS / _HOUR_NS).alias("hour"),
        pl.col("turn").cast(pl.Float64),
    ]
    columns += [
        pl.col(name).cast(pl.String).replace_strict(
            dict(encodings.get(name, {})), default=None, return_dtype=pl.Float64
        )
        for name in PARTIES
    ]  # fmt: skip
    for who in HISTORY:
        known = pl.col(who).is_not_null()
        before = output.cum_sum().shift(1).over(who) / output.is_not_null().cum_sum().shift(1).over(
            who
        )
        columns += [
            pl.when(known).then(output.shift(1).over(who)).alias(f"last_of_{who}"),
            pl.when(known).then(before).alias(f"mean_of_{who}"),
        ]
    numbers: Floats = frame.select(columns).to_numpy().astype(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def for_fitting(inputs: Floats) -> Floats:
    """Return features with 0 in the columns that nothing records, which a fit cannot bin."""
    recorded = np.isfinite(inputs).any(axis=0)
    return np.where(recorded, inputs, 0.0)
