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
        ("id", {"parentId": "s0", "traceId": "t"}),
    ],
    ids=["plain", "jaeger", "zipkin"],
)
def test_calls_in_calls_are_asked_about(tmp_path: Path, own: str, parent: dict[str, Any]) -> None:
    outer = {own: "s0", "start_time": T0, "prompt_tokens": 9, "completion_tokens": 5}
    inner = [{**outer, **parent, own: f"s{n}", "start_time": T0 + n} for n in range(1, 4)]
    assert "has calls in calls (3 of 4 rows" in refusal(tmp_path, [outer, *inner])
    bare = {key: value for key, value in outer.items() if "tokens" not in key}
    assert read(tmp_path, [bare, *inner]).requests == 3


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
