"""A chunk of text to a chunk of trace rows: values read, bad rows set aside, bad times repaired."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError
from workloadlab.ingestion.times import durations, instants
from workloadlab.ingestion.values import (
    Parsed,
    block_lists,
    integers,
    outcomes,
    reals,
    switches,
    words,
)
from workloadlab.trace import COLUMNS, Flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.ingestion.chunks import Chunk
    from workloadlab.ingestion.formats import Column

__all__ = ["Refined", "needs_flags", "refine", "wanted"]

VALUE_CHARACTERS = 80
_PLAIN = {pl.Float32(): reals, pl.Boolean(): switches, pl.String(): words}
_TIMES = {"queue_ns", "ttft_ns", "last_token_ns", "e2e_ns", "think_ns"}


@dataclass(frozen=True)
class Refined:
    """Rows of the trace and rows that could not be used.

    Attributes:
        frame: the trace's columns, arrival still absolute; `flags` where repairs are possible.
        rejects: columns of `REJECTS` but `file`, in row order, numbered within the chunk.
        repaired: number of values set to null, by reason.
        naive: whether a datetime without a zone was taken as UTC.
    """

    frame: pl.DataFrame
    rejects: pl.DataFrame | None
    repaired: dict[str, int] = field(default_factory=dict)
    naive: bool = False


def wanted(columns: Sequence[Column]) -> dict[str, pl.DataType]:
    """Return the keys to read from the log, with the likely types; text will do for integers."""
    keys: dict[str, pl.DataType] = {}
    for column in columns:
        dtype = COLUMNS[column.target]
        if not isinstance(dtype, pl.List):
            whole = dtype.is_integer() and not column.target.endswith("_ns")
            dtype = dtype if whole else pl.String()
        keys[column.source] = dtype if keys.get(column.source, dtype) == dtype else pl.String()
        if column.since:
            keys[column.since] = pl.String()
    return keys


def needs_flags(columns: Sequence[Column]) -> bool:
    """Say whether rows made of these columns may have to be repaired."""
    return any(column.target in _TIMES | {"block_ids"} for column in columns)


def refine(
    chunk: Chunk,
    columns: Sequence[Column],
    *,
    block_size: int | None,
    where: str,
) -> Refined:
    """Read one chunk.

    Args:
        chunk: text columns.
        columns: what to make of them.
        block_size: tokens per block, where block ids are read.
        where: the file, for messages.

    Raises:
        DataError: the block ids do not fit the block size.
    """
    values: list[pl.Series] = []
    problems: list[tuple[Column, pl.Series]] = []
    naive = False
    for column in columns:
        parsed = _parsed(chunk.frame, column)
        values.append(parsed.values.alias(column.target))
        naive |= parsed.naive
        if parsed.problem is not None:
            problems.append((column, parsed.problem))
        if column.required and (missing := _missing(parsed)) is not None:
            problems.append((column, missing))
    frame, rejects = pl.DataFrame(values), chunk.rejects
    if problems:
        bad = _set_aside(chunk, problems)
        frame = frame.filter(~chunk.places()["row"].is_in(bad["row"].implode()))
        rejects = bad if rejects is None else pl.concat([rejects, bad]).sort("row")
    if not needs_flags(columns):
        return Refined(frame, rejects, naive=naive)
    frame = frame.with_columns(flags=pl.lit(0, pl.UInt32))
    frame, repaired = _repair(frame, block_size, where)
    return Refined(frame, rejects, repaired, naive)


def _parsed(frame: pl.DataFrame, column: Column) -> Parsed:
    text, dtype = frame[column.source], COLUMNS[column.target]
    if column.since:
        start, end = (instants(each, column.unit or "s") for each in (frame[column.since], text))
        return Parsed(end.values - start.values, end.problem, end.naive)
    if column.target.endswith("_ns"):
        read = instants if column.target == "arrival_ns" else durations
        return read(text, column.unit or "s")
    if dtype.is_integer():
        return integers(text, dtype, tokens=column.target.endswith("_tokens"))
    if isinstance(dtype, pl.List):
        return block_lists(text)
    if column.target == "outcome":
        return outcomes(text)
    return _PLAIN[dtype](text)


def _missing(parsed: Parsed) -> pl.Series | None:
    empty = parsed.values.is_null()
    if parsed.problem is not None:
        empty &= parsed.problem.is_null()
    if not empty.any():
        return None
    return pl.select(pl.when(empty).then(pl.lit("missing value"))).to_series()


def _set_aside(chunk: Chunk, problems: list[tuple[Column, pl.Series]]) -> pl.DataFrame:
    """Describe each bad row once, by the first of its columns that is bad."""
    places = chunk.places()
    found = [
        places.with_columns(
            column=pl.lit(column.source),
            value=_quoted(chunk.frame[column.source]),
            reason=problem,
        ).filter(pl.col("reason").is_not_null())
        for column, problem in problems
    ]
    return pl.concat(found).unique("row", keep="first", maintain_order=True).sort("row")


def _quoted(values: pl.Series) -> pl.Series:
    """Return the values as short text; a value may be a prompt that slipped into another column."""
    if isinstance(values.dtype, pl.List):
        return pl.Series([None], dtype=pl.String).new_from_index(0, values.len())
    return values.cast(pl.String).str.slice(0, VALUE_CHARACTERS)


def _repair(
    frame: pl.DataFrame, block_size: int | None, where: str
) -> tuple[pl.DataFrame, dict[str, int]]:
    repaired: dict[str, int] = {}
    for target, reason, flag, wrong in _repairs(frame.columns, block_size):
        mask = frame.select(wrong.fill_null(value=False)).to_series()
        count = int(mask.sum())
        if not count:
            continue
        if target == "block_ids":
            _check_block_size(frame, count, block_size or 0, where)
        repaired[reason] = repaired.get(reason, 0) + count
        frame = frame.with_columns(
            pl.when(mask).then(None).otherwise(pl.col(target)).alias(target),
            pl.when(mask).then(pl.col("flags") | flag).otherwise(pl.col("flags")).alias("flags"),
        )
    return frame, repaired


def _repairs(present: list[str], block_size: int | None) -> list[tuple[str, str, int, pl.Expr]]:
    """Return the repairs in order: column to null, reason, flag, condition."""
    queue, ttft, last, e2e = (pl.col(n) for n in ("queue_ns", "ttft_ns", "last_token_ns", "e2e_ns"))
    mixed, zero, late = Flag.CLOCKS_MIXED, Flag.ZERO_TAKEN_AS_NULL, Flag.TTFT_AFTER_END
    blocks, whole = pl.col("block_ids").list.len(), pl.col("input_tokens") // (block_size or 1)
    partial = (pl.col("input_tokens") % (block_size or 1) > 0).cast(pl.UInt32)
    rules = [
        *((name, f"negative {name}", mixed, (name,), pl.col(name) < 0) for name in sorted(_TIMES)),
        *(
            (name, f"zero {name}", zero, (name,), pl.col(name) == 0)
            for name in ("e2e_ns", "last_token_ns", "ttft_ns")
        ),
        ("last_token_ns", "last_token_ns after e2e_ns", mixed, ("e2e_ns",), last > e2e),
        ("ttft_ns", "ttft_ns after e2e_ns", late, ("e2e_ns",), ttft > e2e),
        ("ttft_ns", "ttft_ns after last_token_ns", late, ("last_token_ns",), ttft > last),
        ("queue_ns", "queue_ns after ttft_ns", mixed, ("ttft_ns",), queue > ttft),
        ("queue_ns", "queue_ns after e2e_ns", mixed, ("e2e_ns",), queue > e2e),
        (
            "block_ids",
            "block_ids that do not fit input_tokens",
            Flag.TRUNCATED,
            (),
            (blocks != whole) & (blocks != whole + partial),
        ),
    ]
    return [
        (target, reason, int(flag), wrong)
        for target, reason, flag, others, wrong in rules
        if target in present and all(name in present for name in others)
    ]


def _check_block_size(frame: pl.DataFrame, misfits: int, block_size: int, where: str) -> None:
    """Refuse a block size that most rows contradict."""
    listed = frame.filter(pl.col("block_ids").list.len() > 0)
    if not listed.height or misfits * 2 <= frame["block_ids"].count():
        return
    per_block = listed.select(pl.col("input_tokens") / pl.col("block_ids").list.len())
    typical = float(per_block.to_series().median() or 1.0)  # type: ignore[arg-type]
    raise DataError(
        f"block ids do not fit {block_size} tokens per block: {misfits:,} of {frame.height:,} rows "
        f"disagree; they have about {typical:.4g} tokens per id",
        where=where,
        fix=f"give the right one: --block-size {1 << (round(typical) - 1).bit_length()}",
    )
