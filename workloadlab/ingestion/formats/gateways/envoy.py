"""Access logs of Envoy and what is built on it: Envoy AI Gateway, Istio, Higress."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import at, choose, first, only

__all__ = ["ENVOY"]

_FLAGS = {"DC": "cancelled", "DI": "cancelled", "UT": "timeout", "SI": "timeout", "RL": "rejected"}

_FLAG = at("response_flags", 0)

ENVOY = Format(
    name="envoy",
    title="access log of Envoy, Istio, Higress or Envoy AI Gateway, JSON lines",
    containers=("jsonl", "json"),
    keys=frozenset({"start_time", "duration", "response_code"}),
    # durations are milliseconds, whoever configured the log
    columns=(
        Column("arrival_ns", "start_time"),
        Column("e2e_ns", "duration", "ms"),
        Column(
            "ttft_ns",
            first("ai_log.llm_first_token_duration", "llm_first_token_duration",
                  "token_latency_ttft", "gen_ai.server.time_to_first_token"),
            "ms",
        ),
        Column(
            "input_tokens",
            first("gen_ai.usage.input_tokens", "input_token", "ai_log.input_token",
                  "llm_input_token", "genai_tokens_input", "input_tokens", "prompt_tokens"),
        ),
        Column(
            "output_tokens",
            first("gen_ai.usage.output_tokens", "output_token", "ai_log.output_token",
                  "llm_output_token", "genai_tokens_output", "output_tokens", "completion_tokens"),
        ),
        Column(
            "cached_tokens",
            first("gen_ai.usage.cached_input_tokens", "gen_ai.usage.cache_read.input_tokens",
                  "llm_cached_input_token", "cached_tokens"),
        ),
        Column("reasoning_tokens", first("gen_ai.usage.reasoning_tokens", "llm_reasoning_token")),
        Column("request_id", first("x-request-id", "request_id", "x_request_id")),
        Column("session_id", first("session.id", "session_id", "ai_log.session_id")),
        Column(
            "model",
            first("gen_ai.response.model", "gen_ai.request.model", "genai_model_name_override",
                  "genai_model_name", "model", "ai_log.model"),
        ),
        Column("instance_id", first("upstream_host", "upstream_address")),
        Column(
            "outcome",
            first(only(choose(_FLAG, _FLAGS), _FLAG, *_FLAGS),
                  choose("response_code", {"0": "cancelled"})),
        ),
    ),
    clock="gateway",
)  # fmt: skip
