"""Per-request records of real vLLM runs as LLMServingSim's benchmark writes them."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

from workloadlab.errors import DataError
from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.trace import engine_facts

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.ingestion.inspect import Head

__all__ = ["LLMSERVINGSIM"]

META = "meta.json"
_SECTIONS = ("engine_kwargs", "kv_cache", "hardware")
"""Parts of the file: asked of the engine and, since it is written down, found by it."""


def _read(head: Head) -> tuple[Column, ...]:  # noqa: ARG001
    """Count from `queued_ts`: `arrival_time` is another clock and must not be subtracted from."""
    queued = "queued_ts"
    return (
        Column("arrival_ns", queued, "s"),
        Column("input_tokens", "input_toks"),
        Column("output_tokens", "output_toks"),
        Column("request_id", "request_id"),
        Column("queue_ns", "scheduled_ts", "s", since=queued),
        Column("ttft_ns", "first_token_ts", "s", since=queued),
        Column("last_token_ns", "last_token_ts", "s", since=queued),
        Column("e2e_ns", "last_token_ts", "s", since=queued),
    )


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
    read=_read,
    system=_system,
)
