"""A chunk of text to a chunk of trace rows: values read, bad rows set aside, bad times repaired."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.ingestion.parsing.times import durations, instants
from workloadlab.ingestion.parsing.values import (
    Parsed,
    block_lists,
    integers,
    outcomes,
    reals,
    switches,
    words,
)
from workloadlab.trace import COLUMNS, GIVEN, Flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.ingestion.formats import Column
    from workloadlab.ingestion.readers.chunk import Chunk

__all__ = ["Refined", "needs_flags", "refine", "wanted"]

VALUE_CHARACTERS = 80
_PLAIN = {pl.Float32(): reals, pl.Boolean(): switches, pl.String(): words}
_TIMES = {"queue_ns", "ttft_ns", "last_token_ns", "e2e_ns", "think_ns"}


@dataclass(frozen=True)
class BlockCounts:
    """How well block ids fit the block size, over the rows that have any.

    Attributes:
        rows: rows with block ids.
        misfits: those whose number of ids does not fit their input tokens.
        tokens: sum of their input tokens.
        ids: sum of their ids.
    """

    rows: int = 0
    misfits: int = 0
    tokens: int = 0
    ids: int = 0

    def __add__(self, other: BlockCounts) -> BlockCounts:
        return BlockCounts(
            self.rows + other.rows,
            self.misfits + other.misfits,
            self.tokens + other.tokens,
            self.ids + other.ids,
        )


@dataclass(frozen=True)
class Refined:
    """Rows of the trace and rows that could not be used.

    Attributes:
        frame: the trace's columns, arrival still absolute; `flags` where repairs are possible.
        rejects: columns of `REJECTS` but `file`, in row order, numbered within the chunk.
        repaired: number of values set to null, by reason.
        naive: whether a datetime without a zone was taken as UTC.
        blocks: how well block ids fit.
    """

    frame: pl.DataFrame
    rejects: pl.DataFrame | None
    repaired: dict[str, int] = field(default_factory=dict)
    naive: bool = False
    blocks: BlockCounts = BlockCounts()


def wanted(columns: Sequence[Column]) -> dict[str, pl.DataType]:
    """Return the keys to read from the log, with the likely types; text will do for integers."""
    keys: dict[str, pl.DataType] = {}
    for column in columns:
        dtype = COLUMNS[column.target]
        if not isinstance(dtype, pl.List):
            whole = dtype.is_integer() and not column.target.endswith("_ns") and not column.reading
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
) -> Refined:
    """Read one chunk.

    Args:
        chunk: text columns.
        columns: what to make of them.
        block_size: tokens per block, where block ids are read.
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
        if column.target in GIVEN and (missing := _missing(parsed)) is not None:
            problems.append((column, missing))
    frame, rejects = pl.DataFrame(values), chunk.rejects
    if problems:
        bad = _set_aside(chunk, problems)
        frame = frame.filter(~chunk.places()["row"].is_in(bad["row"].implode()))
        rejects = bad if rejects is None else pl.concat([rejects, bad]).sort("row")
    if not needs_flags(columns):
        return Refined(frame, rejects, naive=naive)
    frame = frame.with_columns(flags=pl.lit(0, pl.UInt32))
    blocks = _count_blocks(frame, block_size) if block_size else BlockCounts()
    frame, repaired = _repair(frame, block_size)
    return Refined(frame, rejects, repaired, naive, blocks)


def _parsed(frame: pl.DataFrame, column: Column) -> Parsed:
    text, dtype = frame[column.source], COLUMNS[column.target]
    if column.reading:
        text = column.reading(text)
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


def _repair(frame: pl.DataFrame, block_size: int | None) -> tuple[pl.DataFrame, dict[str, int]]:
    repaired: dict[str, int] = {}
    for target, reason, flag, wrong in _repairs(frame.columns, block_size):
        mask = frame.select(wrong.fill_null(value=False)).to_series()
        count = int(mask.sum())
        if not count:
            continue
        repaired[reason] = repaired.get(reason, 0) + count
        frame = frame.with_columns(
            pl.when(mask).then(None).otherwise(pl.col(target)).alias(target),
            pl.when(mask).then(pl.col("flags") | flag).otherwise(pl.col("flags")).alias("flags"),
        )
    return frame, repaired


def _misfit(block_size: int) -> pl.Expr:
    """Whether the ids are neither as many as the full blocks of the prompt nor as all its blocks."""
    ids, tokens = pl.col("block_ids").list.len(), pl.col("input_tokens")
    full = tokens // block_size
    return (ids != full) & (ids != full + (tokens % block_size > 0).cast(pl.UInt32))


def _count_blocks(frame: pl.DataFrame, block_size: int) -> BlockCounts:
    ids = pl.col("block_ids").list.len()
    counts = frame.filter(ids > 0).select(
        rows=pl.len(),
        misfits=_misfit(block_size).sum(),
        tokens=pl.col("input_tokens").cast(pl.Int64).sum(),
        ids=ids.cast(pl.Int64).sum(),
    )
    return BlockCounts(**counts.row(0, named=True))


def _repairs(present: list[str], block_size: int | None) -> list[tuple[str, str, int, pl.Expr]]:
    """Return the repairs in order: column to null, reason, flag, condition."""
    queue, ttft, last, e2e = (pl.col(n) for n in ("queue_ns", "ttft_ns", "last_token_ns", "e2e_ns"))
    mixed, zero, late = Flag.CLOCKS_MIXED, Flag.ZERO_TAKEN_AS_NULL, Flag.TTFT_AFTER_END
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
            _misfit(block_size or 1),
        ),
    ]
    return [
        (target, reason, int(flag), wrong)
        for target, reason, flag, others, wrong in rules
        if target in present and all(name in present for name in others)
    ]
