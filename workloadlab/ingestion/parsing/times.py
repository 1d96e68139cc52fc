"""Text to nanoseconds, exactly.

A fast path reads the layout that most logs have; what it refuses goes to a patient one.
"""

from __future__ import annotations

import re
from datetime import date

import polars as pl

from workloadlab.ingestion.parsing.text import texts
from workloadlab.ingestion.parsing.values import Parsed, judged, patched

__all__ = ["DATETIME", "UNITS", "durations", "instants", "is_datetime"]

UNITS = {"s": 9, "ms": 6, "us": 3, "ns": 0}
"""Decimal places from each unit down to the nanosecond."""

DATETIME = "datetime"
"""The unit of a column that holds ISO 8601 text."""

MAX_NS = 2**63 - 1
_ISO = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(Z|[+-]\d\d(?::?\d\d)?)?")
_ISO_GROUPS = (
    r"^(?P<day>\d{4}-\d\d-\d\d)[ T](?P<clock>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d+))?"
    r" ?(?P<zone>Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?(?: UTC| GMT)?$"
)
_DAY, _CLOCK_TEXT = r"(?P<d>\d{1,2})", r"(?P<clock>\d{1,2}:\d\d:\d\d(?:[.,]\d+)?)"
_MONTH, _YEAR, _ZONE = r"(?P<m>[A-Z][a-z]{2})", r"(?P<y>\d{4})", r"(?P<zone>GMT|UTC|[+-]\d{4})"
_WEEKDAY, _DATED = "[A-Z][a-z]{2}", "${y}-${m}-${d} ${clock}"
_LAYOUTS = (
    (rf"^{_DAY}/{_MONTH}/{_YEAR}:{_CLOCK_TEXT} {_ZONE}$", _DATED + "${zone}"),
    (rf"^{_WEEKDAY}, {_DAY} {_MONTH} {_YEAR} {_CLOCK_TEXT} {_ZONE}$", _DATED + "${zone}"),
    (
        rf"^{_WEEKDAY} {_MONTH} {_DAY} {_YEAR} {_CLOCK_TEXT} GMT(?P<zone>[+-]\d{{4}})(?: \(.*\))?$",
        _DATED + "${zone}",
    ),
    (rf"^{_WEEKDAY} {_MONTH} +{_DAY} {_CLOCK_TEXT} (?:{_ZONE} )?{_YEAR}$", _DATED + "${zone}"),
    (rf"^{_MONTH} {_DAY}, {_YEAR} @ {_CLOCK_TEXT}$", _DATED),
    (rf"^{_YEAR}/(?P<m>\d\d)/(?P<d>\d\d)[ T]{_CLOCK_TEXT}(?P<zone>.*)$", _DATED + "${zone}"),
    (
        rf"^{_YEAR}(?P<m>\d\d)(?P<d>\d\d)T(?P<H>\d\d)(?P<M>\d\d)(?P<S>\d\d)(?P<zone>.*)$",
        "${y}-${m}-${d} ${H}:${M}:${S}${zone}",
    ),
    (
        r"^(?P<day>\d{4}-\d\d-\d\d)[ T](?P<H>\d\d:\d\d)(?P<zone>Z|[+-]\d\d:?\d\d|)$",
        "${day} ${H}:00${zone}",
    ),
    (r"^(?P<all>\d.*\d) (?:Etc/UTC|Zulu|Etc/GMT)$", "${all}Z"),
)
"""Other ways to write a moment, and each in ISO 8601: of access logs, mails, JavaScript, `date`,
Kibana, with slashes, without marks, without seconds, with a zone's name."""
_NO_TIME = r"^\s*(0001-01-01|0000-00-00)"
"""The zero of Go's clock and of MySQL's dates: no time at all."""
_NO_DATE = date(1, 1, 1)
_COMPOSED = (
    r"^(?:(\d{1,4})d)?(?:(\d{1,6})h)?(?:(\d{1,7}) ?m(?:in)?)?(?:(\d{1,9}(?:\.\d+)?)s)?$",
    r"^P(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9}(?:\.\d+)?)S)?)?$",
    r"^(?:(\d{1,4}) days?,? )?(?:(\d{1,6}):)?(\d{1,2}):(\d\d(?:\.\d{1,9})?)$",
)
"""Durations of days, hours, minutes and seconds: `1m2.5s`, `PT1M2.5S`, `1:02.5`, `0 days 00:01:02.5`."""
_SUFFIXED = r"^([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(ns|us|\x{00b5}s|\x{03bc}s|ms|s|sec|secs|seconds)$"
_SUFFIX_NS = {
    "ns": 0, "us": 3, "\u00b5s": 3, "\u03bcs": 3, "ms": 6, "s": 9, "sec": 9, "secs": 9, "seconds": 9,
}  # fmt: skip
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$"
_FIRST_EPOCH_NS, _LAST_EPOCH_NS = 631_152_000 * 10**9, 4_102_444_800 * 10**9
"""1990 and 2100: an epoch outside was read in the wrong unit."""
_DECIMAL = r"^[+-]?\d{1,19}(\.\d*)?$"


def is_datetime(text: str) -> bool:
    """Say whether the text is a date and time, of ISO 8601 or of an access log."""
    return bool(_in_iso(pl.Series([text.strip()])).str.contains(_ISO_GROUPS).item())


def durations(text: pl.Series, unit: str) -> Parsed:
    """Read numbers of `unit` as whole nanoseconds, exactly to the last decimal given.

    Where the unit is `datetime`, a moment stands in place of a duration, and nothing can be read.
    """
    if unit == DATETIME:
        none = pl.Series([None], dtype=pl.Int64).new_from_index(0, text.len())
        return judged(text, none, "a moment, not a duration")
    return judged(text, _nanoseconds(text, UNITS[unit]), "unparseable time")


