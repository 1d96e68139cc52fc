"""`output.jsonl` of the benchmark client of AIBrix."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import minus

__all__ = ["AIBRIX"]

AIBRIX = Format(
    name="aibrix",
    title="AIBrix benchmark client, JSON lines",
    containers=("jsonl", "json"),
    keys=frozenset({"status", "prompt_tokens", "output_tokens", "start_time", "end_time", "target_pod"}),
    # start_time and end_time are of the client's event loop, a monotonic clock
    columns=(
        Column("arrival_ns", "start_time", "s"),
        Column("input_tokens", "prompt_tokens"),
        Column("output_tokens", "output_tokens"),
        Column("ttft_ns", "ttft", "s"),
        Column("e2e_ns", minus("end_time", "start_time"), "s"),
        Column("request_id", "request_id"),
        Column("session_id", "session_id"),
        Column("outcome", "status"),
        Column("instance_id", "target_pod"),
    ),
    clock="client",
)  # fmt: skip
