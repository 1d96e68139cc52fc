"""`output.jsonl` of the benchmark client of AIBrix, and the workload that it sends."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import first, minus

__all__ = ["AIBRIX", "AIBRIX_WORKLOAD"]

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

AIBRIX_WORKLOAD = Format(
    name="aibrix_workload",
    title="AIBrix workload, JSON lines: the requests of each tick",
    containers=("jsonl", "json"),
    # of a request in `requests`; `foreign`: of a request that stands alone
    keys=frozenset({"prompt", "prompt_length", "output_length"}),
    also=(frozenset({"prompt", "Prompt Length", "Output Length"}),),
    foreign=frozenset({"timestamp", "time", "ts", "arrival_time", "start_time", "created_at"}),
    columns=(
        Column("arrival_ns", "^.timestamp", "ms"),
        Column("input_tokens", first("prompt_length", "Prompt Length")),
        Column("output_tokens", first("output_length", "Output Length")),
        Column("session_id", "session_id"),
        Column("model", "model"),
    ),
    nullable=frozenset({"arrival_ns"}),
    clock="client",
)
