"""Rows that repeat the tokens of other rows, and rows that are sums of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import workloadlab as wl

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.trace import Trace

T0 = 1_790_000_000


def read(folder: Path, rows: list[dict[str, Any]]) -> Trace:
    (folder / "log").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return wl.ingest(folder / "log")


def refusal(folder: Path, rows: list[dict[str, Any]]) -> str:
    with pytest.raises(wl.WorkloadlabError) as caught:
        read(folder, rows)
    return str(caught.value)


@pytest.mark.parametrize(
    ("own", "parent"),
    [
        ("span_id", {"parent_span_id": "s0"}),
        ("spanID", {"references": [{"refType": "CHILD_OF", "spanID": "s0"}]}),
    ],
    ids=["plain", "jaeger"],
)
def test_of_calls_in_calls_the_inner_ones_are_read(
    tmp_path: Path, own: str, parent: dict[str, Any]
) -> None:
    outer = {own: "s0", "start_time": T0, "prompt_tokens": 9, "completion_tokens": 5}
    inner = [{**outer, **parent, own: f"s{n}", "start_time": T0 + n} for n in range(1, 4)]
    bare = {key: value for key, value in outer.items() if "tokens" not in key}
    tool = {**bare, **json.loads(json.dumps(parent).replace("s0", "s1")), own: "s9"}
    trace = read(tmp_path, [outer, *inner, tool])
    assert trace.read("arrival_ns")["arrival_ns"].to_list() == [0, 10**9, 2 * 10**9]
    assert trace.provenance.t0_unix_ns == (T0 + 1) * 10**9
    assert trace.provenance.rows["left_out"] == {
        "no prompt_tokens": 1, "spans around another request": 1,
    }  # fmt: skip
    assert read(tmp_path, [bare, *inner]).requests == 3


def test_calls_in_calls_that_may_be_turns_are_asked_about(tmp_path: Path) -> None:
    outer = {"id": "s0", "traceId": "t", "start_time": T0, "prompt_tokens": 9}
    inner = [{**outer, "parentId": "s0", "id": f"s{n}"} for n in range(1, 4)]
    assert "has calls in calls, which name others in parentId" in refusal(tmp_path, [outer, *inner])


def test_turns_of_a_chat_are_no_calls_in_calls(tmp_path: Path) -> None:
    turns = [
        {"id": f"m{n}", "parent_id": f"m{n - 1}", "ts": T0 + n, "prompt_tokens": 9}
        for n in range(5)
    ]
    assert read(tmp_path, turns).requests == 5


def test_lines_of_a_stream_are_refused(tmp_path: Path) -> None:
    rows = [
        {"id": f"c{n}", "created": T0 + n, "prompt_tokens": 9, "completion_tokens": 7 * made}
        for n in range(5)
        for made in (1, 2, 3)
    ]
    assert "has several lines a request (15 of 15" in refusal(tmp_path, rows)
    assert read(tmp_path, rows[2::3]).requests == 5


def test_running_totals_are_refused(tmp_path: Path) -> None:
    added = [
        {"prompt_tokens": 90 + n * 37 % 900, "completion_tokens": 5 + n * 53 % 190}
        for n in range(14)
    ]
    sums = [
        {"ts": T0 + n, **{key: sum(each[key] for each in added[: n + 1]) for key in added[0]}}
        for n in range(14)
    ]
    assert "has running totals" in refusal(tmp_path, sums)
    assert read(tmp_path, [{"ts": T0 + n, **each} for n, each in enumerate(added)]).requests == 14


def test_rates_every_15_seconds_are_refused(tmp_path: Path) -> None:
    rows = [
        {"time": T0 + 10 + 15 * n, "prompt_tokens": 900 + 37 * n % 90, "completion_tokens": 200 + n}
        for n in range(20)
    ]
    assert "every 15 seconds: sums or rates" in refusal(tmp_path, rows)
    named = [{**row, "request_id": f"q{n}"} for n, row in enumerate(rows)]
    assert read(tmp_path, named).requests == 20


def test_lines_for_the_start_and_the_end_of_each_request_are_asked_about(tmp_path: Path) -> None:
    rows = [
        {"ts": T0 + n + 0.5 * k, "id": f"r{n}", "event": event, "prompt_tokens": 9 + n,
         "completion_tokens": 30 * k}
        for n in range(9)
        for k, event in enumerate(("started", "ended"))
    ]  # fmt: skip
    assert "one for each event (started, ended)" in refusal(tmp_path, rows)
    (tmp_path / "log").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert wl.ingest(tmp_path / "log", where={"event": "ended"}).requests == 9
    retried = [row | {"event": "answer"} for row in rows]
    assert read(tmp_path, retried).requests == 18


def test_totals_by_session_are_refused(tmp_path: Path) -> None:
    rows = [
        {"ts": T0 + n, "session_id": f"s{n % 3}", "input_tokens": 90 * n, "output_tokens": n * n}
        for n in range(1, 30)
    ]
    assert "running totals by session" in refusal(tmp_path, rows)
    assert read(tmp_path, [row | {"output_tokens": 9 + n} for n, row in enumerate(rows)])
    assert read(tmp_path, [row | {"output_tokens": row["output_tokens"] % 5} for row in rows])


@pytest.mark.parametrize("step_s", [5, 10, 20])
def test_rates_every_few_seconds(tmp_path: Path, step_s: int) -> None:
    rows = [{"ts": T0 // 60 * 60 + step_s * n, "prompt_tokens": 900 + n % 7} for n in range(20)]
    assert "sums or rates" in refusal(tmp_path, rows)


def test_requests_at_one_moment_are_told(tmp_path: Path) -> None:
    rows = [{"ts": T0, "prompt_tokens": 900 + n, "completion_tokens": 9} for n in range(20)]
    assert "all requests arrive at one moment" in read(tmp_path, rows).provenance.notes[0]


def test_rates_of_tokens_are_no_counts(tmp_path: Path) -> None:
    row = {"Output tokens/s": 31, "Prompt tokens": 90, "Output tokens": 60}
    trace = read(tmp_path, [{"ts": T0 + n, **row} for n in range(9)])
    assert trace.frame.collect()["output_tokens"].to_list() == [60] * 9
    rates = [{"ts": T0 + n, "Prompt tokens/s": 90, "generation_tokens_per_s": 9} for n in range(9)]
    assert "nothing looks like input_tokens" in refusal(tmp_path, rates)
