"""What a log may mean in two ways is told by the values beside it, or asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import workloadlab as wl

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.trace import Trace

S, MS = 10**9, 10**6


def read(folder: Path, *rows: str, **options: Any) -> Trace:
    log = folder / "log"
    log.write_text("\n".join(rows) + "\n")
    return wl.ingest(log, **options)


def refusal(folder: Path, *rows: str, **options: Any) -> str:
    with pytest.raises(wl.WorkloadlabError) as caught:
        read(folder, *rows, **options)
    return str(caught.value)


@pytest.mark.parametrize(("ttft", "latency"), [("250", "1.5"), ("0.25", "1500"), ("250", "1500")])
def test_a_first_token_lies_between_nothing_and_the_end(
    tmp_path: Path, ttft: str, latency: str
) -> None:
    head = "start_time,prompt_tokens,completion_tokens,ttft,latency"
    rows = [f"2026-09-21T14:13:2{n}Z,9,50,{ttft},{latency}" for n in range(5)]
    frame = read(tmp_path, head, *rows).frame.collect()
    assert frame["ttft_ns"].to_list() == [250 * MS] * 5
    assert frame["e2e_ns"].to_list() == [1_500 * MS] * 5


def test_an_end_in_another_unit_than_the_start(tmp_path: Path) -> None:
    rows = [f"{1790000000 + n},{1790000001500 + n * 1000},9,50" for n in range(3)]
    trace = read(tmp_path, "start_time,end_time,prompt_tokens,completion_tokens", *rows)
    assert trace.frame.collect()["e2e_ns"].to_list() == [1_500 * MS] * 3


def test_two_arrivals_half_a_century_apart(tmp_path: Path) -> None:
    text = refusal(tmp_path, "ts,prompt_tokens,completion_tokens", "0,9,5", "1790000000,9,5")
    assert "two clocks or two units" in text


def test_the_day_in_a_column_of_its_own(tmp_path: Path) -> None:
    row = "2026-09-21,14:13:20,9,5"
    text = refusal(tmp_path, "date,time,prompt_tokens,completion_tokens", row, row)
    assert "has the day in date and the time of day in time" in text


def test_times_of_day_that_pass_midnight(tmp_path: Path) -> None:
    head, late, early = "time,prompt_tokens,completion_tokens", "23:59:59,9,5", "00:00:01,9,5"
    assert "they pass midnight" in refusal(tmp_path, head, late, late, early)
    assert read(tmp_path, head, early, late).requests == 2
    seconds = [f"{99_473 if n == 40_000 else n}.5,9,5" for n in range(60_000)]
    assert read(tmp_path, head, *seconds).requests == 60_000  # one of them damaged, over a day


def test_day_numbers_of_a_spreadsheet(tmp_path: Path) -> None:
    head = "start_time,prompt_tokens,completion_tokens"
    days = [f"{46286.5926 + n / 86400},900,5" for n in range(12)]
    assert "as a spreadsheet counts days" in refusal(tmp_path, head, *days)
    assert read(tmp_path, head, *days, units={"arrival": "s"}).requests == 12
    seconds = [f"{46286.5926 + n},900,5" for n in range(12)]
    assert read(tmp_path, head, *seconds).requests == 12


def test_sums_that_nothing_names(tmp_path: Path) -> None:
    rows = [f"2026-09-21 {n:02}:00:00,{10_000_000 + n},50" for n in range(12)]
    text = refusal(tmp_path, "time,input_tokens,output_tokens", *rows)
    assert "has sums of many requests" in text


def test_rates_of_a_dashboard(tmp_path: Path) -> None:
    head = '"Time","prompt tokens","generation tokens"'
    rows = [f"2026-09-21 14:{minute:02}:00,1200,300" for minute in (13, 14, 15, 16)]
    assert "one row at the beginning of every 1 minutes" in refusal(tmp_path, head, *rows)
    assert read(tmp_path, head, *rows[:2], rows[3]).requests == 3


def test_a_second_header_of_another_width(tmp_path: Path) -> None:
    head, row = "ts,prompt_tokens,completion_tokens", "1790000000,9,5"
    text = refusal(tmp_path, head, row, f"{head},model", f"{row},m")
    assert "has a second header with other columns" in text


def test_units_of_a_mapping_file(tmp_path: Path) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text('[columns]\narrival = {key = "t", unit = "minutes"}\ninput_tokens = "p"\n')
    text = refusal(tmp_path, "t,p", "1,2", mapping=mapping)
    assert "unknown unit 'minutes'" in text


@pytest.mark.parametrize("ttft", [("1.2", "1.9"), ("12.5", "40.2")])
def test_first_tokens_near_the_end_change_no_unit(tmp_path: Path, ttft: tuple[str, str]) -> None:
    head = "start_time,prompt_tokens,completion_tokens,ttft,latency"
    scale = float(ttft[0])
    rows = [
        f"2026-09-21T14:13:2{n}Z,9,{50 * scale:.0f},{text},{0.9 * scale}"
        for n, text in enumerate(ttft)
    ]
    assert "ttft is" in refusal(tmp_path, head, *rows)


@pytest.mark.parametrize(
    ("texts", "ns"),
    [
        (("250ms", "1.2s"), (250 * MS, 1_200 * MS)),
        (("1.5 min", "0.5h"), (90 * S, 1_800 * S)),
        (("2 minutes", "1m30s"), (120 * S, 90 * S)),
    ],
)
def test_values_that_say_their_unit(
    tmp_path: Path, texts: tuple[str, str], ns: tuple[int, int]
) -> None:
    rows = [f"2026-09-21T14:13:2{n}Z,9,{text}" for n, text in enumerate(texts)]
    trace = read(tmp_path, "start_time,prompt_tokens,latency", *rows)
    assert tuple(trace.frame.collect()["e2e_ns"]) == ns
    assert trace.provenance.why["e2e"] == "each value says its unit"


def test_moments_in_place_of_counts_are_no_sums(tmp_path: Path) -> None:
    rows = [f"2026-09-21T14:13:2{n}Z,{1790000000000 + n},9" for n in range(5)]
    said = refusal(tmp_path, "start_time,prompt_tokens,completion_tokens", *rows)
    assert "numbers such as 1790000000000 in prompt_tokens, which is no count of tokens" in said


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-09-21 16:13:20.5 CEST", 1_790_000_000_500_000_000),
        ("2026-09-21 07:13:20 PDT", 1_790_000_000_000_000_000),
        ("Mon Sep 21 23:13:20 JST 2026", 1_790_000_000_000_000_000),
        ("9/21/2026 10:13:20 AM EDT", 1_790_000_000_000_000_000),
    ],
)
def test_zones_by_their_names(tmp_path: Path, text: str, ns: int) -> None:
    rows = [f"{text},9", "2026-09-21T14:15:00Z,9"]
    trace = read(tmp_path, "start_time,prompt_tokens", *rows)
    assert trace.provenance.t0_unix_ns == ns
    assert (trace.requests, trace.provenance.zone_assumed) == (2, None)


def test_a_zone_that_tells_no_offset_is_asked_about(tmp_path: Path) -> None:
    rows = [f"2026-09-21 14:13:2{n} CST,9" for n in range(5)]
    assert "names its zone CST" in refusal(tmp_path, "start_time,prompt_tokens", *rows)


def test_ends_before_their_starts_are_asked_about(tmp_path: Path) -> None:
    head = "start_time,end_time,prompt_tokens,completion_tokens"
    rows = [f"2026-09-21T14:13:2{n}Z,2026-09-21T14:13:1{n}Z,9,60" for n in range(9)]
    assert "end_time is before start_time in 9 of 9 rows" in refusal(tmp_path, head, *rows)
    mixed = [row.replace("13:1", "13:3") for row in rows[:7]] + rows[7:]
    trace = read(tmp_path, head, *mixed)
    assert trace.provenance.rows["repaired"] == {"negative e2e_ns": 2}


def test_hours_to_twelve_without_am_or_pm_are_asked_about(tmp_path: Path) -> None:
    rows = [f"2026-09-21 {hour:02}:13:20,9" for hour in (10, 11, 12, 1, 2, 3)]
    assert "AM or PM is missing" in refusal(tmp_path, "time,prompt_tokens", *rows)
    rows = [f"2026-09-21 {hour:02}:13:20,9" for hour in (10, 11, 12, 13, 1, 2)]
    assert read(tmp_path, "time,prompt_tokens", *rows).requests == 6


def test_dates_of_which_some_name_a_zone_are_told(tmp_path: Path) -> None:
    rows = ["2026-09-21 14:13:20,9", "2026-09-21 14:13:21+02:00,9"]
    told = "some dates name a zone and others none: those were taken as UTC"
    assert told in read(tmp_path, "time,prompt_tokens", *rows).provenance.notes
    assert told not in read(tmp_path, "time,prompt_tokens", *rows[:1]).provenance.notes


def test_what_is_no_finite_number_is_not_missing(tmp_path: Path) -> None:
    rows = [f"179000000{n},{count}" for n, count in enumerate(("9", "inf", "NaN", "", "-Infinity"))]
    rejected = read(tmp_path, "ts,prompt_tokens", *rows).provenance.rows["rejected"]
    assert rejected == {"not a finite number": 3, "missing value": 1}


def test_days_without_a_time_of_day_are_named(tmp_path: Path) -> None:
    rows = [f"2026-09-2{n},9,5" for n in range(5)]
    assert "gives the day only (date)" in refusal(
        tmp_path, "date,prompt_tokens,output_tokens", *rows
    )
