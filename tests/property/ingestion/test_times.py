"""The readers of time against an obvious one that works value by value."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from workloadlab.ingestion.parsing.times import UNITS, durations, instants


def text(*values: str) -> pl.Series:
    return pl.Series(values, dtype=pl.String)


def twin_ns(value: str, places: int) -> int:
    return int((Decimal(value) * 10**places).to_integral_value(ROUND_HALF_UP))


def twin_instant(value: str) -> int:
    """Nanoseconds since 1970 of an ISO text, with the fraction read as a decimal."""
    clock, zone = value, "+00:00"
    for mark in ("Z", "+", "-"):
        if mark in value[19:]:
            at = value.rindex(mark)
            clock, zone = value[:at], value[at:].replace("Z", "+00:00")
    whole, _, fraction = clock.partition(".")
    seconds = datetime.fromisoformat(whole + zone).astimezone(UTC).timestamp()
    return int(seconds) * 10**9 + twin_ns(f"0.{fraction or 0}", 9)


decimals = st.builds(
    lambda sign, whole, fraction: f"{sign}{whole}" + (f".{fraction:0>1}" if fraction else ""),
    st.sampled_from(["", "-", "+"]),
    st.integers(0, 900) | st.integers(0, 9_000_000_000),
    st.text("0123456789", max_size=15)
    | st.text("49", min_size=7, max_size=12).map(lambda d: f"{d}5"),
)


@given(st.lists(decimals, min_size=1, max_size=20), st.sampled_from(sorted(UNITS)))
def test_decimals_keep_every_digit(values: list[str], unit: str) -> None:
    parsed = durations(text(*values), unit)
    assert parsed.values.to_list() == [twin_ns(value, UNITS[unit]) for value in values]
    assert parsed.problem is None


def iso(when: datetime, separator: str, fraction: str, zone: str) -> str:
    dot = "." if fraction else ""
    return f"{when:%Y-%m-%d}{separator}{when:%H:%M:%S}{dot}{fraction}{zone}"


datetimes = st.builds(
    iso,
    st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)),
    st.sampled_from([" ", "T"]),
    st.text("0123456789", max_size=11),
    st.sampled_from(["", "Z", "+00:00", "+05:30", "-0800"]),
)


@given(st.lists(datetimes, min_size=1, max_size=20))
def test_datetimes_of_any_layout_are_exact(values: list[str]) -> None:
    assert instants(text(*values), "datetime").values.to_list() == list(map(twin_instant, values))


@given(
    st.lists(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)), min_size=1, max_size=20),
    st.text("0123456789", min_size=7, max_size=7),
)
def test_datetimes_of_one_layout_are_exact(times: list[datetime], fraction: str) -> None:
    values = [iso(when, " ", fraction, "") for when in times]
    parsed = instants(text(*values), "datetime")
    assert parsed.values.to_list() == list(map(twin_instant, values))
    assert parsed.naive
