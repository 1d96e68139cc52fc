"""Requests that a log holds twice: delivered again by a shipper, or in two files."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.ingestion.formats.names import bare
from workloadlab.words import plural

if TYPE_CHECKING:
    from workloadlab.ingestion.head import Head

__all__ = ["held_twice", "kept_once"]

STRETCH = 4_000_000
"""Rows that are looked at at once; of repetitions that a cut parts, one is not counted."""
SECOND_NS = 10**9
_IDS = {"id", "uuid", "request_id", "req_id", "event_id", "log_id", "insert_id", "trace_id"}
_SAME = ("arrival_ns", "input_tokens", "output_tokens", "ttft_ns", "e2e_ns", "model")


def held_twice(rows: pl.LazyFrame, count: int) -> str | None:
    """Return a sentence about rows that repeat another's arrival, tokens, times and id.

    Without ids, equal rows are the same request only where durations or fractions of a second tell.

    Args:
        rows: of the trace, in order of arrival.
        count: how many rows it has.

    Example:
        >>> again = {"arrival_ns": [0, 7, 7], "input_tokens": [9, 8, 8], "e2e_ns": [1, 2, 2]}
        >>> held_twice(pl.DataFrame(again).lazy(), 3).split(":")[0]
        '1 row repeats an earlier one in arrival, tokens and times'
    """
    present = rows.collect_schema().names()
    if "arrival_ns" not in present:
        return None
    named = "request_id" in present
    if not named and not {"e2e_ns", "ttft_ns"} & {*present} and not _exact(rows):
        return None
    names = [name for name in (*_SAME, "request_id") if name in present]
    needed = ["arrival_ns", "request_id"] if named else ["arrival_ns"]
    found = 0
    for start, end in pairwise([*range(0, count, STRETCH), count]):
        tied = pl.col("arrival_ns") == pl.col("arrival_ns").shift(1)
        part = rows.slice(start, end - start).select(names)
        equal = part.filter(tied | tied.shift(-1)).collect().drop_nulls(needed)
        found += equal.height - equal.n_unique()
    if not found:
        return None
    what = "arrival, tokens and " + ("id" if named else "times")
    return (
        f"{plural(found, 'row repeats', 'rows repeat')} an earlier one in {what}: the log holds "
        + plural(found, "request", "requests")
        + " twice, and so does the trace"
    )


def kept_once(head: Head) -> str:
    """Return how to keep one of each, where a text log holds equal lines; name their id."""
    if head.container not in ("csv", "jsonl"):
        return ""
    lines = [tuple(row.items()) for row in head.rows]
    again = Counter(lines)
    ids = [
        key
        for key in head.keys
        if bare(key) in _IDS
        and all(dict(line).get(key) for line, count in again.items() if count > 1)
    ]
    if len(again) == len(lines):
        return ""
    named = f", {ids[0]} too" if ids else ""
    return f"; the lines are equal{named}: keep one of each with awk '!seen[$0]++' FILE > FILE.once"


def _exact(rows: pl.LazyFrame) -> bool:
    return bool(rows.select((pl.col("arrival_ns") % SECOND_NS != 0).any()).collect().item())
