"""Several runs in one file, whose arrivals begin anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

T0 = 1_790_000_000.0
WEEK_S = 7 * 86_400.0


def write(folder: Path, rows: list[dict[str, Any]], name: str = "runs.parquet") -> Path:
    pl.DataFrame(rows).write_parquet(folder / name)
    return folder / name


def runs(*starts: float, rows: int = 12, **more: Any) -> list[dict[str, Any]]:
    return [
        {"tag": f"qps{n}", "arrival_s": start + 0.7 * k, "prompt_tokens": 90 + k, "output_tokens": 9 + k,
         **{name: value[n] for name, value in more.items()}}
        for n, start in enumerate(starts)
        for k in range(rows)
    ]  # fmt: skip


def refusal(log: Path, **options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        wl.ingest(log, **options)
    return f"{caught.value.what} {caught.value.fix}"


def test_counts_from_a_start_that_begin_anew_are_asked_about(tmp_path: Path) -> None:
    log = write(tmp_path, runs(0.0, 0.0, 0.5))
    said = refusal(log)
    assert "several runs: arrival_s begins anew in row 13 and row 25" in said
    assert "--where tag=qps0" in said
    assert wl.ingest(log, where={"tag": "qps1"}).requests == 12
    assert wl.ingest(log, units={"arrival": "s"}).requests == 36


def test_without_a_column_that_tells_them_apart_the_file_is_to_be_split(tmp_path: Path) -> None:
    log = write(tmp_path, [row | {"tag": "all"} for row in runs(0.0, 0.0)])
    assert "split the file there" in refusal(log)


def test_runs_of_different_rates_in_two_units_of_rows(tmp_path: Path) -> None:
    fast = [row | {"arrival_s": row["arrival_s"] / 50} for row in runs(0.0)]
    assert "begins anew in row 13" in refusal(write(tmp_path, [*runs(0.0), *fast]))


def test_epochs_are_runs_where_a_column_says_so(tmp_path: Path) -> None:
    rows = runs(T0 + WEEK_S, T0, T0 + 2 * WEEK_S, experiment=["b", "a", "c"])
    assert "--where experiment=b" in refusal(write(tmp_path, rows))
    shards = runs(T0 + WEEK_S, T0, T0 + 2 * WEEK_S, pod=["b", "a", "c"])
    assert wl.ingest(write(tmp_path, shards)).requests == 36


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_completion_is_no_run(tmp_path: Path, seed: int) -> None:
    rows = runs(0.0)
    rows.sort(key=lambda row: row["arrival_s"] + row["prompt_tokens"] * 7 * (seed + 3) % 11)
    assert wl.ingest(write(tmp_path, rows)).requests == 12
    assert wl.ingest(write(tmp_path, rows[::-1])).requests == 12


def test_files_that_begin_anew_are_no_runs_of_one_file(tmp_path: Path) -> None:
    logs = [write(tmp_path, runs(0.0), name=f"{n}.parquet") for n in "ab"]
    rows = [row | {"prompt_tokens": 7} for row in runs(0.0)]
    logs[1] = write(tmp_path, rows, name="b.parquet")
    trace = wl.ingest(logs)
    told = "2 files count from a start each: their requests are laid over each other"
    assert (trace.requests, told in trace.provenance.notes) == (24, True)
    logs[1] = write(tmp_path, runs(50.0), name="b.parquet")
    assert told not in wl.ingest(logs).provenance.notes


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"request_id": "r{k}", "latency_ms": 900}, "arrival, tokens and id"),
        ({"latency_ms": 900}, "arrival, tokens and times"),
        ({}, "arrival, tokens and times"),
    ],
)
def test_rows_that_a_shipper_delivered_twice_are_told(
    tmp_path: Path, keys: dict[str, Any], told: str
) -> None:
    rows = [
        {"ts": T0 + 0.5 * k, "prompt_tokens": 90 + k, "output_tokens": 60}
        | {name: str(value).format(k=k) for name, value in keys.items()}
        for k in range(20)
        for _ in range(2 if k % 5 == 0 else 1)
    ]
    notes = " ".join(wl.ingest(write(tmp_path, rows)).provenance.notes)
    assert f"4 rows repeat an earlier one in {told}: the log holds 4 requests twice" in notes


def test_rows_of_two_files_are_told_and_short_ones_of_one_second_are_not(tmp_path: Path) -> None:
    rows = [{"ts": T0 + 0.5 * k, "prompt_tokens": 9, "output_tokens": 1} for k in range(20)]
    logs = [write(tmp_path, rows, "a.parquet"), write(tmp_path, rows[10:], "b.parquet")]
    assert any("10 rows repeat" in note for note in wl.ingest(logs).provenance.notes)
    coarse = [row | {"ts": int(row["ts"])} for row in rows]
    assert wl.ingest(write(tmp_path, coarse)).provenance.notes == []
    other = [row | {"id": n, "request_id": f"r{n}"} for n, row in enumerate([*rows, *rows])]
    assert wl.ingest(write(tmp_path, other)).provenance.notes == []
