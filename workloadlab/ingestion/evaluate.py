"""Text columns and the words of a format to typed values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.ingestion.formats.trees import keys
from workloadlab.ingestion.formats.words import (
    LENGTH,
    PRESENT,
    Apart,
    At,
    Choose,
    Earlier,
    First,
    Joined,
    Key,
    Minus,
    Only,
    Tokens,
    Total,
    Value,
)
from workloadlab.ingestion.parsing.outcomes import outcomes
from workloadlab.ingestion.parsing.text import texts
from workloadlab.ingestion.parsing.times import SIZES_NS, durations, instants
from workloadlab.ingestion.parsing.values import (
    Parsed,
    block_lists,
    by_distinct,
    integers,
    missing,
    reals,
    switches,
    words,
)
from workloadlab.trace import COLUMNS

if TYPE_CHECKING:
    from workloadlab.ingestion.formats import Column

__all__ = ["evaluate", "matches", "text_of_value"]

MOMENT, DURATION = "moment", "duration"
_READ = {pl.Float32(): reals, pl.Boolean(): switches, pl.String(): outcomes}


def evaluate(frame: pl.DataFrame, column: Column) -> Parsed:
    """Return the values of a trace column.

    Args:
        frame: text columns by key.
        column: what to make of them; every time in it has its unit.
    """
    kind = column.target
    if column.target.endswith("_ns"):
        kind = MOMENT if column.target == "arrival_ns" else DURATION
    names = keys(column.source)
    if isinstance(column.source, str | Key) or kind in (MOMENT, DURATION) or len(names) > 1:
        return _typed(frame, column.source, kind, column)
    return by_distinct(
        frame[names[0]], lambda text: _typed(text.to_frame(), column.source, kind, column)
    )


def _typed(frame: pl.DataFrame, value: Value, kind: str, column: Column) -> Parsed:
    if isinstance(value, First):
        return _coalesced([_typed(frame, each, kind, column) for each in value.values])
    if isinstance(value, Total):
        return _summed([_typed(frame, each, kind, column) for each in value.values])
    if isinstance(value, Apart):
        return _apart(frame, value, kind, column)
    if isinstance(value, Minus) and kind not in (MOMENT, DURATION):
        return _less(frame, value, kind, column)
    if isinstance(value, Minus):
        end = _typed(frame, value.end, MOMENT, column)
        start = _typed(frame, value.start, DURATION if kind == MOMENT else MOMENT, column)
        return Parsed(end.values - start.values, end.problem, end.naive or start.naive)
    if isinstance(value, Only):
        found = _typed(frame, value.value, kind, column)
        keep = matches(frame, value)
        problem = None if found.problem is None else found.problem.set(~keep, None)
        return found._replace(values=_where(found.values, keep), problem=problem)
    if column.target == "token_offsets_ns":
        return _token_times(frame, value, column)
    if column.reading:
        return _read(column.reading(text_of_value(frame, value)), value, kind)
    return _read(_held(frame, value), value, kind)


def _held(frame: pl.DataFrame, value: Value) -> pl.Series:
    """Return a value as the log holds it: numbers and times as such, where they were not text."""
    return frame[keys(value)[0]] if isinstance(value, str | Key) else text_of_value(frame, value)


def _read(text: pl.Series, value: Value, kind: str) -> Parsed:
    if kind in (MOMENT, DURATION):
        leaf = _leaf(value)
        if kind == DURATION:
            return durations(text, leaf.unit or "s")
        return instants(text, leaf.unit or "s", by_size=leaf.by_size)
    dtype = COLUMNS.get(kind, pl.String())
    if dtype.is_integer():
        return integers(text, dtype, tokens=kind.endswith("_tokens"))
    if isinstance(dtype, pl.List):
        return block_lists(text)
    text = texts(text)
    if kind != "outcome" and dtype == pl.String():
        return words(text)
    return by_distinct(text, _READ[dtype])


def _leaf(value: Value) -> Key:
    while not isinstance(value, str | Key):
        if isinstance(value, First | Joined):
            value = value.values[0]
            continue
        value = value.list if isinstance(value, At) else value.value  # type: ignore[union-attr]
    return Key(value) if isinstance(value, str) else value


def _where(values: pl.Series, keep: pl.Series) -> pl.Series:
    return pl.select(pl.when(keep).then(values).otherwise(None)).to_series().cast(values.dtype)


def _coalesced(parts: list[Parsed]) -> Parsed:
    """Take the first value that is there; what cannot be read matters where none is."""
    values, problem = parts[0].values, parts[0].problem
    for part in parts[1:]:
        values = pl.select(pl.coalesce(values, part.values)).to_series()
        if part.problem is not None:
            problem = (
                part.problem
                if problem is None
                else pl.select(pl.coalesce(problem, part.problem)).to_series()
            )
    if problem is not None:
        problem = problem.set(values.is_not_null(), None)
    return Parsed(values, problem, any(part.naive for part in parts))


def _summed(parts: list[Parsed]) -> Parsed:
    values, problem = parts[0].values, parts[0].problem
    for part in parts[1:]:
        values = values + part.values.fill_null(0)
        if part.problem is not None:
            problem = (
                part.problem
                if problem is None
                else problem.zip_with(problem.is_not_null(), part.problem)
            )
    return Parsed(values, problem, any(part.naive for part in parts))


def _less(frame: pl.DataFrame, value: Minus, kind: str, column: Column) -> Parsed:
    """Subtract counts; below zero is no count."""
    whole, part = (_typed(frame, each, kind, column) for each in (value.end, value.start))
    rest = whole.values.cast(pl.Int64) - part.values.cast(pl.Int64)
    below = pl.select(pl.when(rest < 0).then(pl.lit("negative token count"))).to_series()
    found = [each for each in (whole.problem, part.problem, below) if each is not None]
    problem = pl.select(pl.coalesce(found)).to_series()
    values = rest.set(rest < 0, None).cast(whole.values.dtype)
    return Parsed(values, problem if problem.count() else None)


def _apart(frame: pl.DataFrame, value: Apart, kind: str, column: Column) -> Parsed:
    base = _typed(frame, value.value, kind, column)
    part, other, whole = (
        _typed(frame, each, kind, column).values for each in (value.part, value.other, value.whole)
    )
    inside = (base.values + other.fill_null(0) == whole).fill_null(value=False)
    added = pl.select(pl.when(inside).then(0).otherwise(part.fill_null(0))).to_series()
    return base._replace(values=base.values + added.cast(base.values.dtype))


def _token_times(frame: pl.DataFrame, value: Value, column: Column) -> Parsed:
    """Read times after arrival, be they listed as such, as gaps, or as moments."""
    source = value.list if isinstance(value, Tokens) else value
    unit = float(SIZES_NS[_leaf(source).unit or "s"])
    listed = _split(text_of_value(frame, source)).cast(pl.List(pl.Float64), strict=False)
    if not isinstance(value, Tokens):
        offsets = listed.to_frame("list").select(pl.col("list") * unit)
    elif value.moments:
        start = text_of_value(frame, value.first).cast(pl.Float64, strict=False)
        offsets = pl.DataFrame({"list": listed, "start": start}).select(
            (pl.col("list") - pl.col("start")) * unit
        )
    else:
        first = _typed(frame, value.first, DURATION, replace(column, target="ttft_ns"))
        both = pl.DataFrame({"list": listed, "first": first.values.cast(pl.Float64)})
        offsets = both.select(
            pl.when(pl.col("first") > 0).then(
                pl.concat_list("first", pl.col("list") * unit).list.eval(pl.element().cum_sum())
            )
        )
    whole = pl.element().round().cast(pl.Int64, strict=False)
    times = offsets.to_series().alias("times").list.eval(whole).cast(pl.List(pl.Int64))
    given, least = pl.col("times").list.drop_nulls().list.len(), pl.col("times").list.min()
    sound = (given == pl.col("times").list.len()) & (least >= 0).fill_null(value=True)
    return Parsed(times.to_frame().select(pl.when(sound).then("times")).to_series())


def text_of_value(frame: pl.DataFrame, value: Value) -> pl.Series:
    """Return a value as text."""
    if isinstance(value, str | Key):
        return texts(frame[keys(value)[0]])
    if isinstance(value, First):
        found = [text_of_value(frame, each) for each in value.values]
        present = [_where(text, ~missing(text)) for text in found]
        return pl.select(pl.coalesce(present)).to_series()
    if isinstance(value, At):
        return _element(text_of_value(frame, value.list), value.place)
    if isinstance(value, Choose):
        return _chosen(_held(frame, value.value), value)
    if isinstance(value, Only):
        return _where(text_of_value(frame, value.value), matches(frame, value))
    if isinstance(value, Joined):
        parts = [text_of_value(frame, each) for each in value.values]
        return pl.select(pl.concat_str(parts, separator="/")).to_series()
    if isinstance(value, Earlier):
        before = _moments(frame, value.value) < _moments(frame, value.than)
        return _where(text_of_value(frame, value.value), before.fill_null(value=True))
    raise TypeError(value)


def _moments(frame: pl.DataFrame, value: Value) -> pl.Series:
    leaf = _leaf(value)
    return instants(text_of_value(frame, value), leaf.unit or "s", by_size=leaf.by_size).values


def _split(text: pl.Series) -> pl.Series:
    bare = text.cast(pl.String).str.strip_chars("[] \n")
    parts = bare.str.split(",").list.eval(pl.element().str.strip_chars(' "'))
    return pl.select(pl.when(bare == "").then([]).otherwise(parts)).to_series()


def _element(text: pl.Series, place: int | str | None) -> pl.Series:
    parts = _split(text)
    if place == LENGTH:
        return parts.list.len().cast(pl.String)
    if place is None:
        return parts.cast(pl.List(pl.Float64), strict=False).list.sum().cast(pl.String)
    return parts.list.get(int(place), null_on_oob=True)


def _chosen(held: pl.Series, value: Choose) -> pl.Series:
    absent = missing(held)
    named = {key.lower(): word for key, word in value.table.items() if key is not None}
    given = pl.lit(texts(held) if value.otherwise is None else value.otherwise)
    if named:
        lower = texts(held).str.strip_chars().str.to_lowercase()
        found = lower.replace_strict(named, default=None, return_dtype=pl.String)
        given = pl.coalesce(found, given)
    none = pl.lit(value.table.get(None), pl.String)
    return pl.select(pl.when(absent).then(none).otherwise(given)).to_series().cast(pl.String)


def matches(frame: pl.DataFrame, asked: Only) -> pl.Series:
    """Say where a condition holds."""
    held = _held(frame, asked.key)
    if asked.texts == PRESENT:
        return missing(held) if asked.negated else ~missing(held)
    wanted = [word.lower() for word in asked.texts]
    found = texts(held).str.strip_chars().str.to_lowercase().is_in(wanted).fill_null(value=False)
    return ~found if asked.negated else found
