"""Exports of Helicone."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import choose, first
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["HELICONE"]

_STATUS = {"-1": "error", "-2": "unfinished", "-3": "cancelled", "-4": "rejected"}

HELICONE = Format(
    name="helicone",
    title="Helicone export, JSON lines or CSV",
    containers=("jsonl", "json", "csv", "parquet"),
    keys=frozenset({"request_created_at", "latency", "prompt_tokens", "completion_tokens"}),
    also=(frozenset({"request_created_at", "delay_ms", "prompt_tokens"}),),
    # latency and time_to_first_token are milliseconds; 0 stands for an answer that did not stream
    columns=(
        Column("arrival_ns", "request_created_at", DATETIME),
        Column("e2e_ns", first("latency", "delay_ms"), "ms"),
        Column("ttft_ns", "time_to_first_token", "ms"),
        Column("input_tokens", "prompt_tokens"),
        Column("output_tokens", "completion_tokens"),
        Column("cached_tokens", "prompt_cache_read_tokens"),
        Column("reasoning_tokens", "reasoning_tokens"),
        Column("request_id", "request_id"),
        Column(
            "session_id",
            first("properties.Helicone-Session-Id", "request_properties.Helicone-Session-Id"),
        ),
        Column("client_id", first("user_id", "request_user_id")),
        Column("model", "model"),
        Column("outcome", choose(first("status", "response_status"), _STATUS)),
    ),
    clock="gateway",
)
