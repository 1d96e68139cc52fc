"""Where several keys may be a trace column, and where a count may hold its parts or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import workloadlab as wl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workloadlab.trace import Trace

S, MS = 10**9, 10**6
T0 = 1_790_000_000
ROWS = range(12)


def moment(second: float) -> str:
    return f"2026-09-21T14:13:{20 + second:06.3f}Z"


def read(folder: Path, text: str) -> Trace:
    (folder / "log").write_text(text)
    return wl.ingest(folder / "log")


def lines(row: Callable[[int], dict[str, Any]]) -> str:
    return "".join(json.dumps(row(n)) + "\n" for n in ROWS)


def column(trace: Trace, name: str) -> list[Any]:
    return trace.frame.collect()[name].to_list()


def test_the_moment_nearest_to_the_tokens_counts(tmp_path: Path) -> None:
    def row(n: int) -> str:
        inner = json.dumps({"timestamp": moment(n), "input": {"inputTokenCount": 9 + n}})
        return f'{moment(n * 1.5 + 3)},"{inner.replace(chr(34), chr(34) * 2)}"\n'

    trace = read(tmp_path, "@timestamp,@message\n" + "".join(map(row, ROWS)))
    assert column(trace, "arrival_ns") == [n * S for n in ROWS]


@pytest.mark.parametrize(
    ("cached", "total", "prompt"), [(60, 150, 100), (60, 210, 160), (160, 150, 260)]
)
def test_a_total_tells_whether_the_cached_part_is_inside(
    tmp_path: Path, cached: int, total: int, prompt: int
) -> None:
    usage = {
        "input_tokens": 100, "cache_read_input_tokens": cached, "output_tokens": 50,
        "total_tokens": total,
    }  # fmt: skip
    trace = read(tmp_path, lines(lambda n: {"ts": T0 + n, **usage}))
    assert column(trace, "input_tokens") == [prompt] * 12


@pytest.mark.parametrize(
    ("usage", "prompt"),
    [
        ({"input_tokens": 40, "cache_read_tokens": 9, "cache_creation_tokens": 1}, 50),
        ({"input_tokens": 40, "cache_read_tokens": 9}, 40),
        ({"inputTokens": 40, "cacheReadInputTokens": 9, "cacheWriteInputTokens": 1}, 50),
        ({"gen_ai.usage.input_tokens": 40, "gen_ai.usage.cache_read_input_tokens": 9}, 40),
    ],
)
def test_parts_that_are_counted_apart(tmp_path: Path, usage: dict[str, Any], prompt: int) -> None:
    trace = read(tmp_path, lines(lambda n: {"timestamp": moment(n), **usage}))
    assert column(trace, "input_tokens") == [prompt] * 12


def test_lengths_in_a_document_that_has_times_are_no_lengths_alone(tmp_path: Path) -> None:
    calls = [{"init_at": moment(n), "prompt_tokens": 9, "completion_tokens": 5} for n in ROWS]
    with pytest.raises(wl.WorkloadlabError, match="nothing looks like arrival"):
        read(tmp_path, json.dumps({"calls": calls, "tools": []}))


def test_a_latency_up_to_the_first_byte(tmp_path: Path) -> None:
    head = "timeStamp,elapsed,Latency,prompt_tokens,completion_tokens\n"
    rows = [f"{(T0 + n) * 1000},{1000 + 90 * n},{200 + n},9,{40 + 4 * n}\n" for n in ROWS]
    assert column(read(tmp_path, head + "".join(rows)), "e2e_ns") == [
        (1000 + 90 * n) * MS for n in ROWS
    ]


def test_a_request_arrives_when_it_is_created_and_waits_for_its_start(tmp_path: Path) -> None:
    trace = read(
        tmp_path,
        lines(
            lambda n: {
                "created_at": moment(n + 0.125), "started_at": moment(n + 0.25), "prompt_tokens": 9,
                "completed_at": moment(n + 2.125),
            }
        ),
    )  # fmt: skip
    assert trace.provenance.t0_unix_ns == T0 * S + S // 8
    assert column(trace, "e2e_ns") == [2 * S] * 12


@pytest.mark.parametrize(
    "created",
    [
        pytest.param(lambda n: T0 + n, id="whole-seconds"),
        pytest.param(lambda n: T0 - 400 + n // 6 + 0.5, id="of-a-conversation"),
        pytest.param(lambda n: T0 + n + 3.5, id="of-the-row"),
    ],
)
def test_another_creation_is_no_arrival(tmp_path: Path, created: Callable[[int], float]) -> None:
    trace = read(
        tmp_path,
        lines(
            lambda n: {"created_at": created(n), "started_at": T0 + n + 0.25, "prompt_tokens": 9}
        ),
    )
    assert trace.provenance.t0_unix_ns == T0 * S + S // 4


@pytest.mark.parametrize(("late", "first"), [(0.75, 0.0), (-0.75, -0.75)])
def test_a_log_is_received_after_it_was_written(tmp_path: Path, late: float, first: float) -> None:
    text = lines(
        lambda n: {
            "receivedAt": moment(n + late), "timestamp": moment(n), "usage": {"promptTokens": 9},
        }
    )  # fmt: skip
    assert read(tmp_path, text).provenance.t0_unix_ns == round((T0 + first) * 100) * 10**7


def test_usage_by_the_name_of_a_model(tmp_path: Path) -> None:
    text = lines(
        lambda n: {
            "started_at": moment(n),
            "usage": {f"m-{n % 3}": {"prompt_tokens": 9 + n, "completion_tokens": 5}},
        }
    )
    trace = read(tmp_path, text)
    assert column(trace, "input_tokens") == [9 + n for n in ROWS]
    assert column(trace, "output_tokens") == [5] * 12


def test_usage_of_a_second_model_at_times(tmp_path: Path) -> None:
    def row(n: int) -> dict[str, Any]:
        usage = {"gpt": {"prompt_tokens": 9}} | ({"emb": {"prompt_tokens": 1}} if n % 2 else {})
        return {"ts": T0 + n, "usage": usage}

    with pytest.raises(wl.WorkloadlabError, match="tokens of 2 requests in one record"):
        read(tmp_path, lines(row))


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c")])
def test_tokens_of_several_requests_in_one_record(tmp_path: Path, names: tuple[str, ...]) -> None:
    def row(n: int) -> dict[str, Any]:
        here = names if n > 1 else names[n : n + 1]
        return {"ts": T0 + n, "usage": {name: {"prompt_tokens": 9} for name in here}}

    with pytest.raises(wl.WorkloadlabError) as caught:
        read(tmp_path, lines(row))
    assert "requests in one record (usage.a.prompt_tokens, usage.b" in str(caught.value)


def test_two_counts_of_one_request_are_no_two_requests(tmp_path: Path) -> None:
    def row(n: int) -> dict[str, Any]:
        return {"ts": T0 + n, "usage": {"prompt_tokens": 9}, "original": {"prompt_tokens": 8}}

    assert column(read(tmp_path, lines(row)), "input_tokens") == [9] * 12


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(
            lambda n: {"StartUTC": moment(n), "downstream_X-Prompt-Tokens": "9"}, id="header"
        ),
        pytest.param(
            lambda n: {"start_time": moment(n), "upstream_http_x_prompt_tokens": "9"}, id="nginx"
        ),
        pytest.param(lambda n: {"logging_time": moment(n), "prompt_tokens": 9}, id="vertex"),
        pytest.param(
            lambda n: {"TimeStamp": f"/Date({(T0 + n) * 1000})/", "PromptTokens": 9}, id="dotnet"
        ),
        pytest.param(
            lambda n: {"ts": T0 + n, "tokensIn": 2, "cacheReads": 7, "cacheWrites": 0}, id="cline"
        ),
        pytest.param(
            lambda n: {
                "Item": {"createdAt": {"S": moment(n)}, "promptTokens": {"N": "9"},
                         "completionTokens": {"N": "5"}, "totalTokens": {"N": "14"}},
            },
            id="dynamodb-item",
        ),
        pytest.param(lambda n: {"arrival_ts": T0 + n, "prompt_tokens": 9}, id="ts"),
        pytest.param(lambda n: {"event_timestamp": moment(n), "prompt_tokens": 9}, id="timestamp"),
        pytest.param(lambda n: {"createTime": moment(n), "prompt_tokens": 9}, id="gemini"),
        pytest.param(
            lambda n: {
                "result": {"request_time": 2.5, "request_datetime": T0 + n}, "prompt_tokens": 9,
            },
            id="helm",
        ),
        pytest.param(
            lambda n: {"finished_at": moment(n + 3), "latency_ms": 3000, "prompt_tokens": 9}, id="end"
        ),
        pytest.param(
            lambda n: {
                "finished_at": moment(n + 3), "latency": 3000, "prompt_tokens": 9,
                "completion_tokens": 80,
            },
            id="end-and-tokens",
        ),
    ],
)  # fmt: skip
def test_names_that_are_told(tmp_path: Path, row: Callable[[int], dict[str, Any]]) -> None:
    trace = read(tmp_path, lines(row))
    assert column(trace, "arrival_ns") == [n * S for n in ROWS]
    assert column(trace, "input_tokens") == [9] * 12
    assert trace.provenance.t0_unix_ns == T0 * S


@pytest.mark.parametrize(
    "later",
    [
        pytest.param({"timestamp": "at", "prompt_tokens": "in", "latency_ms": "took"}, id="moment"),
        pytest.param({"ts": "at", "input_tokens": "in", "latency_ms": "took"}, id="tokens"),
        pytest.param({"ts": "at", "usage.prompt_tokens": "in", "latency_ms": "took"}, id="nested"),
        pytest.param({"ts": "at", "prompt_tokens": "in", "duration_ms": "took"}, id="duration"),
        pytest.param({"ts": "at", "prompt_tokens": "in", "duration_s": "seconds"}, id="unit"),
    ],
)
def test_a_log_that_changes_its_names(tmp_path: Path, later: dict[str, str]) -> None:
    def row(n: int) -> dict[str, Any]:
        values = {"at": T0 + n, "in": 9 + n, "took": 1500, "seconds": 1.5}
        early = {"ts": "at", "prompt_tokens": "in", "latency_ms": "took"}
        flat: dict[str, Any] = {
            key: values[word] for key, word in (early if n < 6 else later).items()
        }
        if count := flat.pop("usage.prompt_tokens", None):
            flat["usage"] = {"prompt_tokens": count}
        return flat

    trace = read(tmp_path, lines(row))
    assert column(trace, "arrival_ns") == [n * S for n in ROWS]
    assert column(trace, "input_tokens") == [9 + n for n in ROWS]
    assert column(trace, "e2e_ns") == [1500 * MS] * 12


def test_first_tokens_after_the_end_are_asked_about(tmp_path: Path) -> None:
    row = {"prompt_tokens": 9, "completion_tokens": 50, "ttft_ms": 2500, "latency_ms": 300}
    with pytest.raises(wl.WorkloadlabError, match="ttft_ms is above latency_ms in 12 of 12 rows"):
        read(tmp_path, lines(lambda n: {"ts": T0 + n, **row}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[GIN] 2026/01/31 - 12:00:00 | 200 | 5.04s | POST\n", "is an engine's text log"),
        ("[2026-01-31 12:00:00 TP0] Decode batch. #token: 12\n", "is an engine's text log"),
        (
            "[2026-01-31 12:00:00] prompt_tokens: 9 completion_tokens: 5\n",
            "is a text log: its values",
        ),
        ('[2026-01-31T12:00:00Z] "POST /v1 HTTP/2" 200 - in=9 out=5\n', "is an access log in text"),
        (
            '::1 - - [31/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5\n',
            "is an access log in text",
        ),
        ("Timestamp,Requests/s,Total Request Count\n1790000000,5,5\n", "is the history of Locust"),
        (
            '{"metric":"m","type":"Point","data":{"time":"2026-01-31","value":5}}\n',
            "is points of k6",
        ),
        ('\x1e{"ts": 1790000000, "prompt_tokens": 9}\n', "is a JSON text sequence"),
        ("- ts: 1790000000\n  prompt_tokens: 9\n", "is YAML"),
        ("<?xml version='1.0'?>\n<log>\n", "is XML"),
        ("INSERT INTO logs VALUES (1790000000, 9);\n", "is a dump in SQL"),
        (
            json.dumps({"data": {"resultType": "matrix", "result": [{}]}}) + "\n",
            "is an answer of Prom",
        ),
        ("{'ts': 1790000000, 'prompt_tokens': 9}\n", "is dicts as Python prints them"),
        ("#Software: IIS\n#Fields: date time sc-status\n2026-01-31 12:00:00 200\n", "is a W3C"),
    ],
)
def test_texts_that_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(wl.WorkloadlabError) as caught:
        read(tmp_path, text * 3)
    assert words in str(caught.value)


def test_spans_without_counts_of_tokens_say_so(tmp_path: Path) -> None:
    spans = [
        {"name": "chat", "context": {"trace_id": "0x1", "span_id": f"0x{n}"}, "start_time": moment(n),
         "end_time": moment(n + 1), "attributes": {"gen_ai.operation.name": "chat"}}
        for n in ROWS
    ]  # fmt: skip
    with pytest.raises(wl.WorkloadlabError) as caught:
        read(tmp_path, lines(lambda n: spans[n]))
    assert "no attributes.gen_ai.usage.input_tokens" in caught.value.what
    assert "count tokens" in caught.value.fix