def instants(text: pl.Series, unit: str, *, by_size: bool = False) -> Parsed:
    """Read times as nanoseconds: since 1970 for datetimes, from the log's own zero for numbers.

    Args:
        text: String series, or a plain one.
        unit: s, ms, us or ns for numbers; `datetime` for ISO 8601 text, where a missing zone is UTC.
        by_size: whether numbers are epochs, each of which tells its unit by its size.
    """
    if unit != DATETIME:
        read = durations(text, unit)
        if not by_size:
            return read
        own = _own_units(text, read.values, unit)
        mixed = int((own.is_not_null() & own.ne_missing(read.values)).sum())
        return judged(text, own, "unparseable time")._replace(mixed=mixed) if mixed else read
    if isinstance(text.dtype, pl.Datetime):
        zoneless = text.dtype.time_zone is None and text.count() > 0
        moments = text.set(text.dt.date() == _NO_DATE, None)
        return judged(moments, _ticks(moments, text.dtype), "unparseable time")._replace(
            naive=zoneless
        )
    text = texts(text)
    naive: list[bool] = []

    def patient(rest: pl.Series) -> pl.Series:
        values, without_zone = _patient_datetimes(rest)
        naive.append(without_zone)
        return values

    fast, without_zone = _uniform_datetimes(text)
    values = patched(text, fast, patient)
    found = judged(text, values, "unparseable time")
    if found.problem is not None:
        found = found._replace(problem=found.problem.set(text.str.contains(_NO_TIME), None))
    return found._replace(naive=without_zone or any(naive))


def _own_units(text: pl.Series, values: pl.Series, unit: str) -> pl.Series:
    """Read again, in another unit, epochs that lie before 1990 or after 2100."""
    for other, places in UNITS.items():
        near = values.is_between(_FIRST_EPOCH_NS, _LAST_EPOCH_NS) | (values == 0)
        off = ~near.fill_null(value=False) & text.is_not_null()
        if other == unit or not off.any():
            continue
        again = _nanoseconds(text.cast(pl.String), places)
        fits = off & again.is_between(_FIRST_EPOCH_NS, _LAST_EPOCH_NS)
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
    number = number.set(~(number.abs() < 9.2e18), None).round().cast(pl.Int64)
    if number.null_count() > text.null_count():
        number = patched(text, number, lambda rest: _worded(rest, places))
    exact = whole * 10**places + below + rounded.cast(pl.Int64)
    return pl.select(
        pl.when(stripped.str.contains(_DECIMAL))
        .then(pl.when(stripped.str.starts_with("-")).then(-exact).otherwise(exact))
        .otherwise(number)
    ).to_series()


def _worded(text: pl.Series, places: int) -> pl.Series:
    """Read durations with their units (`1.5s`, `1m2s`), as a clock (`0:01:30.5`), and `1,234.5`."""
    bare = text.str.strip_chars()
    parts = bare.str.extract_groups(_SUFFIXED).struct.unnest()
    found = pl.Series([None], dtype=pl.Int64).new_from_index(0, text.len())
    for suffix, shift in _SUFFIX_NS.items():
        mine = parts.to_series(1) == suffix
        if mine.any():
            read = _nanoseconds(parts.to_series(0), shift)
            found = found.zip_with(~mine.fill_null(value=False), read)
    for layout in _COMPOSED:
        found = pl.select(
            pl.coalesce(found, _composed(bare.str.extract_groups(layout)))
        ).to_series()
    thousands = bare.str.contains(_THOUSANDS).fill_null(value=False)
    if thousands.any():
        read = _nanoseconds(bare.str.replace_all(",", "", literal=True), places)
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


def _ticks(moments: pl.Series, dtype: pl.Datetime) -> pl.Series:
    """Return datetimes as nanoseconds since 1970; null where those leave 64 bits."""
    scale = {"ns": 1, "us": 1_000, "ms": 1_000_000}[dtype.time_unit]
    limit = MAX_NS // scale
    ticks = moments.to_physical()
    return ticks.set(~ticks.is_between(-limit, limit), None) * scale


def _to_ns(microseconds: pl.Series) -> pl.Series:
    limit = MAX_NS // 1000 - 2_000_000
    return microseconds.set(~microseconds.is_between(-limit, limit), None) * 1000


def _offset_ns(zone: str) -> int:
    if zone in ("Z", "z", "UTC", "GMT"):
        return 0
    minutes = int(zone[1:3]) * 60 + (int(zone[-2:]) if len(zone) > 3 else 0)
    return (-1 if zone[0] == "-" else 1) * minutes * 60_000_000_000


def _in_iso(text: pl.Series) -> pl.Series:
    """Write moments of other layouts as ISO 8601 does."""
    if text.str.contains(_ISO_GROUPS).all():
        return text
    for layout, iso in _LAYOUTS:
        text = text.str.replace(layout, iso)
    for number, month in enumerate(_MONTHS, start=1):
        text = text.str.replace(f"-{month}-", f"-{number:02}-", literal=True)
    return text.str.replace(r"^(\d{4}-\d\d-)(\d )", "${1}0$2").str.replace(r" (\d:)", " 0$1")


def _patient_datetimes(text: pl.Series) -> tuple[pl.Series, bool]:
    parts = _in_iso(text.str.strip_chars()).str.extract_groups(_ISO_GROUPS).struct.unnest()
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
