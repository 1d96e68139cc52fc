"""`individual_responses.json` of LLMPerf: lengths and latencies, no arrivals."""

from workloadlab.ingestion.formats.failures import failure
from workloadlab.ingestion.formats.format import Column, Format

__all__ = ["LLMPERF"]

LLMPERF = Format(
    name="llmperf",
    title="LLMPerf individual responses, JSON",
    containers=("json", "jsonl"),
    keys=frozenset({"number_input_tokens", "number_output_tokens", "end_to_end_latency_s"}),
    columns=(
        Column("input_tokens", "number_input_tokens"),
        Column("output_tokens", "number_output_tokens"),
        Column("ttft_ns", "ttft_s", "s"),
        Column("e2e_ns", "end_to_end_latency_s", "s"),
        Column("outcome", failure("error_code")),
    ),
    nullable=frozenset({"arrival_ns"}),
    clock="client",
)
