"""What is said of a file that cannot be used: no row is left, or most contradict what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.errors import DataError
from workloadlab.ingestion.formats.trees import label
from workloadlab.ingestion.parsing.values import ABSURD, MAX_TOKENS, is_number
from workloadlab.ingestion.privacy import described_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloadlab.ingestion.clean import BlockCounts, Rules
    from workloadlab.ingestion.head import Head

NO_SUM = 1e12
"""Tokens that no row sums up."""

__all__ = [
    "check_block_size",
    "check_sums",
    "check_turns",
    "first_bad",
    "nothing_chosen",
    "nothing_left",
]


def check_turns(bad: list[pl.DataFrame], rules: Rules, rows: int, head: Head) -> None:
    """Refuse sessions of which only the first turn has a time: they have no open-loop arrivals."""
    by_target = {column.target: label(column.source) for column in rules.columns}
    if not bad or not {"arrival_ns", "think_ns", "session_id"} <= by_target.keys():
        return
    lacking = (
        pl.concat(bad)
        .filter(
            (pl.col("reason") == "missing value") & (pl.col("column") == by_target["arrival_ns"])
        )
        .height
    )
    if lacking * 4 > rows:
        raise DataError(
            f"gives {lacking:,} of {rows:,} requests a delay after the answer before instead of a "
            "time: such a session runs in a closed loop, and its later turns have no arrivals",
            where=str(head.path),
            fix="replay it against a server with the tool that wrote it, and ingest that log",
        )


def check_sums(bad: list[pl.DataFrame], rows: int, head: Head) -> None:
    """Refuse a file of which most rows have more tokens than a request can: they are sums."""
    absurd = sum(each.filter(pl.col("reason") == ABSURD).height for each in bad)
    if absurd * 2 > rows and (shown := _no_counts(bad, head)):
        raise DataError(
            f"has {shown}, which is no count of tokens",
            where=str(head.path),
            fix="name the column of the tokens: --map input_tokens=COLUMN --map output_tokens=COLUMN",
        )
    if absurd * 2 > rows:
        raise DataError(
            f"has sums of many requests, not requests: {absurd:,} of {rows:,} rows have more than "
            f"{MAX_TOKENS:,} tokens",
            where=str(head.path),
            fix="log the requests one by one; use this for their rate only",
        )


def _no_counts(bad: list[pl.DataFrame], head: Head) -> str:
    """Name a number that is too large for any sum of tokens: a moment or a hash."""
    rows = pl.concat(bad).filter(pl.col("reason") == ABSURD)
    key = str(rows["column"].mode()[0])
    large = [text for text in head.said(key) if is_number(text) and float(text) >= NO_SUM]
    return (
        f"numbers such as {large[0][:24]} in {key}" if 2 * len(large) > len(head.said(key)) else ""
    )


def check_block_size(blocks: BlockCounts, block_size: int, head: Head) -> None:
    """Refuse a block size that most rows contradict."""
    if blocks.misfits * 2 <= blocks.rows:
        return
    per_id = blocks.tokens / blocks.ids
    raise DataError(
        f"block ids do not fit {block_size} tokens per block: {blocks.misfits:,} of "
        f"{blocks.rows:,} rows disagree; they have about {per_id:.4g} tokens per id",
        where=str(head.path),
        fix=f"give the right one: --block-size {1 << max(0, round(per_id) - 1).bit_length()}",
    )


def first_bad(reject: dict[str, Any]) -> DataError:
    """Return the error that names a bad row."""
    return DataError(
        _sentence(reject), where=_place(reject), fix="mend the row, or ingest without --strict"
    )


def nothing_left(head: Head, bad: list[pl.DataFrame], read: int) -> DataError:
    """Return the error for a file in which every row is bad."""
    if not bad:
        return DataError("has a header but no rows", where=str(head.path), fix="name another log")
    counts = pl.concat(bad).group_by("reason").len().sort("reason")
    reasons = ", ".join(f"{reason}: {count:,}" for reason, count in counts.iter_rows())
    first = bad[0].row(0, named=True)
    return DataError(
        f"not one of its {read:,} rows can be used ({reasons}); the first: row {first['row']}, "
        f"{_sentence(first)}",
        where=str(head.path),
        fix="check which columns are mapped (--map) and their units (--unit)",
    )


def nothing_chosen(head: Head, where: Mapping[str, str], left_out: Mapping[str, int]) -> DataError:
    """Return the error for a file in which no row is asked for, or is a request.

    Args:
        head: of the file.
        where: what the user asked for.
        left_out: the rows that are none, by reason.
    """
    if not where:
        counts = "; ".join(f"{reason}: {count:,}" for reason, count in left_out.items())
        uncounted = all("token" in reason for reason in left_out)
        return DataError(
            f"has no row that is a request ({counts})",
            where=str(head.path),
            fix="let what writes the log count tokens (usage in each answer), and log again"
            if uncounted
            else "name another log, or say how to read it: --format generic with --map",
        )
    asked = " and ".join(f"{key} = {value}" for key, value in where.items())
    seen = "; ".join(
        f"{key} is {', '.join(described_text(sorted(set(head.samples.get(key, [])))[:5])) or 'empty'}"
        for key in where
    )
    return DataError(
        f"has no row with {asked}", where=str(head.path), fix=f"at its beginning {seen}"
    )


def _place(reject: dict[str, Any]) -> str:
    line = f" (line {reject['line']})" if reject["line"] is not None else ""
    column = f", column {reject['column']}" if reject["column"] is not None else ""
    return f"{reject['file']}: row {reject['row']}{line}{column}"


def _sentence(reject: dict[str, Any]) -> str:
    value = reject["value"]
    if value is None:
        return str(reject["reason"])
    return f"{reject['reason']}: {value if value[:1] == '<' else repr(value)}"
