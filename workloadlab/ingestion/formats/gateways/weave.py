"""Calls of W&B Weave: those of a model's client; the calls around them sum up their usage."""

from workloadlab.ingestion.formats.failures import failure
from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import first, has, minus, total
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["WEAVE"]

_READ = "output.usage.cache_read_input_tokens"
_INPUT = first(
    "output.usage.prompt_tokens",
    total("output.usage.input_tokens", _READ, "output.usage.cache_creation_input_tokens"),
)

WEAVE = Format(
    name="weave",
    title="W&B Weave calls, JSON lines or JSON",
    containers=("jsonl", "json"),
    keys=frozenset({"op_name", "started_at", "ended_at", "trace_id"}),
    where=(has(first("output.usage.prompt_tokens", "output.usage.input_tokens")),),
    columns=(
        Column("arrival_ns", "started_at", DATETIME),
        Column("e2e_ns", minus("ended_at", "started_at"), DATETIME),
        Column("input_tokens", _INPUT),
        Column(
            "output_tokens",
            first("output.usage.completion_tokens", "output.usage.output_tokens"),
        ),
        Column(
            "cached_tokens",
            first(
                "output.usage.prompt_tokens_details.cached_tokens",
                "output.usage.input_tokens_details.cached_tokens",
                _READ,
            ),
        ),
        Column(
            "reasoning_tokens",
            first(
                "output.usage.completion_tokens_details.reasoning_tokens",
                "output.usage.output_tokens_details.reasoning_tokens",
            ),
        ),
        Column("request_id", "id"),
        Column("session_id", "thread_id"),
        Column("model", "output.model"),
        Column("outcome", failure("exception")),
    ),
    clock="client",
)
