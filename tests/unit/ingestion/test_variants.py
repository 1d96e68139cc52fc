"""Logs as the tools write them today, or wrote them once: what a format's one log does not show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support.logs import MS, T0, S, lines, otlp

import workloadlab as wl

if TYPE_CHECKING:
    from pathlib import Path

AT = "2026-09-21T14:13:2{}Z"


def bedrock(n: int, **more: Any) -> dict[str, Any]:
    chunks = [{"type": "message_start"}, {"amazon-bedrock-invocationMetrics": {
        "invocationLatency": 1234, "firstByteLatency": 456}}]  # fmt: skip
    return {"schemaType": "ModelInvocationLog", "timestamp": AT.format(n), "requestId": "r",
            "operation": "InvokeModelWithResponseStream", "modelId": "m",
            "input": {"inputTokenCount": 20},
            "output": {"outputTokenCount": 9, "outputBodyJson": chunks}, **more}  # fmt: skip


def aiperf(n: int, error: Any) -> dict[str, Any]:
    return {"metadata": {"request_start_ns": T0 + n * S, "request_end_ns": T0 + n * S + MS},
            "metrics": {"error_isl": {"value": 5, "unit": "tokens"}}, "error": error}  # fmt: skip


def claude(n: int, model: str, usage: int) -> dict[str, Any]:
    return {"type": "assistant", "timestamp": AT.format(n), "sessionId": "s", "uuid": f"u{n}",
            "message": {"model": model, "usage": {
                "input_tokens": usage, "output_tokens": usage}}}  # fmt: skip


def codex(n: int, whole: int, last: int) -> dict[str, Any]:
    def usage(tokens: int) -> dict[str, int]:
        return {"input_tokens": tokens, "output_tokens": 9}

    return {"timestamp": AT.format(n), "type": "event_msg", "payload": {"type": "token_count", "info": {
        "total_token_usage": usage(whole), "last_token_usage": usage(last)}}}  # fmt: skip


OPENROUTER = (
    "generation_id,created_at,tokens_prompt,tokens_completion,tokens_reasoning,tokens_cached,"
    "model_permaslug,cancelled,streamed,user,generation_time_ms,time_to_first_token_ms\n"
    "a,2026-09-21 14:13:20.123,100,50,10,64,a/m,false,true,u,2000,500\n"
    "b,2026-09-21 14:13:21.123,90,5,0,0,a/m,true,true,u,900,300\n"
    "c,2026-09-21 14:13:22.123,80,40,0,0,a/m,false,false,u,1000,\n"
)
GUIDE = {"type_": "generative_request_stats", "request_id": "g", "prompt_tokens": 128,
         "output_tokens": 20, "request_latency": 1.5, "scheduler_info": {
             "status": "completed", "request_timings": {
                 "request_start": 1790000000.0, "first_iteration": 1790000000.25,
                 "last_iteration": 1790000001.0, "request_end": 1790000001.5}}}  # fmt: skip
ENVOY = {"start_time": AT.format(0), "duration": 1526, "response_code": 200, "response_flags": "-",
         "genai_model_name": "m", "genai_tokens_input": 15, "genai_tokens_output": 7}  # fmt: skip
HELICONE = {"request_id": "a", "request_created_at": "2026-09-21 14:13:20.000", "response_status": -3,
            "delay_ms": 1800, "time_to_first_token": 300, "prompt_tokens": 100, "request_user_id": "u",
            "completion_tokens": 20, "request_properties": {"Helicone-Session-Id": "s"}}  # fmt: skip
OLD_PERF = [{"scheduled_time": 1.0, "start_time": 2.0, "end_time": 3.0, "request": "{}", "error": None,
             "info": {"input_tokens": 591, "output_tokens": 140,
                      "output_token_times": [2.25, 2.5]}}]  # fmt: skip
SPAN = {"context": {"trace_id": "t", "span_id": "a"}, "start_time": AT.format(0),
        "end_time": AT.format(2), "attributes": {
            "gen_ai.usage.input_tokens": 7, "gen_ai.response.finish_reasons": ["stop"]}}  # fmt: skip
GEMINI = {"timestamp": AT.format(0), "usageMetadata": {
    "promptTokenCount": 100, "candidatesTokenCount": 50, "thoughtsTokenCount": 30,
    "cachedContentTokenCount": 10}}  # fmt: skip
ANTHROPIC = {"ts": AT.format(0), "usage": {"input_tokens": 10, "cache_read_input_tokens": 90,
                                           "output_tokens": 50}}  # fmt: skip
OTEL_TABLE = {"start_time": AT.format(0), "gen_ai.usage.input_tokens": 100,
              "gen_ai.usage.cache_read_input_tokens": 90, "gen_ai.usage.output_tokens": 5}  # fmt: skip
OLLAMA = {"model": "m", "created_at": AT.format(0), "total_duration": 1_500_000_000,
          "prompt_eval_count": 26, "eval_count": 290}  # fmt: skip
PLAIN = {"start_time": AT.format(0), "prompt_tokens": 7, "completion_tokens": 3}

LANGFUSE = {"id": "o", "type": "GENERATION", "startTime": AT.format(0), "endTime": None,
            "completionStartTime": None, "usageDetails": {"input": 7, "output": 3}}  # fmt: skip
EXPORTED = otlp({"id": "a", "at": 0, "attributes": {"gen_ai.usage.input_tokens": 7}})
KONG = {"latencies": {"request": 900}, "ai": {"proxy": {"usage": {"prompt_tokens": 3}}}}

VARIANTS: dict[str, tuple[str, dict[str, list[Any]]]] = {
    "bedrock_streams": (
        lines(bedrock(0), bedrock(1, errorCode="ThrottlingException", output={})),
        {"ttft_ns": [456 * MS, None], "e2e_ns": [1_234 * MS, None], "outcome": ["ok", "rejected"]},
    ),
    "openrouter_activity": (
        OPENROUTER,
        {"ttft_ns": [500 * MS, 300 * MS, None], "e2e_ns": [2_500 * MS, 1_200 * MS, S],
         "outcome": ["ok", "cancelled", "ok"], "streaming": [True, True, False]},
    ),
    "guidellm_scheduler_info": (
        json.dumps({"benchmarks": [{"requests": {"successful": [GUIDE]}}]}),
        {"ttft_ns": [250 * MS], "e2e_ns": [1_500 * MS], "last_token_ns": [S], "outcome": ["ok"]},
    ),
    "envoy_ai_gateway_of_the_docs": (
        lines(ENVOY), {"input_tokens": [15], "output_tokens": [7], "model": ["m"]}
    ),
    "envoy_of_clients_that_left": (
        lines(ENVOY | {"response_flags": "UT,URX", "response_code": 504},
              ENVOY | {"start_time": AT.format(1), "response_code": 0}),
        {"outcome": ["timeout", "cancelled"]},
    ),
    "kong_in_seconds": (
        lines(KONG | {"started_at": 1790000000}, KONG | {"started_at": 1790000001}),
        {"arrival_ns": [0, S], "e2e_ns": [900 * MS, 900 * MS]},
    ),
    "langfuse_updates": (lines(LANGFUSE, LANGFUSE | {"endTime": AT.format(2)}), {"e2e_ns": [2 * S]}),
    "otlp_exported_again": (EXPORTED * 2, {"input_tokens": [7]}),
    "tempo_trace": (json.dumps({"trace": json.loads(EXPORTED)}), {"e2e_ns": [2 * S]}),
    "words_before_the_json": (
        "starting\nlistening on :8080\n" + 3 * lines(PLAIN), {"input_tokens": [7, 7, 7]}
    ),
    "an_end_years_later": (
        lines(*(PLAIN | {"latency_ms": ms} for ms in (5, 99_999_999_999, 7, 9, 8))),
        {"e2e_ns": [5 * MS, None, 7 * MS, 9 * MS, 8 * MS]},
    ),
    "helicone_query": (
        json.dumps({"data": [HELICONE], "error": None}),
        {"e2e_ns": [1_800 * MS], "outcome": ["cancelled"], "session_id": ["s0"], "client_id": ["c0"]},
    ),
    "inference_perf_of_2025": (
        json.dumps(OLD_PERF), {"ttft_ns": [250 * MS], "input_tokens": [591], "e2e_ns": [S]}
    ),
    "otel_finish_reasons": (lines(SPAN), {"finish_reason": ["stop"]}),
    "aiperf_errors": (
        lines(aiperf(0, {"code": 429}), aiperf(1, {"code": None, "type": "TimeoutError"}),
              aiperf(2, {"code": 499}), aiperf(3, {"type": "HTTPError"})),
        {"outcome": ["rejected", "timeout", "cancelled", "error"]},
    ),
    "claude_code_errors_are_no_requests": (
        lines(claude(0, "m", 5), claude(1, "<synthetic>", 0)), {"input_tokens": [5]}
    ),
    "codex_repeats": (
        lines(codex(0, 50, 50), codex(1, 50, 50), codex(2, 110, 60)), {"input_tokens": [50, 60]}
    ),
    "gemini": (lines(GEMINI), {"output_tokens": [80], "reasoning_tokens": [30], "cached_tokens": [10]}),
    "anthropic_without_writes": (lines(ANTHROPIC), {"input_tokens": [100], "cached_tokens": [90]}),
    "otel_in_a_table_has_all_in_it": (lines(OTEL_TABLE), {"input_tokens": [100]}),
    "ollama": (lines(OLLAMA), {"input_tokens": [26], "e2e_ns": [1_500 * MS]}),
    "an_error_or_none": (
        lines(PLAIN | {"error": None}, PLAIN | {"error": "boom"}, PLAIN | {"error": "RateLimitError"}),
        {"outcome": ["ok", "error", "rejected"]},
    ),
    "a_switch_that_says_cancelled": (
        lines(PLAIN | {"cancelled": True, "status": 200}, PLAIN | {"cancelled": False, "status": 500}),
        {"outcome": ["cancelled", "error"]},
    ),
    "only_a_switch": (
        lines(PLAIN | {"was_cancelled": True}, PLAIN | {"was_cancelled": False}),
        {"outcome": ["cancelled", "ok"]},
    ),
    "success_as_a_number": (
        lines(PLAIN | {"success": 1}, PLAIN | {"success": 0}), {"outcome": ["ok", "error"]}
    ),
}  # fmt: skip


def test_hours_without_requests_are_read_beside_others(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_text(lines(LANGFUSE | {"type": "SPAN", "usageDetails": {}}))
    with pytest.raises(wl.WorkloadlabError, match="has no row that is a request"):
        wl.ingest(tmp_path / "1.jsonl")
    (tmp_path / "2.jsonl").write_text(lines(LANGFUSE))
    trace = wl.ingest(tmp_path)
    assert trace.provenance.rows["left_out"] == {"type is not GENERATION": 1}
    assert trace.requests == 1


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_read(name: str, tmp_path: Path) -> None:
    text, columns = VARIANTS[name]
    log = tmp_path / "log"
    log.write_text(text)
    frame = wl.ingest(log).frame.collect()
    assert {column: frame[column].to_list() for column in columns} == columns
