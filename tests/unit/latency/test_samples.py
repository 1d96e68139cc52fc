"""The step table: what is accepted, and what each refusal says."""

from __future__ import annotations

import random
import re

import polars as pl
import pytest
from support.damage import flipped

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


def real_steps(scale: float = 1.0, **changes: list) -> pl.DataFrame:
    """Steps of a known GPU and model, 12 to 21 ms."""
    latency = [round(ns * scale) for ns in (12_000_000, 21_000_000, 17_000_000)]
    known = {"gpu": ["A100"] * 3, "model": ["meta-llama/Llama-3.1-8B"] * 3}
    return steps(**({"latency_ns": latency} | known | changes))


def test_what_the_hardware_can_do_passes() -> None:
    assert check_samples(real_steps()).height == 3
    assert check_samples(real_steps(0.5)).height == 3
    assert check_samples(real_steps(20)).height == 3


@pytest.mark.parametrize(
    ("scale", "unit", "factor"),
    [
        (1e-3, "microseconds", "multiply by 1,000$"),
        (1e-6, "milliseconds", "multiply by 1,000,000$"),
        (1e3, "picoseconds", "divide by 1,000$"),
    ],
)
def test_the_roofline_finds_another_unit(scale, unit, factor) -> None:
    """Also where the median stays in the range of 50 us to 100 s that unknown hardware gets."""
    slow = {"decode_seqs": [256, 0, 256], "prefill_tokens": [0, 8192, 2048]}
    with pytest.raises(DataError, match="A100-80GB needs") as caught:
        check_samples(real_steps(scale * 30, **slow), where="steps.csv")
    assert "steps.csv: column latency_ns" in str(caught.value)
    assert f"look like {unit}" in caught.value.fix
    assert re.search(factor, caught.value.fix)


def test_a_single_step_faster_than_the_hardware_is_named() -> None:
    latency = [12_000_000, 21_000, 17_000_000]
    with pytest.raises(DataError, match="is faster than A100-80GB can be: at least") as caught:
        check_samples(real_steps(latency_ns=latency), where="steps.csv")
    assert "steps.csv: row 2, column latency_ns: 21000" in str(caught.value)


def test_more_gpus_may_be_faster() -> None:
    with pytest.raises(DataError, match="L4 needs at least") as caught:
        check_samples(real_steps(0.2, gpu=["L4"] * 3))
    assert "check gpu, model and tp" in caught.value.fix
    assert check_samples(real_steps(0.2, gpu=["L4"] * 3, tp=[8] * 3)).height == 3


def test_a_flipped_bit_of_a_table_is_refused_or_changes_nothing(tmp_path) -> None:
    path, draw, refused = tmp_path / "steps.parquet", random.Random(0), 0
    write_samples(steps(), path)
    whole = path.read_bytes()
    for _ in range(80):
        path.write_bytes(flipped(whole, draw.randrange(len(whole) * 8)))
        try:
            assert read_samples(path).equals(check_samples(steps()))
        except DataError:
            refused += 1
    assert refused > 60


def test_a_table_of_another_tool_has_no_digest_and_is_read(tmp_path) -> None:
    steps().write_parquet(tmp_path / "theirs.parquet")
    assert read_samples(tmp_path / "theirs.parquet").equals(check_samples(steps()))
