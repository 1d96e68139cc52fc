"""Requests that a log holds twice: delivered again by a shipper, or in two files."""

from __future__ import annotations

from itertools import pairwise

import polars as pl

from workloadlab.words import plural

__all__ = ["held_twice"]

STRETCH = 4_000_000
"""Rows that are looked at at once; of repetitions that a cut parts, one is not counted."""
SECOND_NS = 10**9
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


def _exact(rows: pl.LazyFrame) -> bool:
    return bool(rows.select((pl.col("arrival_ns") % SECOND_NS != 0).any()).collect().item())
