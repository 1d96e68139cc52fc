"""Text to values: integers, switches, words, block ids.

Each reader has a fast path over the whole series; what that path refuses, and only that, goes to a
slower and more patient one. A text that neither can read becomes null with a reason beside it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from workloadlab.ingestion.parsing.text import texts

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ABSURD",
    "GROUPED",
    "MARKS",
    "MAX_TOKENS",
    "NO",
    "YES",
    "Parsed",
    "block_lists",
    "by_distinct",
    "hashed_block",
    "integers",
    "is_number",
    "judged",
    "missing",
    "patched",
    "reals",
    "switches",
    "words",
]

MAX_TOKENS = 10_000_000
SPREAD = 500
"""Texts of a column by which it is told whether there are few; in shorter columns that saves nothing."""
FEW = 50
ABSURD = "absurd token count"
_BOUNDS: dict[pl.DataType, tuple[int, int]] = {
    pl.UInt32(): (0, 2**32 - 1),
    pl.Int16(): (-(2**15), 2**15 - 1),
}
_NO_VALUE = (
    "", "-", "--", "\\n", "null", "(null)", "<null>", "nil", "(nil)", "<nil>", "none", "nan", "na",
    "n/a", "#n/a", "<na>", "nat", "undefined", "inf", "-inf", "+inf", "infinity", "-infinity",
)  # fmt: skip
MISSING = tuple(
    dict.fromkeys(
        spelled
        for word in _NO_VALUE
        for spelled in (word, word.upper(), word.title(), "NaN", "NaT")
    )
)

NO_BLOCKS = "not a list of block ids"
YES, NO = ("true", "1", "1.0", "yes", "t", "y"), ("false", "0", "0.0", "no", "f", "n")
MARKS = r"[,_' \x{a0}\x{202f}\x{2019}]"
GROUPED = rf"^[+-]?\d{{1,3}}({MARKS}\d{{2,3}})*{MARKS}\d{{3}}(\.\d*)?$"
"""A number with marks between thousands, or as in India between hundreds of them."""


class Parsed(NamedTuple):
    """Values of one column.

    Attributes:
        values: the values; null where the text is missing or unreadable.
        problem: the reason beside each unreadable text, null elsewhere; None when all is well.
        naive: whether a datetime without a zone was taken as UTC.
        mixed: epochs in another unit than the others.
    """

    values: pl.Series
    problem: pl.Series | None = None
    naive: bool = False
    mixed: int = 0


def is_number(text: str) -> bool:
    """Say whether the text is a finite number."""
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def integers(text: pl.Series, dtype: pl.DataType, *, tokens: bool = False) -> Parsed:
    """Read whole numbers; `76.0` is one, `76.5` is not.

    Args:
        text: String series, or a plain one.
        dtype: integer type of the result.
        tokens: name the reasons after token counts and refuse more than 10 million.
    """
    low, high = _BOUNDS[dtype]
    if tokens:
        high = MAX_TOKENS
    text = wide = text if text.dtype.is_numeric() else texts(text)
    if text.dtype == pl.String:
        wide = patched(text, text.cast(pl.Int64, strict=False), _patient_integers)
    elif text.dtype != dtype:
        wide = _whole(text) if text.dtype == pl.Float64 else text.cast(pl.Int64)
    inside = wide.is_between(low, high)
    if inside.all() and wide.null_count() == text.null_count():
        return Parsed(wide.cast(dtype))
    below = "negative token count" if tokens else "out of range"
    above = ABSURD if tokens else "out of range"
    problem = (
        pl.select(
            pl.when(wide < low)
            .then(pl.lit(below))
            .when(wide > high)
            .then(pl.lit(above))
            .when(wide.is_null() & ~missing(text))
            .then(pl.lit("not an integer"))
        )
        .to_series()
        .alias("problem")
    )
    return Parsed(wide.set(~inside, None).cast(dtype), problem if problem.count() else None)


def reals(text: pl.Series) -> Parsed:
    """Read finite decimal numbers as Float32."""
    wide = text.str.strip_chars().cast(pl.Float64, strict=False)
    return judged(text, wide.set(~wide.is_finite(), None).cast(pl.Float32), "not a number")


def switches(text: pl.Series) -> Parsed:
    """Read true/false, 1/0, yes/no, t/f, y/n in any case."""
    lower = text.str.strip_chars().str.to_lowercase()
    values = pl.select(
        pl.when(lower.is_in(YES)).then(statement=True).when(lower.is_in(NO)).then(False)  # noqa: FBT003
    ).to_series()
    return judged(text, values, "not true or false")


def words(text: pl.Series) -> Parsed:
    """Keep text as it is; what stands for a missing value becomes null."""
    return Parsed(text.set(missing(text), None))


def block_lists(lists: pl.Series) -> Parsed:
    """Read block ids: a list series as it is, or text that holds a JSON list."""
    if isinstance(lists.dtype, pl.List):
        if not lists.explode(empty_as_null=False, keep_nulls=False).null_count():
            return Parsed(lists)
        whole = lists.list.drop_nulls().list.len() == lists.list.len()
        return judged(lists, lists.set(~whole, None), NO_BLOCKS)
    read = [_json_list(text) for text in lists]
    return judged(lists, pl.Series(read, dtype=pl.List(pl.UInt64)), NO_BLOCKS)


def hashed_block(item: Any) -> int:
    """Return one block id as 64 bits: integers modulo 2**64, strings by hash.

    Raises:
        TypeError: neither an integer nor a string.
    """
    if isinstance(item, bool) or not isinstance(item, int | str):
        raise TypeError(item)
    if isinstance(item, int):
        return item % 2**64
    return int.from_bytes(hashlib.blake2b(item.encode(), digest_size=8).digest(), "big")


def _json_list(text: str | None) -> list[int] | None:
    try:
        return [hashed_block(item) for item in json.loads(text or "null")]
    except (ValueError, TypeError, RecursionError):
        return None


def missing(text: pl.Series) -> pl.Series:
    """Say which texts stand for a missing value."""
    if text.dtype == pl.Float64:
        return text.is_null() | ~text.is_finite()
    if text.dtype != pl.String:
        return text.is_null()
    return text.is_null() | text.str.strip_chars().is_in(MISSING)


def judged(text: pl.Series, values: pl.Series, reason: str) -> Parsed:
    """Give `reason` to every text that was there and could not be read."""
    if values.null_count() == text.null_count():
        return Parsed(values)
    bad = values.is_null() & ~missing(text)
    if not bad.any():
        return Parsed(values)
    return Parsed(values, pl.select(pl.when(bad).then(pl.lit(reason))).to_series())


def patched(
    text: pl.Series, fast: pl.Series, patient: Callable[[pl.Series], pl.Series]
) -> pl.Series:
    """Ask the patient reader about the texts that the fast one refused."""
    if fast.null_count() == text.null_count():
        return fast
    left = (fast.is_null() & text.is_not_null()).arg_true()
    return fast.scatter(left, patient(texts(text.gather(left))))


def by_distinct(text: pl.Series, read: Callable[[pl.Series], Parsed]) -> Parsed:
    """Read each distinct text once where a column seems to have few of them."""
    spread = text.gather_every(max(1, text.len() // SPREAD))
    if text.dtype != pl.String or text.len() < 10 * SPREAD or spread.n_unique() > FEW:
        return read(text)
    coded = text.to_arrow().dictionary_encode()
    few: pl.Series = pl.Series(text.name, coded.dictionary, dtype=pl.String).extend_constant(
        None, 1
    )
    places = pl.Series(coded.indices).cast(pl.UInt32).fill_null(few.len() - 1)
    found = read(few)
    problem = None if found.problem is None else found.problem.gather(places)
    return found._replace(values=found.values.gather(places), problem=problem)


def _patient_integers(text: pl.Series) -> pl.Series:
    bare = text.str.strip_chars()
    plain = bare.str.replace_all(MARKS, "")
    bare = pl.select(pl.when(bare.str.contains(GROUPED)).then(plain).otherwise(bare)).to_series()
    return _whole(bare.cast(pl.Float64, strict=False))


def _whole(number: pl.Series) -> pl.Series:
    whole = number.is_finite() & (number == number.round())
    return number.set(~whole, None).clip(-1e18, 1e18).cast(pl.Int64)
