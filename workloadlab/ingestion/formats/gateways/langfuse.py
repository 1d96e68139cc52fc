"""Observations of Langfuse, of its interface, its blob exports and its tables."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import (
    First,
    apart,
    choose,
    earlier,
    first,
    has,
    minus,
    total,
)
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["LANGFUSE"]


def _usage(*names: str) -> First:
    """Return a count by any of its names, in the details of either spelling, or in the older usage."""
    return First(
        tuple(f"{where}.{name}" for name in names for where in ("usage_details", "usageDetails"))
    )


_START = first("start_time", "startTime")
_END = first("end_time", "endTime")
_FIRST_TOKEN = first("completion_start_time", "completionStartTime")
_READ = _usage("input_cached_tokens", "cache_read_input_tokens", "input_cache_read")
_WRITTEN = _usage("cache_creation_input_tokens", "input_cache_creation")
_REASONING = _usage("output_reasoning_tokens", "reasoning_tokens", "output_reasoning")
_INPUT = first(_usage("input", "prompt_tokens"), "usage.input", "usage.promptTokens", "promptTokens",
               "prompt_tokens", "input_tokens", "inputUsage")  # fmt: skip
_OUTPUT = first(_usage("output", "completion_tokens"), "usage.output", "usage.completionTokens",
                "completionTokens", "completion_tokens", "output_tokens", "outputUsage")  # fmt: skip
_TOTAL = first(_usage("total"), "usage.total", "totalTokens", "total_tokens")

LANGFUSE = Format(
    name="langfuse",
    title="Langfuse observations, JSON lines, JSON, CSV or Parquet",
    containers=("jsonl", "json", "csv", "parquet"),
    keys=frozenset({"type", "start_time", "end_time", "completion_start_time"}),
    also=(
        frozenset({"type", "startTime", "endTime", "completionStartTime"}),
        frozenset({"type", "startTime", "endTime", "traceId"}),
        frozenset({"type", "start_time", "end_time", "trace_id"}),
    ),
    where=(has("type", "GENERATION"), has(_INPUT)),
    # parts of the usage are counted apart, unless input and output make the total without them
    columns=(
        Column("arrival_ns", _START, DATETIME),
        Column("e2e_ns", minus(_END, _START), DATETIME),
        Column("ttft_ns", minus(earlier(_FIRST_TOKEN, _END), _START), DATETIME),
        Column("input_tokens", apart(_INPUT, _READ, _WRITTEN, other=_OUTPUT, whole=_TOTAL)),
        Column(
            "output_tokens",
            apart(_OUTPUT, _REASONING, other=total(_INPUT, _READ, _WRITTEN), whole=_TOTAL),
        ),
        Column("cached_tokens", _READ),
        Column("reasoning_tokens", _REASONING),
        Column("request_id", "id"),
        Column("session_id", first("session_id", "sessionId")),
        Column("client_id", first("user_id", "userId")),
        Column("model", first("provided_model_name", "providedModelName", "model")),
        Column("outcome", choose("level", {"ERROR": "error"}, "ok")),
    ),
    merge_by="request_id",  # an observation is written again when it is updated
    clock="client",
)
