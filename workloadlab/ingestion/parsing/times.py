"""Text to nanoseconds, exactly.

A fast path reads the layout that most logs have; what it refuses goes to a patient one.
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

import polars as pl

from workloadlab.ingestion.parsing.dates import DATES, MAX_NS, moments, uniform
from workloadlab.ingestion.parsing.text import texts
from workloadlab.ingestion.parsing.values import GROUPED, MARKS, Parsed, judged, patched

__all__ = ["EPOCHS_NS", "EPOCH_S", "SIZES_NS", "UNITS", "durations", "epoch_unit", "instants"]

UNITS = {"s": 9, "ms": 6, "us": 3, "ns": 0}
"""Decimal places from each unit down to the nanosecond."""
_LONG_UNITS_S = {"min": 60, "h": 3_600}
SIZES_NS = {unit: 10**places for unit, places in UNITS.items()} | {
    unit: size_s * 10**9 for unit, size_s in _LONG_UNITS_S.items()
}
"""Every unit that a user or a name may say; minutes and hours are never guessed."""

_NO_TIME = r"^\s*(0001-01-01|0000-00-00)"
"""The zero of Go's clock and of MySQL's dates: no time at all."""
_NO_DATE = date(1, 1, 1)
_COMPOSED = (
    r"^(?:(\d{1,4})d)?(?:(\d{1,6})h)?(?:(\d{1,7}) ?m(?:in(?:ute)?s?)?)?(?:(\d{1,9}(?:\.\d+)?)s)?$",
    r"^P(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9}(?:\.\d+)?)S)?)?$",
    r"^(?:(\d{1,4}) days?,? )?(?:(\d{1,6}):)?(\d{1,2}):(\d\d(?:\.\d{1,9})?)$",
)
"""Durations of days, hours, minutes and seconds: `1m2.5s`, `PT1M2.5S`, `1:02.5`, `0 days 00:01:02.5`."""
_SUFFIXED = (
    r"^([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(ns|us|\x{00b5}s|\x{03bc}s|ms|msec|s|sec|secs|seconds?)$"
)
_LONG = r"^(\d+\.\d+)\s*(m|min|mins|minutes?|h|hr|hrs|hours?)$"
_SUFFIX_NS = {
    "ns": 0, "us": 3, "\u00b5s": 3, "\u03bcs": 3, "ms": 6, "s": 9, "sec": 9, "secs": 9, "seconds": 9,
    "second": 9, "msec": 6,
}  # fmt: skip
EPOCH_S = 1e8
"""From which on a number is no count from a start, but an epoch."""
EPOCHS_NS = (10**18, 4_102_444_800 * 10**9)
"""2001 and 2100: an epoch outside was read in the wrong unit."""
_DECIMAL = r"^[+-]?\d{1,19}(\.\d*)?$"


def epoch_unit(value: float) -> str | None:
    """Return the unit of an epoch by its size, or None if it is none.

    Example:
        >>> epoch_unit(1790000000.5), epoch_unit(1790000000500), epoch_unit(12.5)
        ('s', 'ms', None)
    """
    size = abs(value)
    limits = (("ns", 1e9), ("us", 1e6), ("ms", 1e3), ("s", 1.0))
    return next((unit for unit, limit in limits if size >= EPOCH_S * limit), None)


def durations(text: pl.Series, unit: str) -> Parsed:
    """Read numbers of `unit` as whole nanoseconds, exactly to the last decimal given.

    Where the unit is one of dates, a moment stands in place of a duration, and nothing can be read.
    """
    if unit in DATES:
        return judged(text, _none(text), "a moment, not a duration")
    if unit in _LONG_UNITS_S:
        return judged(text, _long(text, _LONG_UNITS_S[unit]), "unparseable time")
    return judged(text, _nanoseconds(text, UNITS[unit]), "unparseable time")


def _long(text: pl.Series, size_s: int) -> pl.Series:
    """Read minutes or hours; what says its own unit, or stands as on a clock, is that."""
    seconds = _nanoseconds(text, UNITS["s"])
    bare = text.cast(pl.String).str.strip_chars().str.replace_all(MARKS, "")
    number = bare.cast(pl.Float64, strict=False).is_not_null()
    return seconds.zip_with(~number, seconds * size_s)


def instants(text: pl.Series, unit: str, *, by_size: bool = False) -> Parsed:
    """Read times as nanoseconds: since 1970 for dates, from the log's own zero for numbers.

    Epochs among dates, and dates among epochs, are read as what they are.

    Args:
        text: String series, or a plain one.
        unit: s, ms, us or ns for numbers; `datetime`, `dmy` or `mdy` for text, where a missing zone is
            UTC.
        by_size: whether numbers are epochs, each of which tells its unit by its size.
    """
    if unit not in DATES:
        return _epochs(text, unit) if by_size else durations(text, unit)
    if isinstance(text.dtype, pl.Datetime):
        zoneless = text.dtype.time_zone is None and text.count() > 0
        dated = text.set(text.dt.date() == _NO_DATE, None)
        return judged(dated, _ticks(dated, text.dtype), "unparseable time")._replace(naive=zoneless)
    text = texts(text)
    naive: list[bool] = []

    def patient(rest: pl.Series) -> pl.Series:
        values, without_zone = moments(rest, unit)
        naive.append(without_zone)
        return patched(rest, values, lambda left: _own_units(left, _none(left), ""))

    fast, without_zone = uniform(text)
    values = patched(text, fast, patient)
    found = judged(text, values, "unparseable time")
    if found.problem is not None:
        found = found._replace(problem=found.problem.set(text.str.contains(_NO_TIME), None))
    return found._replace(naive=without_zone or any(naive))


def _epochs(text: pl.Series, unit: str) -> Parsed:
    read = durations(text, unit)
    own = _own_units(text, read.values, unit)
    naive = False
    if read.problem is not None:
        dated = instants(text.set(read.problem.is_null(), None), DATES[0])
        own, naive = pl.select(pl.coalesce(own, dated.values)).to_series(), dated.naive
    mixed = int((own.is_not_null() & read.values.is_not_null() & own.ne_missing(read.values)).sum())
    return judged(text, own, "unparseable time")._replace(mixed=mixed, naive=naive)


def _none(text: pl.Series) -> pl.Series:
    return pl.Series([None], dtype=pl.Int64).new_from_index(0, text.len())


def _own_units(text: pl.Series, values: pl.Series, unit: str) -> pl.Series:
    """Read again, in another unit, epochs that lie before 1990 or after 2100."""
    for other, places in UNITS.items():
        near = values.is_between(*EPOCHS_NS) | (values == 0)
        off = ~near.fill_null(value=False) & text.is_not_null()
        if other == unit or not off.any():
            continue
        again = _nanoseconds(text.cast(pl.String), places)
        fits = off & again.is_between(*EPOCHS_NS)
        values = values.zip_with(~fits.fill_null(value=False), again)
    return values


def _nanoseconds(text: pl.Series, places: int) -> pl.Series:
    scale = 10**places
    if text.dtype == pl.Float64:
        fast = _surely_rounded(text * float(scale))
    else:
        text = text if text.dtype.is_integer() else texts(text)
        whole = text.cast(pl.Int64, strict=False)
        fast = whole.set(~whole.is_between(-(MAX_NS // scale), MAX_NS // scale), None) * scale
    return patched(text, fast, lambda rest: _fractions(rest, places))


def _fractions(text: pl.Series, places: int) -> pl.Series:
    """Read numbers by way of floats where those are exact enough, and of their digits elsewhere."""
    number = text.cast(pl.Float64, strict=False) * float(10**places)
    return patched(text, _surely_rounded(number), lambda rest: _decimals(rest, places))


def _surely_rounded(number: pl.Series) -> pl.Series:
    """Round a product of floats where its error, below 2**-12, cannot change the result."""
    rounded = number.round()
    off = (number - rounded).abs()
    sure = (number.abs() < 2.0**40) & (off < 0.499)
    return rounded.set(~sure, None).cast(pl.Int64)


def _decimals(text: pl.Series, places: int) -> pl.Series:
    """Shift the decimal point by text, so that no digit passes through a float; half away from 0."""
    stripped = text.str.strip_chars()
    parts = stripped.str.strip_chars_start("+-").str.splitn(".", 2)
    digits = parts.struct[1].fill_null("") + "0" * (places + 1)
    whole = parts.struct[0].cast(pl.Int64, strict=False)
    whole = whole.set(~whole.is_between(0, MAX_NS // 10**places - 1), None)
    below = (
        digits.str.slice(0, places).cast(pl.Int64, strict=False) if places else pl.lit(0, pl.Int64)
    )
    rounded = digits.str.slice(places, 1).cast(pl.Int64, strict=False) >= 5
    number = pl.Series([_raised(each, places) for each in stripped], dtype=pl.Int64)
    if number.null_count() > text.null_count():
        number = patched(text, number, lambda rest: _worded(rest, places))
    exact = whole * 10**places + below + rounded.cast(pl.Int64)
    return pl.select(
        pl.when(stripped.str.contains(_DECIMAL))
        .then(pl.when(stripped.str.starts_with("-")).then(-exact).otherwise(exact))
        .otherwise(number)
    ).to_series()


def _raised(text: str | None, places: int) -> int | None:
    """Read a number with an exponent."""
    if text is None or "e" not in text.lower():
        return None
    try:
        shifted = Decimal(text).scaleb(places)
    except InvalidOperation:
        return None
    if not abs(shifted) < MAX_NS:
        return None
    return int(shifted.to_integral_value(ROUND_HALF_UP))


def _worded(text: pl.Series, places: int) -> pl.Series:
    """Read durations with their units (`1.5s`, `1m2s`), as a clock (`0:01:30.5`), and `1,234.5`."""
    bare = text.str.strip_chars()
    parts = bare.str.extract_groups(_SUFFIXED).struct.unnest()
    found = _none(text)
    for suffix, shift in _SUFFIX_NS.items():
        mine = parts.to_series(1) == suffix
        if mine.any():
            read = _nanoseconds(parts.to_series(0), shift)
            found = found.zip_with(~mine.fill_null(value=False), read)
    longer = bare.str.extract_groups(_LONG).struct.unnest()
    if longer.to_series(0).count():
        size = pl.when(longer.to_series(1).str.starts_with("h")).then(3600).otherwise(60)
        read = longer.to_series(0).cast(pl.Float64) * pl.select(size).to_series()
        found = pl.select(pl.coalesce(found, (read * 1e9).round().cast(pl.Int64))).to_series()
    for layout in _COMPOSED:
        found = pl.select(
            pl.coalesce(found, _composed(bare.str.extract_groups(layout)))
        ).to_series()
    thousands = bare.str.contains(GROUPED).fill_null(value=False)
    if thousands.any():
        read = _nanoseconds(bare.str.replace_all(MARKS, ""), places)
        found = found.zip_with(~thousands, read)
    return found


def _composed(groups: pl.Series) -> pl.Series:
    """Add days, hours, minutes and seconds; null where there is none of them."""
    *parts, seconds = groups.struct.unnest().get_columns()
    below = _nanoseconds(seconds, 9)
    for part, size_s in zip(parts, (86_400, 3_600, 60), strict=True):
        whole = part.cast(pl.Int64, strict=False) * (size_s * 10**9)
        below = below.fill_null(0).set(whole.is_null() & below.is_null(), None) + whole.fill_null(0)
    return below


def _ticks(moments: pl.Series, dtype: pl.Datetime) -> pl.Series:
    """Return datetimes as nanoseconds since 1970; null where those leave 64 bits."""
    scale = {"ns": 1, "us": 1_000, "ms": 1_000_000}[dtype.time_unit]
    limit = MAX_NS // scale
    ticks = moments.to_physical()
    return ticks.set(~ticks.is_between(-limit, limit), None) * scale
