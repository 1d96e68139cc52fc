"""A chunk of text to a chunk of trace rows: values read, bad rows set aside, bad times repaired."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.ingestion.doubts.sampled import sample_of
from workloadlab.ingestion.evaluate import evaluate, matches
from workloadlab.ingestion.formats.trees import keys, label, unmet
from workloadlab.ingestion.formats.words import PRESENT
from workloadlab.ingestion.parsing.text import texts
from workloadlab.ingestion.parsing.totals import TOTALS, are_totals
from workloadlab.ingestion.privacy import described, described_text
from workloadlab.ingestion.rows import far_rows
from workloadlab.trace import COLUMNS, GIVEN, Flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.ingestion.formats import Column
    from workloadlab.ingestion.formats.words import Only
    from workloadlab.ingestion.parsing.values import Parsed
    from workloadlab.ingestion.readers.chunk import Chunk

__all__ = ["BlockCounts", "Refined", "Rules", "refine", "repaired", "wanted"]

VALUE_CHARACTERS = 80
CACHED = "cached_tokens above input_tokens"
REASONING = "reasoning_tokens above output_tokens"
MIXED = "arrival in another unit than the others"
NO_STREAM = "ttft_ns of a request that does not stream"
LATE = "ttft_ns after e2e_ns"
DAY_NS = 86_400 * 10**9
LONG = {name: f"{name} above a day" for name in ("e2e_ns", "last_token_ns", "queue_ns", "ttft_ns")}
_TIMES = {"queue_ns", "ttft_ns", "last_token_ns", "e2e_ns", "think_ns"}
_JUDGED = {"block_ids", "cached_tokens", "reasoning_tokens", "outcome"}


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
        left_out: rows that are no requests, or were not asked for, by reason.
        blocks: how well block ids fit.
        far: rows whose arrival lies years from the middle; `row`, `line`, `arrival_ns`.
        sample: some of the rows.
    """

    frame: pl.DataFrame
    rejects: pl.DataFrame | None
    repaired: dict[str, int] = field(default_factory=dict)
    naive: bool = False
    left_out: dict[str, int] = field(default_factory=dict)
    blocks: BlockCounts = BlockCounts()
    far: pl.DataFrame | None = None
    sample: pl.DataFrame = field(default_factory=pl.DataFrame)


@dataclass(frozen=True)
class Rules:
    """What makes rows of one file.

    Attributes:
        columns: what to read.
        conditions: what a request meets; rows that do not are left out.
        block_size: tokens per block, where block ids are read.
        given: columns without which a row is no request.
        whole: whether a row is a whole request; else parts are joined first, and judged after.
        show_values: whether rejected values are kept as they are.
    """

    columns: tuple[Column, ...]
    conditions: tuple[Only, ...] = ()
    block_size: int | None = None
    given: tuple[str, ...] = GIVEN
    whole: bool = True
    show_values: bool = False


def wanted(rules: Rules) -> dict[str, pl.DataType]:
    """Return the keys to read from the log, with the likely types; text will do for integers."""
    wanted: dict[str, pl.DataType] = {}
    for column in rules.columns:
        dtype = COLUMNS.get(column.target, pl.String())
        plain = isinstance(column.source, str)
        if not (isinstance(dtype, pl.List) and column.target == "block_ids"):
            whole = dtype.is_integer() and not column.target.endswith("_ns")
            dtype = dtype if whole and plain and not column.reading else pl.String()
        for key in keys(column.source):
            wanted[key] = dtype if wanted.get(key, dtype) == dtype else pl.String()
    asked = {key for condition in rules.conditions for key in keys(condition.key)}
    return wanted | dict.fromkeys(sorted(asked), pl.String())


def needs_flags(columns: Sequence[str]) -> bool:
    """Say whether rows made of these columns may have to be repaired."""
    return any(column in _TIMES | _JUDGED for column in columns)


