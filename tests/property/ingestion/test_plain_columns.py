"""Columns of numbers and times, read as they are, against the same columns read as text."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import workloadlab as wl
from workloadlab.ingestion.evaluate import evaluate, matches
from workloadlab.ingestion.formats.format import Column
from workloadlab.ingestion.formats.words import choose, has, joined, minus, only
from workloadlab.ingestion.parsing.dates import DATETIME
from workloadlab.ingestion.parsing.text import is_plain, texts
from workloadlab.ingestion.parsing.times import UNITS, durations, instants
from workloadlab.ingestion.parsing.values import integers, missing

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.ingestion.parsing.values import Parsed

DAYTIME = datetime(2026, 3, 1, 12)
DAY = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1))
PLAIN = [pl.Float64(), pl.Int64(), pl.Int16(), pl.UInt32(), pl.UInt8()]


def column(dtype: pl.DataType) -> st.SearchStrategy[pl.Series]:
    if dtype == pl.Float64():
        near = st.builds(
            lambda whole, tick: whole / 2 + tick * 1e-13, st.integers(), st.integers(-9, 9)
        )
        short = st.builds(
            lambda whole, places: whole / 10**places, st.integers(), st.integers(0, 12)
        )
        values = st.one_of(st.floats(), near, short)
    else:
        low, high = pl.select(low=dtype.min(), high=dtype.max()).row(0)
        values = st.integers(low, high)
    return st.lists(st.none() | values, min_size=1, max_size=20).map(
        lambda found: pl.Series(found, dtype=dtype)
    )


numbers = st.sampled_from(PLAIN).flatmap(column)
moments = st.builds(
    lambda found, unit, zone: pl.Series(found, dtype=pl.Datetime(unit)).dt.replace_time_zone(
        zone, ambiguous="earliest", non_existent="null"
    ),
    st.lists(st.none() | DAY, min_size=1, max_size=20),
    st.sampled_from(["ms", "us", "ns"]),
    st.sampled_from([None, "UTC", "Europe/Berlin"]),
)


def assert_same(plain: Parsed, text: Parsed) -> None:
    assert plain.values.to_list() == text.values.to_list()
    problems = [
        [None] * found.values.len() if found.problem is None else found.problem.to_list()
        for found in (plain, text)
    ]
    assert problems[0] == problems[1]
    assert (plain.naive, plain.mixed) == (text.naive, text.mixed)


@given(numbers, st.sampled_from(sorted(UNITS)), st.booleans())
@example(pl.Series([0.1234567895, 1234.0000000005, 2.0**53 / 1e9]), "s", False)  # noqa: FBT003
@example(pl.Series([2**63 - 1, -(2**63)]), "s", False)  # noqa: FBT003
def test_numbers_are_the_times_that_their_text_is(
    values: pl.Series, unit: str, by_size: bool
) -> None:
    assert_same(durations(values, unit), durations(texts(values), unit))
    assert_same(
        instants(values, unit, by_size=by_size), instants(texts(values), unit, by_size=by_size)
    )


@given(
    numbers | moments,
    st.sampled_from([(pl.UInt32(), True), (pl.UInt32(), False), (pl.Int16(), False)]),
)
def test_numbers_are_the_integers_that_their_text_is(
    values: pl.Series,
    kind: tuple[pl.DataType, bool],
) -> None:
    dtype, tokens = kind
    assert missing(values).to_list() == missing(texts(values)).to_list()
    plain = integers(values, dtype, tokens=tokens)
    assert_same(plain, integers(texts(values), dtype, tokens=tokens))


@given(numbers | moments)
@example(pl.Series([float("inf"), float("-inf"), float("nan"), 1.5]))
@example(pl.Series([datetime(1, 1, 1, 5), DAYTIME], dtype=pl.Datetime("us")))
@example(pl.Series([datetime(1, 1, 1), datetime(1, 1, 2)], dtype=pl.Datetime("ms", "UTC")))
def test_datetimes_are_the_moments_that_their_text_is(values: pl.Series) -> None:
    assert_same(instants(values, DATETIME), instants(texts(values), DATETIME))
    assert_same(durations(values, "ms"), durations(texts(values), "ms"))
    assert_same(durations(values, DATETIME), durations(texts(values), DATETIME))


COLUMNS = {
    "e2e_ns": Column("e2e_ns", minus("other", "key"), DATETIME),
    "ttft_ns": Column("ttft_ns", "key", "s"),
    "streaming": Column("streaming", "key"),
    "client_id": Column("client_id", joined("key", "other")),
    "outcome": Column("outcome", choose("key", {None: "unfinished"}, "ok")),
    "task": Column("task", choose("key", {"1": "chat", None: "none"})),
    "model": Column("model", only("key", "other", "1")),
}


@pytest.mark.parametrize("target", COLUMNS)
@given(data=st.data(), left=numbers | moments)
def test_the_words_of_a_format_mean_the_same_over_both(
    data: st.DataObject, target: str, left: pl.Series
) -> None:
    right = data.draw(st.permutations(left.to_list())).copy()
    plain = pl.DataFrame([left.alias("key"), pl.Series("other", right, dtype=left.dtype)])
    text = pl.DataFrame([texts(each) for each in plain])
    assert_same(evaluate(plain, COLUMNS[target]), evaluate(text, COLUMNS[target]))
    assert matches(plain, has("key")).to_list() == matches(text, has("key")).to_list()


def test_a_typed_file_and_its_text_make_the_same_trace(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"ts": [datetime(2025, 1, 1, 0, 0, n) for n in range(4)],
         "prompt_tokens": [1.0, 2.5, None, 4.0], "completion_tokens": [5, -1, 7, 8],
         "latency_s": [1.5, 2.25, 0.125, float("nan")]}
    )  # fmt: skip
    assert all(is_plain(dtype) for dtype in frame.dtypes)
    made = []
    for name, log in (("typed", frame), ("text", frame.select(map(texts, frame)))):
        (tmp_path / name).mkdir()
        log.write_parquet(tmp_path / name / "log.parquet")
        trace = wl.ingest(tmp_path / name / "log.parquet", tmp_path / name / "log.trace")
        rejects = pl.read_parquet(tmp_path / name / "log.trace.rejects.parquet").drop("file")
        made.append((trace.read().to_dicts(), rejects.to_dicts(), trace.provenance.rows))
    assert made[0] == made[1]
    assert made[0][2]["written"] == 2
