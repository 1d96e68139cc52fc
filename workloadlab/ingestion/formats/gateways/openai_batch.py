"""Output files of OpenAI's batch API: lengths only, for a batch has no arrivals."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import first

__all__ = ["OPENAI_BATCH"]

_USAGE = "response.body.usage."

OPENAI_BATCH = Format(
    name="openai_batch",
    title="OpenAI batch output, JSON lines",
    containers=("jsonl",),
    keys=frozenset({"custom_id", "response.status_code"}),
    columns=(
        Column("input_tokens", first(f"{_USAGE}prompt_tokens", f"{_USAGE}input_tokens")),
        Column("output_tokens", first(f"{_USAGE}completion_tokens", f"{_USAGE}output_tokens")),
        Column(
            "cached_tokens",
            first(f"{_USAGE}prompt_tokens_details.cached_tokens",
                  f"{_USAGE}input_tokens_details.cached_tokens"),
        ),
        Column(
            "reasoning_tokens",
            first(f"{_USAGE}completion_tokens_details.reasoning_tokens",
                  f"{_USAGE}output_tokens_details.reasoning_tokens"),
        ),
        Column("model", "response.body.model"),
        Column("outcome", "response.status_code"),
    ),
    nullable=frozenset({"arrival_ns"}),
    note="a batch runs when there is room, so its requests have no arrivals",
)  # fmt: skip
