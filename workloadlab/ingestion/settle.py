"""Between the passes: rows are joined to requests, judged beside each other, and strays rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError, MachineError
from workloadlab.ingestion.clean import repaired
from workloadlab.ingestion.doubts.again import leave_out_repeats
from workloadlab.ingestion.doubts.plausibility import check
from workloadlab.ingestion.doubts.runs import check_runs
from workloadlab.ingestion.doubts.sampled import Sampled, sample_of, window
from workloadlab.ingestion.formats import GENERIC
from workloadlab.ingestion.formats.trees import label
from workloadlab.ingestion.readers.chunk import REJECTS
from workloadlab.ingestion.rows import joined_rows
from workloadlab.sizes import allowed_bytes, bytes_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workloadlab.ingestion.clean import Rules
    from workloadlab.ingestion.first_pass import Staged
    from workloadlab.ingestion.formats import Format
    from workloadlab.ingestion.head import Head

__all__ = ["settle"]

AT_ONCE = 5
"""Times its own size that a log takes while rows are joined, or held against each other: 2.1 to 4.6
measured on 6 million rows, by what joins them."""

FEWEST = 10
"""Rows set aside that are worth a word."""


def settle(
    staged: Staged,
    rules: Sequence[Rules],
    log_format: Format,
    head: Head,
    *,
    once: bool = False,
    memory_limit: float | None = None,
) -> list[str]:
    """Make requests of the rows, reject what cannot be, and return what is odd.

    With `once`, rows that repeat another are left out. What needs all rows at once may take
    `memory_limit` bytes.

    Raises:
        DataError: nothing is left, or it is not clear which rows are wrong.
        UsageError: a value must mean something else than it was taken for.
        MachineError: more rows to be joined, or to be held against each other, than memory holds.
    """
    where = head.path
    if not rules[0].whole:
        _refuse_more(staged, memory_limit, "joining {} rows to requests")
        _join(staged, rules[0], log_format, where)
    _drop_strays(staged, where)
    told = _set_aside(staged) + check(
        staged.sampled,
        staged.repaired,
        staged.written,
        rules[0].columns,
        naive=staged.naive,
        guessed=log_format.name == GENERIC.name,
        named="request_id" in staged.filled,
        where=where,
    )
    if once:
        _refuse_more(staged, memory_limit, "finding what repeats in {} rows")
        leave_out_repeats(staged, str(where))
    check_runs(staged.sampled.table(), head, rules[0].columns, log_format)
    return told


def _set_aside(staged: Staged) -> list[str]:
    """Say that half of the rows or more are no requests: they may be other events, or halves of some."""
    counts = staged.counts()
    rejected, read = sum(counts["rejected"].values()), counts["read"]
    if 2 * rejected < read or rejected < FEWEST:
        return []
    reasons = ", ".join(f"{reason}: {count:,}" for reason, count in counts["rejected"].items())
    told = (
        f"{rejected:,} of {read:,} rows are set aside ({reasons}): other events, or requests that this "
        "log writes in two lines, of which one was read?"
    )
    return [told]


def _refuse_more(staged: Staged, limit: float | None, what: str) -> None:
    """Refuse what needs all rows at once, where that takes more memory than it may use."""
    needed, allowed = AT_ONCE * (staged.held_bytes + staged.spilled_bytes), allowed_bytes(limit)
    if needed > allowed:
        raise MachineError(
            f"{what.format(f'{staged.written:,}')} takes them to about {bytes_words(needed)}, and they "
            f"may use {bytes_words(allowed)}",
            fix="allow more with --memory-limit, or ingest parts of the log, each with whole requests",
        )


def _join(staged: Staged, rules: Rules, log_format: Format, where: Path) -> None:
    rows, left = joined_rows(staged.rows().collect(), log_format)
    for name in rules.given:
        missing = (
            rows[name].is_null()
            if name in rows.columns
            else pl.Series([True]).new_from_index(0, rows.height)
        )
        if missing.any():
            key = next((c for c in rules.columns if c.target == name), None)
            _reject(
                staged,
                where,
                int(missing.sum()),
                "missing value",
                label(key.source) if key else name,
            )
            rows = rows.filter(~missing)
    if not rows.height:
        raise DataError(
            "has no request with an arrival and a prompt length",
            where=str(where),
            fix="check that the log is whole, or name another",
        )
    staged.left_out.update(left)
    rows, counts = repaired(rows, rules.block_size)
    staged.repaired.update(counts)
    staged.replace(rows)
    staged.sampled = Sampled()
    staged.sampled.add(rows, sample_of(rows).with_columns(row=pl.lit(None, pl.Int64)))


def _drop_strays(staged: Staged, where: Path) -> None:
    """Reject rows whose arrival lies years away from all others."""
    if not staged.far and len(staged.spans) < 2:
        return
    believed = window(staged.sampled, where)
    if believed is None:
        return
    low, high = believed
    first, last = staged.first_ns, staged.sampled.latest_ns
    if first is None or last is None or (low <= first and last <= high):
        return
    arrival = pl.col("arrival_ns")
    inside = arrival.is_between(low, high).fill_null(value=True)
    near = staged.rows().select(inside).collect().to_series()
    if near.all():
        return
    strays = int((~near).sum())
    named = pl.concat(staged.far).filter(~arrival.is_between(low, high)).drop("arrival_ns")
    staged.rejects = pl.concat([staged.rejects, named])
    if strays > named.height:
        _reject(staged, where, strays - named.height, named["reason"][0], "arrival")
    staged.keep(near)


def _reject(staged: Staged, where: Path, count: int, reason: str, column: str | None) -> None:
    """Note rows that can no longer be numbered."""
    row = dict.fromkeys(REJECTS) | {
        "file": str(where),
        "column": column,
        "reason": reason,
    }
    more = pl.DataFrame([row] * count, schema=REJECTS)
    staged.rejects = pl.concat([staged.rejects, more])
