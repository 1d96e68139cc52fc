"""`benchmarks.json` of GuideLLM: several benchmarks, each with its requests by how they ended."""

from workloadlab.ingestion.formats.engine_files import facts_of_guidellm
from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import first, minus
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["GUIDELLM", "GUIDELLM_REQUESTS"]

_TIMINGS, _OLDER = "info.timings.", "scheduler_info.request_timings."
_START = first(
    f"{_TIMINGS}request_start", "request_start_time", f"{_OLDER}request_start", "start_time"
)
_END = first(f"{_TIMINGS}request_end", "request_end_time", f"{_OLDER}request_end", "end_time")
_COLUMNS = (
    Column("arrival_ns", _START, DATETIME),
    Column("e2e_ns", minus(_END, _START), DATETIME),
    Column(
        "ttft_ns",
        minus(
            first(f"{_TIMINGS}first_token_iteration", f"{_TIMINGS}first_iteration",
                  f"{_OLDER}first_iteration", "first_token_time"),
            _START,
        ),
        DATETIME,
    ),
    Column(
        "last_token_ns",
        minus(
            first(f"{_TIMINGS}last_token_iteration", f"{_TIMINGS}last_iteration",
                  f"{_OLDER}last_iteration", "last_token_time"),
            _START,
        ),
        DATETIME,
    ),
    Column("input_tokens", first("prompt_tokens", "input_metrics.total_tokens",
                                 "input_metrics.text_tokens")),
    Column("output_tokens", first("output_tokens", "output_metrics.total_tokens",
                                  "output_metrics.text_tokens")),
    Column("cached_tokens", first("cached_tokens", "input_metrics.cached_tokens")),
    Column("request_id", "request_id"),
    Column("session_id", "info.conversation_id"),
    Column("turn", "info.turn_index"),
)  # fmt: skip

GUIDELLM = Format(
    name="guidellm",
    title="GuideLLM benchmarks, JSON",
    containers=("json", "jsonl"),
    keys=frozenset({"benchmarks"}),
    records="benchmarks[].requests.*[]",
    columns=(
        *_COLUMNS,
        Column("outcome", first("info.status", "scheduler_info.status", "^*.#")),
        Column("run_id", "^benchmarks.#"),
    ),
    system=facts_of_guidellm,
    clock="client",
)

GUIDELLM_REQUESTS = Format(
    name="guidellm_requests",
    title="requests of GuideLLM benchmarks, one a line",
    containers=("json", "jsonl"),
    keys=frozenset({"type_", "request_id", "prompt_tokens", "request_latency"}),
    columns=(*_COLUMNS, Column("outcome", "info.status")),
    clock="client",
)
