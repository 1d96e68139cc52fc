"""Logs as containers, shippers and stores hand them out: the application's line inside theirs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import workloadlab as wl
from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.trace import Trace

S, MS = 10**9, 10**6
T0 = 1_790_000_000
ROWS = [
    {
        "start_time": f"2026-09-21T14:13:{20 + n}.250Z",
        "prompt_tokens": 100 + n,
        "completion_tokens": 50,
        "duration_ms": 2000,
    }
    for n in range(12)
]


def stamp(n: int) -> str:
    """The time at which the line of a request is written, two seconds after it began."""
    return f"2026-09-21T14:13:{22 + n}.250000000Z"


PREFIXES = {
    "cri": lambda n: f"{stamp(n)} stdout F ",
    "kubectl": lambda n: f"{stamp(n)} ",
    "kubectl --prefix": lambda _: "[pod/gw-1/gw] ",
    "compose": lambda _: "gw-1  | ",
    "syslog": lambda n: f"Sep 21 14:13:{22 + n} host gw[71]: ",
    "python": lambda n: f"2026-09-21 14:13:{22 + n},250 INFO gw: ",
}


def read(folder: Path, text: str, **options: Any) -> Trace:
    log = folder / "log"
    log.write_text(text)
    return wl.ingest(log, **options)


def column(trace: Trace, name: str) -> list[Any]:
    return trace.frame.collect()[name].to_list()


def check(trace: Trace) -> None:
    assert column(trace, "input_tokens") == [row["prompt_tokens"] for row in ROWS]
    assert column(trace, "arrival_ns") == [n * S for n in range(12)]
    assert column(trace, "e2e_ns") == [2 * S] * 12
    assert trace.provenance.t0_unix_ns == T0 * S + 250 * MS
    assert not trace.provenance.rows["rejected"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_stands_before_the_json_of_a_line_is_left_out(tmp_path: Path, prefix: str) -> None:
    before = PREFIXES[prefix]
    trace = read(tmp_path, "".join(f"{before(n)}{json.dumps(row)}\n" for n, row in enumerate(ROWS)))
    check(trace)
    assert not trace.provenance.notes


@pytest.mark.parametrize("prefix", ["cri", "kubectl", "python"])
def test_a_line_without_a_time_ended_when_it_was_written(tmp_path: Path, prefix: str) -> None:
    untimed = [{key: row[key] for key in row if key != "start_time"} for row in ROWS]
    before = PREFIXES[prefix]
    check(read(tmp_path, "".join(f"{before(n)}{json.dumps(r)}\n" for n, r in enumerate(untimed))))


@pytest.mark.parametrize("size", [1, 40, 1 << 20])
def test_lines_that_a_runtime_cut_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("workloadlab.ingestion.sources.BLOCK_BYTES", size)
    text = ""
    for n, row in enumerate(ROWS):
        line = json.dumps(row)
        text += f"{stamp(n)} stdout P {line[:30]}\n{stamp(n)} stdout P {line[30:60]}\n"
        text += f"{stamp(n)} stdout F {line[60:]}\n"
    check(read(tmp_path, text))


def test_words_between_such_lines_are_set_aside(tmp_path: Path) -> None:
    text = f"{stamp(0)} stderr F listening on port 8080\n"
    text += "".join(f"{stamp(n)} stdout F {json.dumps(row)}\n" for n, row in enumerate(ROWS))
    trace = read(tmp_path, text)
    assert trace.requests == 12
    assert sum(trace.provenance.rows["rejected"].values()) == 1


def test_json_in_the_last_column_is_no_prefixed_line(tmp_path: Path) -> None:
    rows = "".join(f"{row['start_time']}\tgpt\t{json.dumps(row)}\n" for row in ROWS)
    trace = read(tmp_path, "at\tmodel\tbody\n" + rows)
    assert column(trace, "model") == ["gpt"] * 12


def test_a_time_in_a_shipped_line_is_not_replaced_by_the_shippers(tmp_path: Path) -> None:
    rows = [{"line": json.dumps(row), "timestamp": stamp(n)} for n, row in enumerate(ROWS)]
    trace = read(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    check(trace)
    assert trace.provenance.options["mapping"]["arrival_ns"] == "line.start_time"


@pytest.mark.parametrize("timed", [True, False])
def test_an_answer_of_loki(tmp_path: Path, timed: bool) -> None:
    rows = ROWS if timed else [{k: row[k] for k in row if k != "start_time"} for row in ROWS]
    streams = [
        {
            "stream": {"pod": f"gw-{pod}"},
            "values": [
                [str((T0 + 2 + n) * S + 250 * MS), json.dumps(row)]
                for n, row in enumerate(rows)
                if n % 2 == pod
            ],
        }
        for pod in range(2)
    ]
    data = {"resultType": "streams", "result": streams, "stats": {"summary": {"execTime": 0.1}}}
    check(read(tmp_path, json.dumps({"status": "success", "data": data})))


def test_rows_that_were_shipped_twice_are_told_and_left_out_when_asked(tmp_path: Path) -> None:
    named = [row | {"request_id": f"q{n}"} for n, row in enumerate(ROWS)]
    sent = [named[n] for n in (0, 1, 1, 2, 3, 4, 5, 4, 6, 7, 8, 9, 10, 11)]
    other = named[3] | {"request_id": "another", "completion_tokens": 51}
    text = "".join(json.dumps(row) + "\n" for row in [*sent, other])
    trace = read(tmp_path, text)
    assert trace.requests == 15
    assert any("2 rows repeat" in n and "--drop-repeats" in n for n in trace.provenance.notes)
    once = read(tmp_path, text, drop_repeats=True)
    assert once.requests == 13
    assert once.provenance.rows["left_out"] == {"repeat of another row": 2}
    assert not once.provenance.notes
    assert sorted(column(once, "row_id")) == list(range(13))


def test_equal_rows_that_may_be_other_requests_are_not_dropped(tmp_path: Path) -> None:
    text = "start_time,prompt_tokens,completion_tokens\n" + "2026-09-21T14:13:20Z,9,5\n" * 3
    assert read(tmp_path, text).requests == 3
    with pytest.raises(wl.WorkloadlabError, match="may be another request"):
        read(tmp_path, text, drop_repeats=True)


def test_repeats_are_looked_for_in_one_call_only(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sees the rows of one call"):
        wl.ingest(tmp_path / "a.csv", tmp_path / "grown", append=True, drop_repeats=True)
