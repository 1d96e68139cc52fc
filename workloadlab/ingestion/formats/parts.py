"""Whether a count of tokens holds its parts: what a cache held, what a model thought."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from workloadlab.ingestion.formats.names import bare
from workloadlab.ingestion.formats.words import apart, total

if TYPE_CHECKING:
    from workloadlab.ingestion.formats.words import Value
    from workloadlab.ingestion.head import Head

__all__ = ["TOTALS", "counted_apart"]

_APART = {
    "input_tokens": (
        ("cache_read_input_tokens",), ("cache_creation_input_tokens",), ("cache_write_input_tokens",),
        ("cache_read_tokens", "cache_creation_tokens"),
    ),
    "candidates_token_count": (("thoughts_token_count",),),
    "tokens_in": (("cache_reads",), ("cache_writes",)),
}  # fmt: skip
"""Bare names of counts, and of parts that are counted apart from them where all of these are there."""
TOTALS = {"total_tokens", "total_token_count", "tokens_total"}
SHARE = 0.9
"""Rows whose total must hold the part, of those that have one."""


def counted_apart(head: Head, key: str, others: list[str], part: str | None) -> Value | None:
    """Return a count with its parts, where who names it so counts them apart, or a total says so.

    Anthropic leaves out of `input_tokens` what it read from the cache and wrote to it, Gemini leaves
    thoughts out of `candidatesTokenCount`, Cline caches out of `tokensIn`. OpenTelemetry's
    `gen_ai.usage.input_tokens` has all in it, and so has one that makes the total with the other count.
    Of xAI's `completion_tokens` the total alone tells that they leave the reasoning out.

    Args:
        head: the log.
        key: the count.
        others: the other count, if there is one.
        part: what is read as its part.
    """
    start = key.rpartition(".")[0]
    beside = {bare(each): each for each in head.names if each.rpartition(".")[0] == start}
    groups = [group for group in _APART.get(bare(key), ()) if {*group} <= beside.keys()]
    parts = [beside[name] for group in groups for name in group]
    whole = next((beside[each] for each in sorted(TOTALS) if each in beside), None)
    if parts and not start.startswith("gen_ai"):
        inside = whole and others and _inside(head, key, parts, others[0], whole)
        return None if inside else total(key, *parts)
    if part and whole and others and _outside(head, key, part, others[0], whole):
        return apart(key, part, other=others[0], whole=whole)
    return None


def _inside(head: Head, key: str, parts: list[str], other: str, whole: str) -> bool:
    """Say whether a count and the other one make the total, and it is never below its parts."""
    table = head.table([key, *parts, other, whole]).cast(pl.Float64, strict=False)
    made = (table[key] + table[other] == table[whole]).drop_nulls()
    below = table.select(pl.sum_horizontal(parts) > pl.col(key)).to_series()
    return made.len() > 0 and 2 * made.sum() > made.len() and not below.any()


def _outside(head: Head, key: str, part: str, other: str, whole: str) -> bool:
    """Say whether a total is made of both counts and the part."""
    table = head.table([key, part, other, whole]).cast(pl.Float64, strict=False).drop_nulls()
    table = table.filter(pl.col(part) > 0)
    made = table[key] + table[other] + table[part] == table[whole]
    return made.len() > 0 and float(made.mean()) >= SHARE  # type: ignore[arg-type]
