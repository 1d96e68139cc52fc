"""What the readers of text make of good, bad and missing values."""

from __future__ import annotations

import polars as pl
import pytest

from workloadlab.ingestion.parsing.outcomes import outcomes
from workloadlab.ingestion.parsing.times import durations, instants
from workloadlab.ingestion.parsing.values import integers, reals, switches, words


def text(*values: str | None) -> pl.Series:
    return pl.Series(values, dtype=pl.String)


def test_a_zone_is_applied_and_its_absence_noticed() -> None:
    zoned = instants(
        text("2024-05-10 00:00:00.009930+00:00", "2024-05-12 01:00:00+01:00"), "datetime"
    )
    assert zoned.values.to_list() == [1715299200009930000, 1715472000000000000]
    assert not zoned.naive
    assert instants(text("2024-05-10 00:00:00Z", "2024-05-10 00:00:00"), "datetime").naive


@pytest.mark.parametrize(
    "value",
    [
        "x",
        "2023-02-30 00:00:00.0000000",
        "2023-13-01 00:00:00.0000000",
        "2023-11-16 25:00:00.0000000",
        "2023-11-16 18:15:46.+680590",
        "2023-11-16 18:15:46,680590x",
        "2023-11-16",
        "9999-12-31 00:00:00.0000000",
    ],
)
def test_no_datetime_is_made_of(value: str) -> None:
    good = "2023-11-16 18:15:46.6805900"
    parsed = instants(text(good, value, None), "datetime")
    assert parsed.values.to_list() == [1700158546680590000, None, None]
    assert parsed.problem is not None
    assert parsed.problem.to_list() == [None, "unparseable time", None]


@pytest.mark.parametrize("value", ["1e400", "1,5", "0x10", "99999999999999999999", "1.2.3", "٣"])
def test_no_number_of_seconds_is_made_of(value: str) -> None:
    parsed = durations(text("1.5", value), "s")
    assert parsed.values.to_list() == [1_500_000_000, None]
    assert parsed.problem is not None


@pytest.mark.parametrize("missing", [None, "", " ", "-", "null", "None", "NaN", "nan", "N/A"])
def test_what_stands_for_a_missing_value_is_no_problem(missing: str | None) -> None:
    values = text("1", missing)
    for parsed in (
        integers(values, pl.UInt32()),
        durations(values, "s"),
        instants(text("2024-05-10 00:00:00", missing), "datetime"),
        reals(values),
        switches(values),
        words(values),
    ):
        assert parsed.values[0] is not None
        assert parsed.values[1] is None
        assert parsed.problem is None


def test_exponents_are_read_through_a_float() -> None:
    assert durations(text("1e-05", "2.5E3", "-1e-9"), "s").values.to_list() == [
        10_000,
        2_500_000_000_000,
        -1,
    ]


def test_integers_give_the_reason() -> None:
    values = text("7", " 8 ", "9.0", "1e3", "9.5", "-1", "10000001", "1e30", "seven")
    parsed = integers(values, pl.UInt32(), tokens=True)
    assert parsed.values.to_list() == [7, 8, 9, 1000, *[None] * 5]
    assert parsed.problem is not None
    assert parsed.problem.to_list() == [
        *[None] * 4,
        "not an integer",
        "negative token count",
        "absurd token count",
        "absurd token count",
        "not an integer",
    ]


def test_integers_that_are_not_tokens_are_bounded_by_their_type() -> None:
    parsed = integers(text("-3", "32767", "32768"), pl.Int16())
    assert parsed.values.to_list() == [-3, 32767, None]
    assert parsed.problem is not None
    assert parsed.problem.to_list() == [None, None, "out of range"]


def test_switches_and_outcomes() -> None:
    parsed = switches(text("True", "0", "yes", "maybe"))
    assert parsed.values.to_list() == [True, False, True, None]
    assert parsed.problem is not None
    parsed = outcomes(text("ok", "Success", "false", "canceled", "lost"))
    assert parsed.values.to_list() == ["ok", "ok", "error", "cancelled", None]
    assert parsed.problem is not None
    assert parsed.problem.to_list()[-1] == "unknown outcome"
