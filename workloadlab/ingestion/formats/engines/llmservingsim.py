"""Per-request records of real vLLM runs as LLMServingSim's benchmark writes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.errors import DataError
from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import minus
from workloadlab.ingestion.readers.packing import opened
from workloadlab.trace import engine_facts

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.ingestion.head import Head

__all__ = ["LLMSERVINGSIM", "SESSIONS", "WORKLOAD"]

META = "meta.json"
_SECTIONS = ("engine_kwargs", "kv_cache", "hardware")
"""Parts of the file: asked of the engine and, since it is written down, found by it."""


_YEAR_1973_S = 1e8
"""A larger number of seconds is a calendar's: no machine has been up for so long."""


@dataclass(frozen=True)
class _Calendar:
    """Turns instants of the engine's clock into those of the calendar, and leaves those that are.

    Attributes:
        ahead_s: the engine's clock less the calendar.
    """

    ahead_s: float

    def __call__(self, text: pl.Series) -> pl.Series:
        seconds = pl.Series(text.cast(pl.Float64, strict=False))
        moved = (seconds - self.ahead_s).cast(pl.String)
        of_engine = pl.lit(seconds < _YEAR_1973_S)
        return pl.select(pl.when(of_engine).then(moved).otherwise(text)).to_series()


def _columns(head: Head) -> tuple[Column, ...]:
    """Count from `arrival_time`, when the client sent the request.

    vLLM stamps `queued_ts` when its engine loop next turns, so up to a step later (0 to 108 ms in two
    runs). The two are different clocks; the request with the smallest difference waited for no step,
    so that is how far one is ahead. Without `arrival_time` in every row all counts from `queued_ts`.
    """
    ahead_s = _clock_difference_s(head.path)
    arrival, reading = "queued_ts", None
    if ahead_s is not None:
        arrival, reading = "arrival_time", _Calendar(ahead_s)
    later = {
        "queue_ns": "scheduled_ts",
        "ttft_ns": "first_token_ts",
        "last_token_ns": "last_token_ts",
        "e2e_ns": "last_token_ts",
    }
    return (
        Column("arrival_ns", arrival, "s"),
        Column("input_tokens", "input_toks"),
        Column("output_tokens", "output_toks"),
        Column("request_id", "request_id"),
        *(Column(to, minus(key, arrival), "s", reading=reading) for to, key in later.items()),
    )


def _clock_difference_s(log: Path) -> float | None:
    """Return the least `queued_ts` less `arrival_time`, None if a row has not both."""
    least = inf
    with opened(log) as lines:
        for line in lines:
            try:
                row = json.loads(line)
                least = min(least, row["queued_ts"] - row["arrival_time"])
            except (KeyError, TypeError):
                return None
            except ValueError:
                continue  # the reader sets such a line aside
    return least if isfinite(least) else None


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
    columns=_columns,
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
    containers=("jsonl", "json"),
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
