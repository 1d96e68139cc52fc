"""Requests that a log holds twice: delivered again by a shipper, or in two files."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.ingestion.first_pass import Staged

__all__ = ["held_twice", "leave_out_repeats"]

STRETCH = 4_000_000
"""Rows that are looked at at once; of repetitions that a cut parts, one is not counted."""
SECOND_NS = 10**9
AGAIN = "repeat of another row"
_SAME = ("arrival_ns", "input_tokens", "output_tokens", "ttft_ns", "e2e_ns", "model", "request_id")


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
    names = _telling(rows)
    found = 0
    for start, end in pairwise([*range(0, count, STRETCH), count]) if names else ():
        tied = pl.col("arrival_ns") == pl.col("arrival_ns").shift(1)
        part = rows.slice(start, end - start).select(names)
        equal = part.filter(tied | tied.shift(-1)).collect().drop_nulls(_needed(names))
        found += equal.height - equal.n_unique()
    if not found:
        return None
    what = "arrival, tokens and " + ("id" if "request_id" in names else "times")
    return (
        f"{plural(found, 'row repeats', 'rows repeat')} an earlier one in {what}: the log holds "
        + plural(found, "request", "requests")
        + " twice, and so does the trace; to keep one of each: --drop-repeats"
    )


def leave_out_repeats(staged: Staged, where: str) -> None:
    """Leave out rows that repeat another's arrival, tokens, times and id.

    Raises:
        UsageError: nothing tells a repeated row from another request that is equal to it.
    """
    names = _telling(staged.rows())
    if not names:
        raise UsageError(
            "has no ids, no durations and whole seconds, so a row that repeats another may be another "
            "request",
            where=where,
            fix="name the column of the ids: --map request_id=COLUMN; or leave out --drop-repeats",
        )
    told = pl.all_horizontal(pl.col(_needed(names)).is_not_null())
    kept = pl.struct(names).is_first_distinct() | ~told
    chosen = staged.rows().select(names).collect().select(kept).to_series()
    if repeats := int((~chosen).sum()):
        staged.left_out[AGAIN] = repeats
        staged.keep(chosen)


def _telling(rows: pl.LazyFrame) -> list[str]:
    """Return the columns in which rows of one request are equal; none where others may be, too."""
    present = rows.collect_schema().names()
    if "arrival_ns" not in present:
        return []
    timed = {"e2e_ns", "ttft_ns", "request_id"} & {*present}
    return [name for name in _SAME if name in present] if timed or _exact(rows) else []


def _needed(names: Sequence[str]) -> list[str]:
    return [name for name in ("arrival_ns", "request_id") if name in names]


def _exact(rows: pl.LazyFrame) -> bool:
    return bool(rows.select((pl.col("arrival_ns") % SECOND_NS != 0).any()).collect().item())