def refine(chunk: Chunk, rules: Rules) -> Refined:
    """Read one chunk: text columns to values, bad rows set aside, bad values repaired."""
    chunk = _requests(chunk, rules.conditions)
    values: list[pl.Series] = []
    problems: list[tuple[Column, pl.Series]] = []
    naive, mixed = False, 0
    for column in rules.columns:
        parsed = evaluate(chunk.frame, column)
        values.append(parsed.values.alias(column.target))
        naive |= parsed.naive
        mixed += parsed.mixed if column.target == "arrival_ns" else 0
        if parsed.problem is not None and parsed.problem.count():
            problems.append((column, parsed.problem))
        given = rules.whole and column.target in rules.given
        if given and (missing := _missing(parsed, chunk.frame[keys(column.source)[0]])) is not None:
            problems.append((column, missing))
    if (rest := _without_totals(chunk, problems)) is not None:
        return refine(rest, rules)
    frame, rejects, places = pl.DataFrame(values), chunk.rejects, None
    if problems:
        bad = _set_aside(chunk, problems, show=rules.show_values)
        good = ~chunk.places()["row"].is_in(bad["row"].implode())
        frame, places = frame.filter(good), chunk.places().filter(good)
        rejects = bad if rejects is None else pl.concat([rejects, bad]).sort("row")
    far = far_rows(frame, places, chunk.places)
    facts: dict[str, Any] = {"naive": naive, "left_out": chunk.left_out, "far": far}
    if not rules.whole:
        return Refined(frame, rejects, chunk.repaired, **facts)
    size = rules.block_size
    blocks = _count_blocks(frame, size) if size and "block_ids" in frame.columns else BlockCounts()
    frame, counts = repaired(frame, size)
    counts |= chunk.repaired
    if mixed:
        counts[MIXED] = mixed
    numbers = chunk.numbers if places is None else places
    sample = sample_of(frame, None if numbers is None else numbers["row"])
    return Refined(frame, rejects, counts, blocks=blocks, sample=sample, **facts)


def repaired(frame: pl.DataFrame, block_size: int | None) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the rows with contradictory values set to null and flagged, and how many of each."""
    if not needs_flags(frame.columns):
        return frame, {}
    if "flags" not in frame.columns:
        frame = frame.with_columns(flags=pl.lit(0, pl.UInt32))
    return _repair(frame, block_size)


def _requests(chunk: Chunk, conditions: Sequence[Only]) -> Chunk:
    """Keep the rows that are requests."""
    for condition in conditions:
        chunk = chunk.kept(matches(chunk.frame, condition), _why(condition))
    return chunk


def _without_totals(chunk: Chunk, problems: list[tuple[Column, pl.Series]]) -> Chunk | None:
    """Leave out rows whose arrival names a row of totals; None if there is none."""
    held = [texts(chunk.frame[keys(c.source)[0]]) for c, _ in problems if c.target == "arrival_ns"]
    if held and (found := are_totals(held[0])).any():
        return chunk.kept(~found, TOTALS)
    return None


def _why(condition: Only) -> str:
    """Return why rows are left out; a value asked for may be somebody's name."""
    if condition.texts == PRESENT:
        return unmet(condition)
    return unmet(replace(condition, texts=tuple(described_text(condition.texts))))


def _missing(parsed: Parsed, held: pl.Series) -> pl.Series | None:
    """Say which rows lack a value that they need, and which have one that is no finite number."""
    empty = parsed.values.is_null()
    if parsed.problem is not None:
        empty &= parsed.problem.is_null()
    if not empty.any():
        return None
    odd = texts(held).str.contains(r"(?i)^\s*[+-]?(nan|inf(inity)?)\s*$")
    why = pl.when(odd.fill_null(value=False)).then(pl.lit("not a finite number"))
    return pl.select(pl.when(empty).then(why.otherwise(pl.lit("missing value")))).to_series()


