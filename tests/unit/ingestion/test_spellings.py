"""The same value, moment or table in the ways that logs spell it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import workloadlab as wl
from workloadlab.ingestion.parsing.tables import header_at

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.trace import Trace

S, MS = 10**9, 10**6
HEAD = "start_time,prompt_tokens,completion_tokens"
AT = "2026-09-21T14:13:2{}Z"


def read(folder: Path, text: str | bytes, **options: Any) -> Trace:
    log = folder / "log"
    log.write_bytes(text if isinstance(text, bytes) else text.encode())
    return wl.ingest(log, **options)


def with_column(name: str, *values: str) -> str:
    rows = "".join(f'{AT.format(n)},{100 + n},50,"{value}"\n' for n, value in enumerate(values))
    return f"{HEAD},{name}\n{rows}"


@pytest.mark.parametrize(
    "nothing",
    [
        "Null",
        "(null)",
        "nil",
        "#N/A",
        "n/a",
        "none",
        "--",
        "NONE",
        "\\n",
        "inf",
        "-Infinity",
        "0001-01-01T00:00:00Z",
    ],
)
def test_no_value_costs_no_row(tmp_path: Path, nothing: str) -> None:
    trace = read(tmp_path, with_column("end_time", AT.format(2), nothing, AT.format(4)))
    assert trace.frame.collect()["e2e_ns"].to_list() == [2 * S, None, 2 * S]
    assert trace.provenance.rows["rejected"] == {}


@pytest.mark.parametrize(
    "stamp",
    [
        "2026/09/21 14:13:20",
        "Mon, 21 Sep 2026 16:13:20 +0200",
        "Mon, 21 Sep 2026 14:13:20 GMT",
        "Mon Sep 21 2026 14:13:20 GMT+0000 (Coordinated Universal Time)",
        "Mon Sep 21 14:13:20 2026",
        "Mon Sep 21 14:13:20 UTC 2026",
        "Sep 21, 2026 @ 14:13:20.000",
        "20260921T141320Z",
        "2026-09-21 14:13:20 Etc/UTC",
        "2026-09-21T16:13:20+02:00[Europe/Berlin]",
    ],
)
def test_moments(tmp_path: Path, stamp: str) -> None:
    trace = read(tmp_path, f'{HEAD}\n"{stamp}",100,50\n')
    assert trace.provenance.t0_unix_ns == 1_790_000_000 * S


def test_a_moment_without_seconds_is_the_minute(tmp_path: Path) -> None:
    trace = read(tmp_path, f"{HEAD}\n2026-09-21 14:13,100,50\n2026-09-21 14:15,100,50\n")
    assert trace.frame.collect()["arrival_ns"].to_list() == [0, 120 * S]


@pytest.mark.parametrize("stamp", ["9/11/2026 2:13:20 PM", "05/09/2026 14:13:20", "2026-09-21"])
def test_moments_that_may_be_others_are_refused(tmp_path: Path, stamp: str) -> None:
    with pytest.raises(wl.WorkloadlabError):
        read(tmp_path, f"{HEAD}\n{stamp},100,50\n")


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1m2.5s", 62_500 * MS),
        ("1h", 3600 * S),
        ("PT1M2.5S", 62_500 * MS),
        ("P1D", 86_400 * S),
        ("0 days 00:00:01.500000", 1_500 * MS),
        ("1:02.5", 62_500 * MS),
        ("99999999d", None),
        ("PT", None),
    ],
)
def test_durations(tmp_path: Path, text: str, ns: int | None) -> None:
    trace = read(tmp_path, with_column("latency", "1s", text))
    assert trace.frame.collect()["e2e_ns"].to_list() == ([S] if ns is None else [S, ns])


@pytest.mark.parametrize(
    ("name", "value"),
    [("latency_milliseconds", 1500), ("durationNano", 1_500_000_000), ("latencySeconds", 1.5)],
)
def test_units_written_out(tmp_path: Path, name: str, value: float) -> None:
    trace = read(tmp_path, with_column(name, str(value)))
    assert trace.frame.collect()["e2e_ns"].to_list() == [1_500 * MS]


def test_nanoseconds_beside_nanoseconds_are_told_by_the_tokens(tmp_path: Path) -> None:
    rows = "".join(f"{1790000000000000000 + n},9,50,1500000000\n" for n in range(3))
    trace = read(tmp_path, "start_ns,input_tokens,output_tokens,duration\n" + rows)
    assert trace.frame.collect()["e2e_ns"].to_list() == [1_500 * MS] * 3


@pytest.mark.parametrize("mark", [",", " ", "_", "'", "\u00a0", "\u202f", "\u2019"])
def test_marks_between_thousands(tmp_path: Path, mark: str) -> None:
    trace = read(tmp_path, f'{HEAD}\n{AT.format(0)},"1{mark}234{mark}567",50\n')
    assert trace.frame.collect()["input_tokens"].to_list() == [1_234_567]


def test_groups_of_two_are_no_thousands(tmp_path: Path) -> None:
    trace = read(tmp_path, f"{HEAD}\n{AT.format(0)},12 34,50\n{AT.format(0)},7,50\n")
    assert trace.provenance.rows["rejected"] == {"not an integer": 1}


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("200 OK", "ok"),
        ("429 Too Many Requests", "rejected"),
        ("504 Gateway Timeout", "timeout"),
        ("RESOURCE_EXHAUSTED", "rejected"),
        ("UNAVAILABLE", "error"),
        ("DEADLINE_EXCEEDED", "timeout"),
    ],
)
def test_outcomes(tmp_path: Path, word: str, outcome: str) -> None:
    trace = read(tmp_path, with_column("status", word))
    assert trace.frame.collect()["outcome"].to_list() == [outcome]


def test_switches_of_float_columns(tmp_path: Path) -> None:
    trace = read(tmp_path, with_column("stream", "1.0", "0.0", "t"))
    assert trace.frame.collect()["streaming"].to_list() == [True, False, True]


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_the_mark_of_a_second_file_is_no_text(tmp_path: Path, kind: str) -> None:
    row = {"start_time": AT.format(0), "prompt_tokens": 7, "completion_tokens": 3}
    text = json.dumps(row) + "\n" if kind == "json" else f"{HEAD}\n{AT.format(0)},7,3\n"
    trace = read(tmp_path, 2 * (b"\xef\xbb\xbf" + text.encode()))
    assert trace.frame.collect()["input_tokens"].to_list() == [7, 7]
    assert trace.provenance.rows["rejected"] == ({} if kind == "json" else {"a second header": 1})


def test_remarks_before_the_header(tmp_path: Path) -> None:
    trace = read(tmp_path, f"# of yesterday\n\n# by night\n{HEAD}\n{AT.format(0)},7,3\n")
    assert trace.frame.collect()["input_tokens"].to_list() == [7]


@pytest.mark.parametrize(
    ("lines", "at"),
    [
        (["a,b", "1,2"], 0),
        (["", "sep=;", "a;b"], 2),
        (["# x", "a,b", "1,2"], 1),
        (["# Title", "Some, words", "and one, two, three"], 0),
        (["# a,b", "1,2"], 0),
        (["", " "], None),
    ],
)
def test_where_the_header_is(lines: list[str], at: int | None) -> None:
    assert header_at(lines) == at


def test_lines_of_old_macs_are_named(tmp_path: Path) -> None:
    with pytest.raises(wl.WorkloadlabError, match="CR alone"):
        read(tmp_path, f"{HEAD}\r{AT.format(0)},7,3\r")


def test_decimal_commas_between_tabs(tmp_path: Path) -> None:
    head = HEAD.replace(",", "\t")
    row = f"{AT.format(0)}\t7\t3"
    trace = read(tmp_path, f"{head}\tlatency_s\n{row}\t1,5\n")
    assert trace.frame.collect()["e2e_ns"].to_list() == [1_500 * MS]
    english = read(tmp_path, f"{head}\tlatency_ms\n{row}\t1,500\n{row}\t900\n")
    assert english.frame.collect()["e2e_ns"].to_list() == [1_500 * MS, 900 * MS]


def test_a_quote_alone_on_the_last_line(tmp_path: Path) -> None:
    trace = read(tmp_path, 'prompt_tokens,completion_tokens,ts\n7,3,1790000000\n"')
    assert trace.provenance.rows["rejected"] == {"unclosed quote": 1}


def test_one_unknown_outcome_near_the_head_costs_its_row_and_not_the_column(tmp_path):
    words = ["ok", "weird", *["ok", "error", "ok"] * 10]
    rows = [f"{1790000000 + n},100,5,{word}" for n, word in enumerate(words)]
    log = tmp_path / "log.csv"
    log.write_text("\n".join(["timestamp,input_tokens,output_tokens,status", *rows]))
    trace = wl.ingest(log)
    assert trace.read("outcome")["outcome"].value_counts(sort=True).rows() == [
        ("ok", 21),
        ("error", 10),
    ]
