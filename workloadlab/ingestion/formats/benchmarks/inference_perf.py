"""`per_request_lifecycle_metrics.json` of kubernetes-sigs/inference-perf."""

from workloadlab.ingestion.formats.failures import failure
from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import at, first, minus, moments

__all__ = ["INFERENCE_PERF"]

_TOKENS = first("info.response_metrics.output_token_times", "info.output_token_times")

INFERENCE_PERF = Format(
    name="inference_perf",
    title="inference-perf per-request metrics, JSON",
    containers=("json", "jsonl"),
    keys=frozenset({"scheduled_time", "start_time", "end_time", "request_data"}),
    also=(
        frozenset({"scheduled_time", "start_time", "end_time", "info.output_tokens"}),
        frozenset({"scheduled_time", "start_time", "end_time", "info.response_metrics"}),
    ),
    # all times are of one monotonic clock, in seconds
    columns=(
        Column("arrival_ns", "start_time", "s"),
        Column("e2e_ns", minus("end_time", "start_time"), "s"),
        Column("ttft_ns", minus(at(_TOKENS, 0), "start_time"), "s"),
        Column("token_offsets_ns", moments(_TOKENS, "start_time"), "s"),
        Column(
            "input_tokens", first("info.request_metrics.text.input_tokens", "info.input_tokens")
        ),
        Column("output_tokens", first("info.response_metrics.output_tokens", "info.output_tokens")),
        Column("session_id", "session_id"),
        Column("run_id", "stage_id"),
        Column("outcome", failure(first("error.error_type", "error"))),
    ),
    clock="client",
)
