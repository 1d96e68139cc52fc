"""Text to values: integers, times, switches.

Each reader has a fast path over the whole series; what that path refuses, and only that, goes to a
slower and more patient one. A text that neither can read becomes null with a reason beside it.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from workloadlab.trace import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DATETIME",
    "UNITS",
    "Parsed",
    "block_lists",
    "durations",
    "hashed_block",
    "instants",
    "integers",
    "is_datetime",
    "is_number",
    "outcomes",
    "reals",
    "switches",
    "words",
]

UNITS = {"s": 9, "ms": 6, "us": 3, "ns": 0}
"""Decimal places from each unit down to the nanosecond."""

DATETIME = "datetime"
"""The unit of a column that holds ISO 8601 text."""

MAX_TOKENS = 10_000_000
MAX_NS = 2**63 - 1
_BOUNDS: dict[pl.DataType, tuple[int, int]] = {
    pl.UInt64(): (0, MAX_NS),
    pl.UInt32(): (0, 2**32 - 1),
    pl.UInt16(): (0, 2**16 - 1),
    pl.Int16(): (-(2**15), 2**15 - 1),
}
MISSING = ("", "-", "null", "NULL", "None", "nan", "NaN", "NA", "N/A")

_ISO = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?")
_ISO_GROUPS = (
    r"^(?P<day>\d{4}-\d\d-\d\d)[ T](?P<clock>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d+))?"
    r" ?(?P<zone>Z|UTC|[+-]\d\d:?\d\d)?$"
)
_DECIMAL = r"^[+-]?\d{1,19}(\.\d*)?$"
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")
_OUTCOME_OF = {name: name for name in OUTCOMES} | {
    "success": "ok",
    "succeeded": "ok",
    "completed": "ok",
    "failure": "error",
    "failed": "error",
    "canceled": "cancelled",
    "aborted": "cancelled",
    "abort": "cancelled",
    "true": "ok",
    "false": "error",
}


class Parsed(NamedTuple):
    """Values of one column.

    Attributes:
        values: the values; null where the text is missing or unreadable.
        problem: the reason beside each unreadable text, null elsewhere; None when all is well.
        naive: whether a datetime without a zone was taken as UTC.
    """

    values: pl.Series
    problem: pl.Series | None = None
    naive: bool = False


def is_number(text: str) -> bool:
    """Say whether the text is a finite number."""
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def is_datetime(text: str) -> bool:
    """Say whether the text is an ISO 8601 date and time."""
    return bool(pl.Series([text.strip()]).str.contains(_ISO_GROUPS).item())


def integers(text: pl.Series, dtype: pl.DataType, *, tokens: bool = False) -> Parsed:
    """Read whole numbers; `76.0` is one, `76.5` is not.

    Args:
        text: String series, or one of `dtype`.
        dtype: integer type of the result.
        tokens: name the reasons after token counts and refuse more than 10 million.
    """
    low, high = _BOUNDS[dtype]
    if tokens:
        high = MAX_TOKENS
    wide = text
    if text.dtype == pl.String:
        wide = _patched(text, text.cast(pl.Int64, strict=False), _patient_integers)
    inside = wide.is_between(low, high)
    if inside.all() and wide.null_count() == text.null_count():
        return Parsed(wide.cast(dtype))
    below = "negative token count" if tokens else "out of range"
    above = "absurd token count" if tokens else "out of range"
    problem = (
        pl.select(
            pl.when(wide < low)
            .then(pl.lit(below))
            .when(wide > high)
            .then(pl.lit(above))
            .when(wide.is_null() & ~_missing(text))
            .then(pl.lit("not an integer"))
        )
        .to_series()
        .alias("problem")
    )
    return Parsed(wide.set(~inside, None).cast(dtype), problem)


def durations(text: pl.Series, unit: str) -> Parsed:
    """Read numbers of `unit` as whole nanoseconds, exactly to the last decimal given."""
    return _judged(text, _nanoseconds(text, UNITS[unit]), "unparseable time")


def instants(text: pl.Series, unit: str) -> Parsed:
    """Read times as nanoseconds: since 1970 for datetimes, from the log's own zero for numbers.

    Args:
        text: String series.
        unit: s, ms, us or ns for numbers; `datetime` for ISO 8601 text, where a missing zone is UTC.
    """
    if unit != DATETIME:
        return durations(text, unit)
    naive: list[bool] = []

    def patient(rest: pl.Series) -> pl.Series:
        values, without_zone = _patient_datetimes(rest)
        naive.append(without_zone)
        return values

    fast, without_zone = _uniform_datetimes(text)
    values = _patched(text, fast, patient)
    return _judged(text, values, "unparseable time")._replace(naive=without_zone or any(naive))


def reals(text: pl.Series) -> Parsed:
    """Read finite decimal numbers as Float32."""
    wide = text.str.strip_chars().cast(pl.Float64, strict=False)
    return _judged(text, wide.set(~wide.is_finite(), None).cast(pl.Float32), "not a number")


def switches(text: pl.Series) -> Parsed:
    """Read true/false, 1/0, yes/no in any case."""
    lower = text.str.strip_chars().str.to_lowercase()
    values = pl.select(
        pl.when(lower.is_in(_TRUE)).then(statement=True).when(lower.is_in(_FALSE)).then(False)  # noqa: FBT003
    ).to_series()
    return _judged(text, values, "not true or false")


def outcomes(text: pl.Series) -> Parsed:
    """Read how a request ended, with the usual synonyms of `workloadlab.trace.OUTCOMES`."""
    lower = text.str.strip_chars().str.to_lowercase()
    values = lower.replace_strict(_OUTCOME_OF, default=None, return_dtype=pl.String)
    return _judged(text, values, "unknown outcome")


def words(text: pl.Series) -> Parsed:
    """Keep text as it is; what stands for a missing value becomes null."""
    return Parsed(text.set(_missing(text), None))


def block_lists(lists: pl.Series) -> Parsed:
    """Read block ids: a list series as it is, or text that holds a JSON list."""
    if isinstance(lists.dtype, pl.List):
        return Parsed(lists)
    read = [_json_list(text) for text in lists]
    return _judged(lists, pl.Series(read, dtype=pl.List(pl.UInt64)), "not a list of block ids")


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
    except (ValueError, TypeError):
        return None


def _missing(text: pl.Series) -> pl.Series:
    if text.dtype != pl.String:
        return text.is_null()
    return text.is_null() | text.str.strip_chars().is_in(MISSING)


def _judged(text: pl.Series, values: pl.Series, reason: str) -> Parsed:
    """Give `reason` to every text that was there and could not be read."""
    if values.null_count() == text.null_count():
        return Parsed(values)
    bad = values.is_null() & ~_missing(text)
    if not bad.any():
        return Parsed(values)
    return Parsed(values, pl.select(pl.when(bad).then(pl.lit(reason))).to_series())


def _patched(
    text: pl.Series, fast: pl.Series, patient: Callable[[pl.Series], pl.Series]
) -> pl.Series:
    """Ask the patient reader about the texts that the fast one refused."""
    if fast.null_count() == text.null_count():
        return fast
    left = (fast.is_null() & text.is_not_null()).arg_true()
    return fast.scatter(left, patient(text.gather(left)))


def _patient_integers(text: pl.Series) -> pl.Series:
    number = text.str.strip_chars().cast(pl.Float64, strict=False)
    whole = number.is_finite() & (number == number.round())
    return number.set(~whole, None).clip(-1e18, 1e18).cast(pl.Int64)


def _nanoseconds(text: pl.Series, places: int) -> pl.Series:
    scale = 10**places
    whole = text.cast(pl.Int64, strict=False)
    fits = whole.is_between(-(MAX_NS // scale), MAX_NS // scale)
    fast = whole.set(~fits, None) * scale
    return _patched(text, fast, lambda rest: _patient_nanoseconds(rest, places))


def _patient_nanoseconds(text: pl.Series, places: int) -> pl.Series:
    """Shift the decimal point by text, so that no digit passes through a float; half away from 0.

    Numbers with an exponent do pass through one.
    """
    stripped = text.str.strip_chars()
    parts = stripped.str.strip_chars_start("+-").str.splitn(".", 2)
    digits = parts.struct[1].fill_null("") + "0" * (places + 1)
    whole = parts.struct[0].cast(pl.Int64, strict=False)
    whole = whole.set(~whole.is_between(0, MAX_NS // 10**places - 1), None)
    below = (
        digits.str.slice(0, places).cast(pl.Int64, strict=False) if places else pl.lit(0, pl.Int64)
    )
    rounded = digits.str.slice(places, 1).cast(pl.Int64, strict=False) >= 5
    number = stripped.cast(pl.Float64, strict=False) * float(10**places)
    number = number.set(~(number.abs() < 9.2e18), None)
    exact = whole * 10**places + below + rounded.cast(pl.Int64)
    return pl.select(
        pl.when(stripped.str.contains(_DECIMAL))
        .then(pl.when(stripped.str.starts_with("-")).then(-exact).otherwise(exact))
        .otherwise(number.round().cast(pl.Int64))
    ).to_series()


def _uniform_datetimes(text: pl.Series) -> tuple[pl.Series, bool]:
    """Read datetimes that all have the layout of the first; others become null."""
    present = text.drop_nulls()
    layout = _ISO.fullmatch(present[0]) if present.len() else None
    if layout is None:
        return pl.Series([None], dtype=pl.Int64).new_from_index(0, text.len()), False
    fraction, zone = layout.group(1) or "", layout.group(2) or ""
    first = present[0]
    dot = "." if fraction else ""
    clock = text.str.slice(0, 19 + len(dot)).str.to_datetime(
        f"%Y-%m-%d{first[10]}%H:%M:%S{dot}", time_unit="us", strict=False
    )
    fits = text.str.len_bytes() == len(first)
    values = _to_ns(clock.cast(pl.Int64))
    if fraction:
        digits = text.str.slice(20, len(fraction))
        below = digits.cast(pl.Int64, strict=False) * 10 ** (9 - len(fraction))
        values = values + below
        fits &= digits >= "0"  # neither sign
    if zone:
        fits &= text.str.ends_with(zone)
        values = values - _offset_ns(zone)
    return values.set(~fits, None), not zone


def _to_ns(microseconds: pl.Series) -> pl.Series:
    limit = MAX_NS // 1000 - 2_000_000
    return microseconds.set(~microseconds.is_between(-limit, limit), None) * 1000


def _offset_ns(zone: str) -> int:
    if zone in ("Z", "UTC"):
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return (-1 if zone[0] == "-" else 1) * minutes * 60_000_000_000


def _patient_datetimes(text: pl.Series) -> tuple[pl.Series, bool]:
    parts = text.str.strip_chars().str.extract_groups(_ISO_GROUPS).struct.unnest()
    clock = (parts["day"] + " " + parts["clock"]).str.to_datetime(
        "%Y-%m-%d %H:%M:%S", time_unit="us", strict=False
    )
    digits = parts["fraction"].fill_null("") + "0000000000"
    below = digits.str.slice(0, 9).cast(pl.Int64)
    rounded = digits.str.slice(9, 1).cast(pl.Int64) >= 5
    zones = {zone: _offset_ns(zone) for zone in parts["zone"].drop_nulls().unique()}
    offset = parts["zone"].replace_strict(zones, default=0, return_dtype=pl.Int64)
    values = _to_ns(clock.cast(pl.Int64)) + below + rounded.cast(pl.Int64) - offset
    return values, bool((values.is_not_null() & parts["zone"].is_null()).any())
