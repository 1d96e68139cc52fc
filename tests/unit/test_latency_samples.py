"""The step table: what is accepted, and what each refusal says."""

from __future__ import annotations

import polars as pl
import pytest

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import SAMPLE_COLUMNS, check_samples, read_samples, write_samples


def steps(**changes: list) -> pl.DataFrame:
    columns = {
        "prefill_tokens": [0, 512, 256],
        "prefill_context_tokens": [0, 0, 25_600],
        "decode_seqs": [8, 0, 16],
        "decode_context_tokens": [4000, 0, 9000],
        "latency_ns": [12_000_000, 21_000_000, 17_000_000],
        "gpu": ["a100"] * 3,
        "model": ["llama"] * 3,
        "tp": [1, 1, 1],
    }
    return pl.DataFrame(columns | changes)


def test_columns_come_back_in_order_and_typed() -> None:
    given = steps(latency_ns=[12e6, 21e6, 17e6], group=["a", "b", "b"])
    table = check_samples(given.select(reversed(given.columns)))
    assert dict(table.schema) == SAMPLE_COLUMNS
    assert table["latency_ns"].to_list() == [12_000_000, 21_000_000, 17_000_000]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_table_survives_a_file(tmp_path, suffix) -> None:
    path = tmp_path / f"steps{suffix}"
    write_samples(steps(), path)
    assert read_samples(path).equals(check_samples(steps()))


@pytest.mark.parametrize(
    ("changes", "place", "problem"),
    [
        ({"prefill_tokens": [0, -5, 256]}, "row 2, column prefill_tokens: -5", "negative"),
        ({"decode_seqs": [8, 0, None]}, "row 3, column decode_seqs: None", "missing"),
        ({"latency_ns": [1e7, float("nan"), 1e7]}, "row 2, column latency_ns: nan", "missing"),
        ({"latency_ns": [12_000_000, 0, 1]}, "row 2, column latency_ns: 0", "not positive"),
        ({"latency_ns": [0.012, 0.021, 0.017]}, "row 1, column latency_ns: 0.012", "not whole"),
        ({"decode_seqs": ["8", "0", "many"]}, "row 3, column decode_seqs: many", "not a number"),
        ({"prefill_tokens": [0, 0, 256]}, "row 2, column prefill_tokens: 0", "no work"),
        (
            {"prefill_context_tokens": [7, 0, 0]},
            "row 1, column prefill_context_tokens: 7",
            "without prefill_tokens",
        ),
        (
            {"decode_context_tokens": [4000, 3, 9000]},
            "row 2, column decode_context_tokens: 3",
            "without decode_seqs",
        ),
        ({"tp": [1, 0, 1]}, "row 2, column tp: 0", "number of GPUs"),
    ],
)
def test_a_bad_value_is_named_by_row_column_and_value(changes, place, problem) -> None:
    with pytest.raises(DataError, match=problem) as caught:
        check_samples(steps(**changes), where="steps.csv")
    assert f"steps.csv: {place}" in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("column", "values"), [("gpu", ["a", "b", "a"]), ("model", ["x", "y", "x"]), ("tp", [1, 2, 1])]
)
def test_mixed_configurations_are_refused(column, values) -> None:
    with pytest.raises(DataError, match=f"mixes 2 values of {column}"):
        check_samples(steps(**{column: values}))


def test_missing_columns_and_single_rows_are_refused() -> None:
    with pytest.raises(DataError, match="lacks the columns decode_seqs, tp"):
        check_samples(steps().drop("tp", "decode_seqs"))
    with pytest.raises(DataError, match="has 1 row; a fit needs at least two"):
        check_samples(steps().head(1))


@pytest.mark.parametrize(
    ("latency", "unit", "factor"),
    [
        ([12, 21, 17], "milliseconds", "1,000,000"),
        ([12_000, 21_000, 17_000], "microseconds", "1,000"),
    ],
)
def test_another_unit_is_guessed(latency, unit, factor) -> None:
    with pytest.raises(DataError, match="the median step takes") as caught:
        check_samples(steps(latency_ns=latency))
    assert f"look like {unit}: multiply by {factor}" in str(caught.value)


def test_latencies_that_are_too_long_are_refused() -> None:
    with pytest.raises(DataError, match="the median step takes"):
        check_samples(steps(latency_ns=[10**14] * 3))


def test_unreadable_files(tmp_path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_samples(tmp_path / "absent.parquet")
    with pytest.raises(UsageError, match="is a folder"):
        read_samples(tmp_path)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_samples(broken)
