"""`detailed_results.csv` of InferenceX's trace replay: agentic sessions of simulated users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.ingestion.formats.format import Column, Format

if TYPE_CHECKING:
    import polars as pl

    from workloadlab.ingestion.inspect import Head

__all__ = ["INFERENCEX"]


def _read(head: Head) -> tuple[Column, ...]:  # noqa: ARG001
    """Read epoch seconds; a request that the end of the test cut off has `success` false.

    Not read: `delay_actual`, which is 0 whatever the pause was, and the hits and misses of the cache,
    which the client's model of the cache made.
    """
    return (
        Column("arrival_ns", "request_start_time", "s"),
        Column("input_tokens", "input_tokens"),
        Column("output_tokens", "output_tokens_actual"),
        Column("ttft_ns", "ttft", "s"),
        Column("e2e_ns", "ttlt", "s"),
        Column("run_id", "run"),
        Column("session_id", "user_id"),
        Column("turn", "request_idx"),
        Column("outcome", "success"),
        Column("streaming", "request_type", reading=_is_streaming),
    )


def _is_streaming(kind: pl.Series) -> pl.Series:
    return kind.replace({"streaming": "true", "non_streaming": "false"})


INFERENCEX = Format(
    name="inferencex",
    title="InferenceX trace replay, one row per request",
    containers=("csv", "parquet"),
    keys=frozenset(
        {"user_id", "request_idx", "ttlt", "output_tokens_actual", "request_start_time", "success"}
    ),
    read=_read,
)
