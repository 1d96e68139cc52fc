"""Per-request records of real vLLM runs as LLMServingSim's benchmark writes them."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

from workloadlab.errors import DataError
from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import minus
from workloadlab.trace import engine_facts

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LLMSERVINGSIM", "SESSIONS", "WORKLOAD"]

META = "meta.json"
_SECTIONS = ("engine_kwargs", "kv_cache", "hardware")
"""Parts of the file: asked of the engine and, since it is written down, found by it."""


def _system(log: Path) -> dict[str, Any]:
    """Read what the run's meta.json says about the engine; {} where there is none."""
    meta = log.with_name(META)
    if not meta.is_file():
        return {}
    try:
        facts = json.loads(meta.read_text("utf-8"))
        parts = [facts.get(section, {}).items() for section in _SECTIONS]
        named = {"engine": "vllm", **dict(chain.from_iterable(parts)), **facts}
    except (ValueError, AttributeError, OSError) as error:
        raise DataError(
            "is damaged, though it should describe the run",
            where=str(meta),
            fix="mend it or move it away",
        ) from error
    return engine_facts(named, where=str(meta))


LLMSERVINGSIM = Format(
    name="llmservingsim",
    title="vLLM benchmark requests of LLMServingSim, JSON lines",
    containers=("jsonl",),
    keys=frozenset({"input_toks", "output_toks", "queued_ts"}),
    # Counted from queued_ts: arrival_time is another clock and must not be subtracted from.
    columns=(
        Column("arrival_ns", "queued_ts", "s"),
        Column("input_tokens", "input_toks"),
        Column("output_tokens", "output_toks"),
        Column("request_id", "request_id"),
        Column("queue_ns", minus("scheduled_ts", "queued_ts"), "s"),
        Column("ttft_ns", minus("first_token_ts", "queued_ts"), "s"),
        Column("last_token_ns", minus("last_token_ts", "queued_ts"), "s"),
        Column("e2e_ns", minus("last_token_ts", "queued_ts"), "s"),
    ),
    system=_system,
    clock="engine",
)

WORKLOAD = Format(
    name="llmservingsim_workload",
    title="LLMServingSim workload, JSON lines",
    containers=("jsonl",),
    keys=frozenset({"input_toks", "output_toks", "arrival_time_ns"}),
    columns=(
        Column("arrival_ns", "arrival_time_ns", "ns"),
        Column("input_tokens", "input_toks"),
        Column("output_tokens", "output_toks"),
    ),
)

SESSIONS = Format(
    name="llmservingsim_sessions",
    title="LLMServingSim workload of sessions, JSON lines",
    containers=("jsonl",),
    keys=frozenset({"session_id", "arrival_time_ns", "sub_requests"}),
    records="sub_requests[]",
    columns=(
        Column("input_tokens", "input_toks"),
        Column("output_tokens", "output_toks"),
        Column("session_id", "^.session_id"),
        Column("think_ns", "tool_duration_ns", "ns"),
    ),
    nullable=frozenset({"arrival_ns"}),
    note="only the start of each session is recorded, so the requests have no arrivals",
)
