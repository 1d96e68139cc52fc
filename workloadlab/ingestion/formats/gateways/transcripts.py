"""Transcripts of coding agents: Claude Code and Codex."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import choose, first, has, joined, lacks, total
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["CLAUDE_CODE", "CODEX"]

_USAGE = "message.usage."
_LAST = "payload.info.last_token_usage."
_SUM = "payload.info.total_token_usage."

CLAUDE_CODE = Format(
    name="claude_code",
    title="Claude Code transcript, JSON lines",
    containers=("jsonl",),
    keys=frozenset({"type", "sessionId", f"{_USAGE}output_tokens"}),
    where=(has("type", "assistant"), lacks("message.model", "<synthetic>")),
    # several lines repeat the usage of one request; what was read from the cache is counted apart
    columns=(
        Column("arrival_ns", "timestamp", DATETIME),
        Column(
            "input_tokens",
            total(f"{_USAGE}input_tokens", f"{_USAGE}cache_read_input_tokens",
                  f"{_USAGE}cache_creation_input_tokens"),
        ),
        Column("output_tokens", f"{_USAGE}output_tokens"),
        Column("cached_tokens", f"{_USAGE}cache_read_input_tokens"),
        Column("request_id", first("requestId", "message.id", "uuid")),
        Column("session_id", "sessionId"),
        Column("model", "message.model"),
        Column("finish_reason", "message.stop_reason"),
        Column("task", choose("isSidechain", {"true": "sidechain"}, "main")),
    ),
    merge_by="request_id",
    note="an arrival is when the first part of the answer was written down, a little after the request",
)  # fmt: skip

CODEX = Format(
    name="codex",
    title="Codex transcript, JSON lines",
    containers=("jsonl",),
    keys=frozenset({"timestamp", "type", "payload.type", f"{_LAST}output_tokens"}),
    where=(has("payload.type", "token_count"), has(f"{_LAST}input_tokens")),
    columns=(
        Column("arrival_ns", "timestamp", DATETIME),
        Column("input_tokens", f"{_LAST}input_tokens"),
        Column("output_tokens", f"{_LAST}output_tokens"),
        Column("cached_tokens", f"{_LAST}cached_input_tokens"),
        Column("reasoning_tokens", f"{_LAST}reasoning_output_tokens"),
        # a usage is written down again whenever the limits of the account change; its sums stay
        Column("request_id", joined(f"{_SUM}input_tokens", f"{_SUM}output_tokens",
                                    f"{_LAST}input_tokens", f"{_LAST}output_tokens")),
    ),
    merge_by="request_id",
    neighbours=True,
    note="an arrival is when the usage was written down, after the answer",
)  # fmt: skip
