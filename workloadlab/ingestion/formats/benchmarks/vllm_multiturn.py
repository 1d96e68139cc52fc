"""Client records of vLLM's multi-turn benchmark: conversations by clients that wait for answers."""

from __future__ import annotations

import polars as pl

from workloadlab.ingestion.formats.format import Column, Format

__all__ = ["VLLM_MULTITURN"]


def _turns(messages: pl.Series) -> pl.Series:
    """Turn 0 has one message in its prompt; each turn adds the answer and the next question."""
    number = messages.cast(pl.Int64, strict=False)
    turn = ((number - 1) // 2).cast(pl.String)
    return pl.select(pl.coalesce(turn, messages)).to_series()


VLLM_MULTITURN = Format(
    name="vllm_multiturn",
    title="vLLM multi-turn benchmark, one row per request",
    containers=("csv", "parquet"),
    keys=frozenset(
        {"start_time_ms", "ttft_ms", "latency_ms", "input_num_turns", "input_num_tokens",
         "output_num_tokens"}
    ),
    # Counted from start_time_ms, a monotonic clock. Lengths are of the messages' text: what the chat
    # template adds is not counted. approx_cached_percent is what the client expects: not read.
    columns=(
        Column("arrival_ns", "start_time_ms", "ms"),
        Column("input_tokens", "input_num_tokens"),
        Column("output_tokens", "output_num_tokens"),
        Column("ttft_ns", "ttft_ms", "ms"),
        Column("e2e_ns", "latency_ms", "ms"),
        Column("session_id", "conversation_id"),
        Column("turn", "input_num_turns", reading=_turns),
        Column("client_id", "client_id"),
    ),
    clock="client",
)  # fmt: skip
