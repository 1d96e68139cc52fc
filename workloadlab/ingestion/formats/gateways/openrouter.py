"""Generations of OpenRouter: answers of its API, one a line, or rows of its export."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import choose, first, only, total
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["OPENROUTER", "OPENROUTER_ACTIVITY", "OPENROUTER_DATA"]

_CANCELLED = {"true": "cancelled", "1": "cancelled"}


def _columns(start: str) -> tuple[Column, ...]:
    """Native counts are the engine's; latency ends at the first token, generation_time follows it."""
    return (
        Column("arrival_ns", f"{start}created_at", DATETIME),
        Column("ttft_ns", only(f"{start}latency", f"{start}streamed", "true", "1"), "ms"),
        Column("e2e_ns", total(f"{start}latency", f"{start}generation_time"), "ms"),
        Column("input_tokens", first(f"{start}native_tokens_prompt", f"{start}tokens_prompt")),
        Column(
            "output_tokens", first(f"{start}native_tokens_completion", f"{start}tokens_completion")
        ),
        Column("cached_tokens", f"{start}native_tokens_cached"),
        Column("reasoning_tokens", f"{start}native_tokens_reasoning"),
        Column("request_id", first(f"{start}id", f"{start}generation_id")),
        Column("session_id", f"{start}session_id"),
        Column("client_id", f"{start}external_user"),
        Column("model", f"{start}model"),
        Column("streaming", f"{start}streamed"),
        Column("finish_reason", f"{start}finish_reason"),
        Column("outcome", choose(f"{start}cancelled", _CANCELLED, "ok")),
    )


OPENROUTER = Format(
    name="openrouter",
    title="OpenRouter generations, JSON lines, JSON or CSV",
    containers=("jsonl", "json", "csv"),
    keys=frozenset({"native_tokens_prompt", "native_tokens_completion", "created_at"}),
    also=(frozenset({"tokens_prompt", "tokens_completion", "created_at", "generation_time"}),),
    columns=_columns(""),
    clock="gateway",
)

OPENROUTER_DATA = Format(
    name="openrouter_data",
    title="answers of OpenRouter's generation API",
    containers=("jsonl", "json"),
    keys=frozenset({"data.native_tokens_prompt", "data.created_at"}),
    columns=_columns("data."),
    clock="gateway",
)

OPENROUTER_ACTIVITY = Format(
    name="openrouter_activity",
    title="activity export of OpenRouter, CSV",
    containers=("csv", "jsonl", "json"),
    keys=frozenset({"generation_time_ms", "time_to_first_token_ms", "tokens_prompt"}),
    columns=(
        Column("arrival_ns", "created_at", DATETIME),
        Column("ttft_ns", only("time_to_first_token_ms", "streamed", "true", "1"), "ms"),
        Column("e2e_ns", total("generation_time_ms", "time_to_first_token_ms"), "ms"),
        Column("input_tokens", "tokens_prompt"),
        Column("output_tokens", "tokens_completion"),
        Column("cached_tokens", "tokens_cached"),
        Column("reasoning_tokens", "tokens_reasoning"),
        Column("request_id", "generation_id"),
        Column("client_id", "user"),
        Column("tenant_id", "api_key_name"),
        Column("model", "model_permaslug"),
        Column("streaming", "streamed"),
        Column("finish_reason", "finish_reason_normalized"),
        Column("outcome", choose("cancelled", _CANCELLED, "ok")),
    ),
    clock="gateway",
)
