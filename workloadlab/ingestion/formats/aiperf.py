"""AIPerf's `profile_export.jsonl`: one record per request, every metric with its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError
from workloadlab.ingestion.formats.format import Column, Format

if TYPE_CHECKING:
    from workloadlab.ingestion.inspect import Head

__all__ = ["AIPERF"]

_UNITS = {"s": "s", "sec": "s", "ms": "ms", "us": "us", "ns": "ns"}
_CANCELLED = "499"


def _read(head: Head) -> tuple[Column, ...]:
    """Count from when the request was sent.

    A session is a correlation id: `conversation_id` is a row of the data set, which may be played
    more than once. `output_sequence_length` includes reasoning.
    """
    return (
        Column("arrival_ns", "metadata.request_start_ns", "ns"),
        Column("input_tokens", "metrics.input_sequence_length.value"),
        Column("output_tokens", "metrics.output_sequence_length.value"),
        Column("reasoning_tokens", "metrics.reasoning_token_count.value"),
        Column("ttft_ns", "metrics.time_to_first_token.value", _unit(head, "time_to_first_token")),
        Column("e2e_ns", "metrics.request_latency.value", _unit(head, "request_latency")),
        Column("request_id", "metadata.x_request_id"),
        Column("session_id", "metadata.x_correlation_id"),
        Column("turn", "metadata.turn_index"),
        Column("outcome", "error.code", reading=_outcome),
        Column("warmup", "metadata.benchmark_phase", reading=_is_warmup),
    )


def _unit(head: Head, metric: str) -> str:
    units = sorted(set(head.samples.get(f"metrics.{metric}.unit", ["ms"])))
    if len(units) > 1 or units[0] not in _UNITS:
        raise DataError(
            f"gives {metric} in {' and '.join(units)}",
            where=str(head.path),
            fix=f"export it in one of {', '.join(_UNITS)}",
        )
    return _UNITS[units[0]]


def _outcome(code: pl.Series) -> pl.Series:
    """Without an error all went well; 499 is what AIPerf gives a request that it cancelled."""
    return pl.select(
        pl.when(code.is_null())
        .then(pl.lit("ok"))
        .when(code == _CANCELLED)
        .then(pl.lit("cancelled"))
        .otherwise(pl.lit("error"))
    ).to_series()


def _is_warmup(phase: pl.Series) -> pl.Series:
    return phase.replace({"warmup": "true", "profiling": "false"})


AIPERF = Format(
    name="aiperf",
    title="AIPerf profile export, JSON lines",
    containers=("jsonl",),
    keys=frozenset(
        {"metadata.request_start_ns", "metadata.x_correlation_id", "metadata.benchmark_phase"}
    ),
    read=_read,
)
