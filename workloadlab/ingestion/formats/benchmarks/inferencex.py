"""`detailed_results.csv` of InferenceX's trace replay: agentic sessions of simulated users."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import choose, moments

__all__ = ["INFERENCEX"]

INFERENCEX = Format(
    name="inferencex",
    title="InferenceX trace replay, one row per request",
    containers=("csv", "parquet"),
    keys=frozenset(
        {"user_id", "request_idx", "ttlt", "output_tokens_actual", "request_start_time", "success"}
    ),
    # Not read: delay_actual, which is 0 whatever the pause was, and the hits and misses of the cache,
    # which the client's model of the cache made. A request that the end cut off has success false.
    columns=(
        Column("arrival_ns", "request_start_time", "s"),
        Column("input_tokens", "input_tokens"),
        Column("output_tokens", "output_tokens_actual"),
        Column("ttft_ns", "ttft", "s"),
        Column("e2e_ns", "ttlt", "s"),
        Column("token_offsets_ns", moments("token_timestamps", "request_start_time"), "s"),
        Column("run_id", "run"),
        Column("session_id", "user_id"),
        Column("turn", "request_idx"),
        Column("outcome", "success"),
        Column(
            "streaming", choose("request_type", {"streaming": "true", "non_streaming": "false"})
        ),
    ),
    clock="client",
)
