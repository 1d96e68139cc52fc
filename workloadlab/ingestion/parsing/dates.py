"""Dates and times of day in text to nanoseconds since 1970.

A fast path reads the layout that most logs have; what it refuses is written as ISO 8601 and read then.
"""

from __future__ import annotations

import re

import polars as pl

__all__ = [
    "DATES",
    "DATETIME",
    "DAY_MONTH",
    "MAX_NS",
    "MONTH_DAY",
    "YEAR_FIRST",
    "dated",
    "day_and_month",
    "is_datetime",
    "moments",
    "uniform",
    "unknown_zone",
    "zoneless",
]

DATETIME, DAY_MONTH, MONTH_DAY, YEAR_FIRST = "datetime", "dmy", "mdy", "ymd"
DATES = (DATETIME, DAY_MONTH, MONTH_DAY, YEAR_FIRST)
"""The units of a column that holds dates; the latter say what `03/04/2026` or `25-12-01` means."""

MAX_NS = 2**63 - 1
_ISO = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(Z|[+-]\d\d(?::?\d\d)?)?")
_ISO_GROUPS = (
    r"^(?P<day>\d{4}-\d\d-\d\d)[ T](?P<clock>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d+))?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
    r" ?(?P<zone>Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?|[A-Z]{3,4})?(?: UTC| GMT)?$"
)
_DAY, _MONTH, _YEAR = r"(?P<d>\d{1,2})", r"(?P<m>[A-Za-z]{3,9})\.?", r"(?P<y>\d{4})"
_CLOCK, _REST = r"(?P<clock>\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?)", r"(?P<rest>[^\])]*)"
_ZONE, _WEEKDAY = r"(?P<rest>[A-Z]{3,4}|[+-]\d{4})", "[A-Z][a-z]{2,8}"
_DATED = "${y}-${m}-${d} ${clock}${rest}"
_LAYOUTS = (
    (rf"^\[?{_DAY}/{_MONTH}/{_YEAR}:{_CLOCK}{_REST}\]?$", _DATED),
    (rf"^(?:{_WEEKDAY},? )?{_DAY}[ -]{_MONTH}[ -](?P<y>\d{{4}}|\d\d),? {_CLOCK}{_REST}$", _DATED),
    (
        rf"^{_DAY}-{_MONTH}-(?P<y>\d{{4}}|\d\d) (?P<H>\d\d)\.(?P<M>\d\d)\.(?P<S>\d\d(?:\.\d+)?){_REST}$",
        "${y}-${m}-${d} ${H}:${M}:${S}${rest}",
    ),
    (
        rf"^{_WEEKDAY} {_MONTH} {_DAY} {_YEAR} {_CLOCK} GMT(?P<rest>[+-]\d{{4}})(?: \(.*\))?$",
        _DATED,
    ),
    (rf"^{_WEEKDAY} {_MONTH} +{_DAY} {_CLOCK} (?:{_ZONE} )?{_YEAR}$", _DATED),
    (rf"^(?:{_WEEKDAY}, )?{_MONTH} {_DAY}, {_YEAR},? (?:@ |at )?{_CLOCK}{_REST}$", _DATED),
    (rf"^{_YEAR}/(?P<m>\d\d?)/(?P<d>\d\d?)[ T]{_CLOCK}{_REST}$", _DATED),
    (
        rf"^{_YEAR}(?P<m>\d\d)(?P<d>\d\d)T(?P<H>\d\d)(?P<M>\d\d)(?P<S>\d\d){_REST}$",
        "${y}-${m}-${d} ${H}:${M}:${S}${rest}",
    ),
    (r"^(?P<all>\d.*(?:Z|[+-]\d\d:\d\d))\[[\w/+-]+\]$", "${all}"),
    (r"^(?P<all>\d.*\d) (?:Etc/UTC|Zulu|Etc/GMT)$", "${all}Z"),
)
"""Other ways to write a moment, and each in ISO 8601: of access logs, mails, Oracle, JavaScript, `date`,
Kibana and Metabase, with slashes, without marks, with a zone's name."""
_NUMERIC = (
    r"^(?P<a>\d{1,2})(?P<mark>[/.-])(?P<b>\d{1,2})[/.-](?P<y>\d{4}|\d\d),?[ T]"
    rf"{_CLOCK}{_REST}$"
)
_PLACES = {DAY_MONTH: ("y", "b", "a"), MONTH_DAY: ("y", "a", "b"), YEAR_FIRST: ("a", "b", "y")}
"""Where year, month and day stand in `_NUMERIC`."""
_COMPLETED = (
    (r"^(\d\d)-", "20$1-"),
    (r"^(\d{4})-(\d)-", "$1-0$2-"),
    (r"^(\d{4}-\d\d)-(\d) ", "$1-0$2 "),
    (r"^(\d{4}-\d\d-\d\d[ T])(\d:)", "${1}0$2"),
    (r"^(\d{4}-\d\d-\d\d[ T]\d\d:\d\d)([^:].*)?$", "$1:00$2"),
)
"""What is added to a moment: the century, zeros before digits, seconds."""
_TICKS = r"^\\?/Date\((-?\d{1,14})(?:[+-]\d{4})?\)\\?/$"
"""Milliseconds since 1970 as .NET and PowerShell write them in JSON."""
ZONES = {
    "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "SGT": 8, "HKT": 8, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
    "EST": -5, "EDT": -4, "CDT": -5, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
"""Hours from UTC of zones by their names; of CST, IST, BST or MST nobody knows which is meant."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_HALF_DAY_NS = 12 * 3_600 * 10**9


def is_datetime(text: str) -> bool:
    """Say whether the text is a date and time, in any of the ways that logs write it.

    Example:
        >>> is_datetime("2026-09-21 14:13:20"), is_datetime("9/21/2026 2:13 PM"), is_datetime("14:13")
        (True, True, False)
    """
    return dated(pl.Series([text])) == 1


def unknown_zone(text: pl.Series) -> str | None:
    """Return a zone's name that tells no offset, if a date ends in one.

    Example:
        >>> unknown_zone(pl.Series(["2026-09-21 14:13:20 CST"]))
        'CST'
    """
    parts = _in_iso(text.drop_nulls().str.strip_chars(), DAY_MONTH).str.extract_groups(_ISO_GROUPS)
    named = parts.struct.field("zone").drop_nulls().unique().sort()
    return next((zone for zone in named if _offset_ns(zone) is None), None)


def zoneless(text: pl.Series) -> pl.Series:
    """Say which dates name no zone; null for what is no date.

    Example:
        >>> zoneless(pl.Series(["2026-09-21 14:13:20", "2026-09-21 14:13:20Z", "x"])).to_list()
        [True, False, None]
    """
    parts = (
        _in_iso(text.str.strip_chars(), DAY_MONTH).str.extract_groups(_ISO_GROUPS).struct.unnest()
    )
    return parts["zone"].is_null().set(parts["clock"].is_null(), None)


def dated(text: pl.Series) -> int:
    """Count the texts that are dates and times."""
    bare = text.str.strip_chars()
    found = _in_iso(bare, DAY_MONTH).str.contains(_ISO_GROUPS) | bare.str.contains(_TICKS)
    return int(found.sum())


def day_and_month(text: pl.Series) -> str | None:
    """Return which of day and month comes first where both are numbers; None if no date tells.

    A column that has other dates is DATETIME. Points stand between day and month in this order only.
    Of years of two digits the year may come first: what stays the same from date to date is the year.

    Example:
        >>> day_and_month(pl.Series(["03/04/2026 10:00", "13/04/2026 10:00"]))
        'dmy'
        >>> day_and_month(pl.Series(["03/04/2026 10:00"])) is None
        True
        >>> day_and_month(pl.Series(["25-12-01 10:00", "25-12-02 10:00"]))
        'ymd'
    """
    parts = text.drop_nulls().str.strip_chars().str.extract_groups(_NUMERIC).struct.unnest()
    parts = parts.drop_nulls("a")
    if not parts.height:
        return DATETIME
    if (parts["mark"] == ".").all():
        return DAY_MONTH
    numbers = parts.select(pl.col("a", "b", "y").cast(pl.Int64))
    first, second, last = numbers.max().row(0)
    if second <= 12 and last <= 31:
        kinds = {name: numbers[name].n_unique() for name in ("a", "y")}
        if kinds["a"] == 1 and kinds["y"] > 1:
            return YEAR_FIRST
        if kinds["a"] == 1 or kinds["y"] > 1:
            return None
    if first > 12 and second > 12:
        return None
    return DAY_MONTH if first > 12 else MONTH_DAY if second > 12 else None


def moments(text: pl.Series, order: str) -> tuple[pl.Series, bool]:
    """Read moments of any layout, slowly; return them and whether some lack a zone."""
    parts = _in_iso(text.str.strip_chars(), order).str.extract_groups(_ISO_GROUPS).struct.unnest()
    clock = (parts["day"] + " " + parts["clock"]).str.to_datetime(
        "%Y-%m-%d %H:%M:%S", time_unit="us", strict=False
    )
    digits = parts["fraction"].fill_null("") + "0000000000"
    below = digits.str.slice(0, 9).cast(pl.Int64)
    rounded = digits.str.slice(9, 1).cast(pl.Int64) >= 5
    zones = {zone: _offset_ns(zone) for zone in parts["zone"].drop_nulls().unique()}
    offset = parts["zone"].replace_strict(zones, default=None, return_dtype=pl.Int64)
    offset = offset.zip_with(
        parts["zone"].is_not_null(), pl.Series([0]).new_from_index(0, offset.len())
    )
    values = _to_ns(clock.cast(pl.Int64)) + below + rounded.cast(pl.Int64) - offset
    if parts["half"].count():
        half, hour = parts["half"].str.to_lowercase(), clock.dt.hour()
        values = values + ((half == "p") & (hour < 12)).cast(pl.Int64).fill_null(0) * _HALF_DAY_NS
        values = values - ((half == "a") & (hour == 12)).cast(pl.Int64).fill_null(0) * _HALF_DAY_NS
        values = values.set((half.is_not_null() & ~hour.is_between(1, 12)), None)
    naive = bool((values.is_not_null() & parts["zone"].is_null()).any())
    ticks = text.str.strip_chars().str.extract(_TICKS).cast(pl.Int64) * 1_000_000
    return pl.select(pl.coalesce(values, ticks)).to_series(), naive


def _in_iso(text: pl.Series, order: str) -> pl.Series:
    """Write moments of other layouts as ISO 8601 does."""
    if text.str.contains(_ISO_GROUPS).all():
        return text
    for layout, iso in _LAYOUTS:
        text = text.str.replace(layout, iso)
    if order != DATETIME:
        y, m, d = _PLACES[order]
        text = text.str.replace(_NUMERIC, f"${{{y}}}-${{{m}}}-${{{d}}} ${{clock}}${{rest}}")
    if text.str.contains("-[A-Za-z]{3,9}-").any():
        for number, month in enumerate(_MONTHS, start=1):
            text = text.str.replace(f"(?i)-{month}[a-z]*-", f"-{number:02}-")
    for gap, whole in _COMPLETED:
        text = text.str.replace(gap, whole)
    return text


def uniform(text: pl.Series) -> tuple[pl.Series, bool]:
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
        values = values - (_offset_ns(zone) or 0)
    return values.set(~fits, None), not zone


def _to_ns(microseconds: pl.Series) -> pl.Series:
    limit = MAX_NS // 1000 - 2_000_000
    return microseconds.set(~microseconds.is_between(-limit, limit), None) * 1000


def _offset_ns(zone: str) -> int | None:
    if zone in ("Z", "z"):
        return 0
    if zone[0].isalpha():
        return None if (hours := ZONES.get(zone)) is None else hours * 3_600_000_000_000
    minutes = int(zone[1:3]) * 60 + (int(zone[-2:]) if len(zone) > 3 else 0)
    return (-1 if zone[0] == "-" else 1) * minutes * 60_000_000_000