def _set_aside(
    chunk: Chunk, problems: list[tuple[Column, pl.Series]], *, show: bool
) -> pl.DataFrame:
    """Describe each bad row once, by the first of its columns that is bad."""
    places = chunk.places()
    found = [
        places.filter(bad).with_columns(
            column=pl.lit(label(column.source)),
            value=_quoted(chunk.frame.filter(bad), column, show=show),
            reason=problem.filter(bad),
        )
        for column, problem, bad in ((c, p, p.is_not_null()) for c, p in problems)
    ]
    return pl.concat(found).unique("row", keep="first", maintain_order=True).sort("row")


def _quoted(frame: pl.DataFrame, column: Column, *, show: bool) -> pl.Series:
    """Return the values as short text, or what kind of text each is: it may be somebody's prompt."""
    parts = [frame[key] for key in keys(column.source)]
    if any(isinstance(part.dtype, pl.List) for part in parts):
        return pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
    value = pl.coalesce([texts(part) for part in parts])
    shown = value.str.slice(0, VALUE_CHARACTERS) if show else described(value)
    return pl.select(shown).to_series()


def _repair(frame: pl.DataFrame, block_size: int | None) -> tuple[pl.DataFrame, dict[str, int]]:
    counts: dict[str, int] = {}
    for target, reason, flag, wrong in _repairs(frame.columns, block_size):
        mask = frame.select(wrong.fill_null(value=False)).to_series()
        count = int(mask.sum())
        if not count:
            continue
        counts[reason] = counts.get(reason, 0) + count
        frame = frame.with_columns(
            pl.when(mask).then(None).otherwise(pl.col(target)).alias(target),
            pl.when(mask).then(pl.col("flags") | flag).otherwise(pl.col("flags")).alias("flags"),
        )
    return frame, counts


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
    failed, many = pl.col("outcome") != "ok", pl.col("output_tokens") > 1
    cached, reasoning = pl.col("cached_tokens"), pl.col("reasoning_tokens")
    parts = Flag.PART_EXCEEDS_WHOLE
    rules = [
        *((name, f"negative {name}", mixed, (name,), pl.col(name) < 0) for name in sorted(_TIMES)),
        *(
            (name, LONG[name], mixed, (name,), pl.col(name) > DAY_NS)
            for name in ("e2e_ns", "last_token_ns", "queue_ns", "ttft_ns")
        ),
        *(
            (name, f"zero {name}", zero, (name,), pl.col(name) == 0)
            for name in ("e2e_ns", "last_token_ns", "ttft_ns")
        ),
        *(
            (name, f"zero {name} of a failed request", zero, ("outcome",), failed & (pl.col(name) == 0))
            for name in ("output_tokens", "cached_tokens", "reasoning_tokens")
        ),
        ("last_token_ns", "last_token_ns after e2e_ns", mixed, ("e2e_ns",), last > e2e),
        ("ttft_ns", LATE, late, ("e2e_ns",), ttft > e2e),
        ("ttft_ns", "ttft_ns after last_token_ns", late, ("last_token_ns",), ttft > last),
        ("ttft_ns", NO_STREAM, Flag.NO_STREAM, ("streaming",), ~pl.col("streaming")),
        (
            "ttft_ns",
            "ttft_ns equal to e2e_ns",
            Flag.NO_STREAM,
            ("e2e_ns", "output_tokens"),
            (ttft == e2e) & many,
        ),
        ("queue_ns", "queue_ns after ttft_ns", mixed, ("ttft_ns",), queue > ttft),
        ("queue_ns", "queue_ns after e2e_ns", mixed, ("e2e_ns",), queue > e2e),
        ("cached_tokens", CACHED, parts, (), cached > pl.col("input_tokens")),
        ("reasoning_tokens", REASONING, parts, ("output_tokens",), reasoning > pl.col("output_tokens")),
    ]  # fmt: skip
    if block_size:
        misfit = _misfit(block_size)
        reason = "block_ids that do not fit input_tokens"
        rules.append(("block_ids", reason, Flag.TRUNCATED, (), misfit))
    return [
        (target, reason, int(flag), wrong)
        for target, reason, flag, others, wrong in rules
        if target in present and all(name in present for name in others)
    ]
