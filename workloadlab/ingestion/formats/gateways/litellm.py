"""LiteLLM: rows of its spend logs, and the payloads of its loggers."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import earlier, first, lacks, minus
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["LITELLM"]

_OTHER_CALLS = (
    "embedding", "aembedding", "image_generation", "aimage_generation", "moderation", "amoderation",
    "transcription", "atranscription", "speech", "aspeech", "rerank", "arerank",
)  # fmt: skip

LITELLM = Format(
    name="litellm",
    title="LiteLLM spend logs or logging payloads, JSON lines, JSON or CSV",
    containers=("jsonl", "json", "csv", "parquet"),
    keys=frozenset({"startTime", "endTime", "completionStartTime", "call_type", "prompt_tokens"}),
    also=(frozenset({"startTime", "endTime", "call_type", "prompt_tokens", "completion_tokens"}),),
    where=(lacks("call_type", *_OTHER_CALLS),),
    # completionStartTime is a moment; of an answer that did not stream it is the end
    columns=(
        Column("arrival_ns", "startTime", DATETIME),
        Column("e2e_ns", minus("endTime", "startTime"), DATETIME),
        Column("ttft_ns", minus(earlier("completionStartTime", "endTime"), "startTime"), DATETIME),
        Column("input_tokens", "prompt_tokens"),
        Column("output_tokens", "completion_tokens"),
        Column(
            "cached_tokens",
            first(
                "metadata.usage_object.prompt_tokens_details.cached_tokens",
                "metadata.usage_object.cache_read_input_tokens",
                "metadata.additional_usage_values.cache_read_input_tokens",
            ),
        ),
        Column(
            "reasoning_tokens",
            "metadata.usage_object.completion_tokens_details.reasoning_tokens",
        ),
        Column("max_tokens", "model_parameters.max_tokens"),
        Column("request_id", first("request_id", "id")),
        Column("session_id", "session_id"),
        Column("tenant_id", first("team_id", "metadata.user_api_key_team_id")),
        Column("client_id", first("end_user", "user", "metadata.user_api_key_user_id")),
        Column("model", "model"),
        Column("streaming", "stream"),
        Column("outcome", first("status", "metadata.status")),
    ),
    clock="gateway",
)
