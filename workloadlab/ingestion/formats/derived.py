"""Trace columns that follow from others: answers from totals, ends beside starts, what is no session."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.ingestion.formats.format import Column
from workloadlab.ingestion.formats.names import forms, plain, unit_in_name
from workloadlab.ingestion.formats.parts import TOTALS
from workloadlab.ingestion.formats.rivals import moments_of
from workloadlab.ingestion.formats.words import minus
from workloadlab.ingestion.parsing.times import durations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.ingestion.head import Head

__all__ = [
    "UNIT_OR_CLOCK",
    "answer_of_total",
    "end_beside",
    "is_project",
    "lone_session",
    "only_element",
    "short_total",
]

UNIT_OR_CLOCK = r"[A-DF-Za-df-zµμ:]"
"""What a duration has that says its own unit, and a number has not."""
_PARTS = re.compile(r"cache|reason|thought|thinking")
_START = re.compile(r"^(start|begin)[_ ]?(?=[a-z])", re.IGNORECASE)
_PROJECT = {"dotted_order", "run_type"}
"""What lies beside `session_id` in runs of LangSmith, where that is the project."""
_ELEMENT = re.compile(r'\[\s*("[^"\\]*"|-?[\d.]+)\s*\]')
_WHOLE = {
    "total", "wall", "wall_time", "wall_clock", "wall_clock_time", "took", "overall", "round_trip",
}  # fmt: skip
"""Short names of the whole time, where a unit in the name or in the values says that they are times."""
HOUR_NS = 3_600 * 10**9
MANY = 20
"""Requests of one session that are worth a word."""


def answer_of_total(head: Head, tokens: str) -> dict[str, Column]:
    """Return the answer's tokens where only the total beside the prompt's is logged.

    Not where parts are counted apart, which a total may hold, too.
    """
    start = tokens.rpartition(".")[0]
    beside = [key for key in head.names if key.rpartition(".")[0] == start]
    whole = next((key for key in beside if forms(key) & TOTALS), None)
    if whole is None or any(_PARTS.search(plain(key)) for key in beside):
        return {}
    table = head.table([tokens, whole]).cast(pl.Float64, strict=False).drop_nulls()
    if not table.height or not (table[whole] >= table[tokens]).all():
        return {}
    return {"output_tokens": Column("output_tokens", minus(whole, tokens))}


def end_beside(head: Head, arrival: str) -> dict[str, Column]:
    """Return the time to the end where `start_timestamp` has a `timestamp` beside it, as in Sentry."""
    above, dot, name = arrival.rpartition(".")
    end = f"{above}{dot}{_START.sub('', name)}"
    if end == arrival or end not in head.names:
        return {}
    table = head.table([arrival, end]).drop_nulls()
    took = (moments_of(table[end]) - moments_of(table[arrival])).drop_nulls()
    if not took.len() or int(took.min()) < 0 or not 0 < float(took.median()) < HOUR_NS:  # type: ignore[arg-type]
        return {}
    return {"e2e_ns": Column("e2e_ns", end)}


def short_total(head: Head, ttft: Column | None) -> dict[str, Column]:
    """Return the time to the end by a short name with a unit: `total_ms`, `wall` of `00:00:11.3`.

    A name without one is read beside a first token's without one, where both have fractions. Not where
    two go by such names, nor where the first token would come after the end.
    """
    first = ttft.source if ttft is not None and isinstance(ttft.source, str) else None
    found = [key for key in head.names if forms(key) & _WHOLE and _lasts(head, key) is not None]
    found = [key for key in found if unit_in_name(key) not in ("min", "h")]
    if not found and first and unit_in_name(first) is None:
        found = [key for key in head.names if forms(key) & _WHOLE and _after(head, key, first)]
    if len(found) != 1:
        return {}
    key = found[0]
    begun = None if first is None else _lasts(head, first)
    if begun is not None and (begun > _lasts(head, key)).fill_null(value=False).any():
        return {}
    return {"e2e_ns": Column("e2e_ns", key)}


def _after(head: Head, key: str, first: str) -> bool:
    """Say whether numbers with fractions are nowhere below the time to the first token."""
    table = head.table([key, first]).cast(pl.Float64, strict=False).drop_nulls()
    fractions = all(2 * int((each != each.round()).sum()) > each.len() for each in table)
    return bool(table.height) and fractions and bool((table[key] >= table[first]).all())


def _lasts(head: Head, key: str) -> pl.Series | None:
    """Return durations whose unit stands in the name or in each value; None where it stands nowhere."""
    text = head.table([key]).to_series()
    unit = unit_in_name(key)
    if not text.count() or (
        unit is None and not text.drop_nulls().str.contains(UNIT_OR_CLOCK).all()
    ):
        return None
    found = durations(text, unit or "s").values
    return found if found.count() == text.count() else None


def is_project(head: Head, key: str) -> bool:
    """Say whether a session is LangSmith's word for a project."""
    above = key.rpartition(".")[0]
    beside = {
        plain(each.rpartition(".")[2]) for each in head.names if each.rpartition(".")[0] == above
    }
    return "session_id" in forms(key) and bool(beside & _PROJECT) and "trace_id" in beside


def only_element(samples: Sequence[str]) -> list[str] | None:
    """Return what lists of one element hold, as headers of Go and Caddy are written.

    Example:
        >>> only_element(['["12"]', "[7]"]), only_element(["[1, 2]"]), only_element([])
        (['12', '7'], None, None)
    """
    found = [match[1].strip('"') for text in samples if (match := _ELEMENT.fullmatch(text.strip()))]
    return found if found and len(found) == len(samples) else None


def lone_session(head: Head, columns: Sequence[Column]) -> str | None:
    """Return a sentence about a session that all requests share."""
    source = next((c.source for c in columns if c.target == "session_id"), None)
    if not isinstance(source, str):
        return None
    said = head.said(source)
    if len(said) < MANY or len(set(said)) > 1:
        return None
    return (
        f"{source} is one for all requests looked at: a project or a process, and no conversation? "
        "Leave it out: --map session_id="
    )
