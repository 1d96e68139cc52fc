"""Kinds of trouble that logs make: each is read right, or refused with the way out."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.trace import Flag, Trace

if TYPE_CHECKING:
    from pathlib import Path

S, MS = 10**9, 10**6
HEAD = "start_time,prompt_tokens,completion_tokens"
ROWS = [
    {
        "start_time": f"2026-09-21T14:13:{20 + n}.5Z",
        "prompt_tokens": 100 + n,
        "completion_tokens": 50,
    }
    for n in range(12)
]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def read(folder: Path, text: str | bytes, **options: Any) -> Trace:
    log = folder / "log"
    log.write_bytes(text if isinstance(text, bytes) else text.encode())
    return wl.ingest(log, **options)


def refusal(folder: Path, text: str, **options: Any) -> str:
    with pytest.raises(wl.WorkloadlabError) as caught:
        read(folder, text, **options)
    return str(caught.value)


def with_latency(*values: Any, **more: Any) -> str:
    picked = [values[n % len(values)] for n in range(len(ROWS))]
    return lines([row | {"latency": v} | more for row, v in zip(ROWS, picked, strict=True)])


@pytest.mark.parametrize(
    ("values", "unit", "e2e_ns"),
    [((3, 4), "s", 3 * S), ((1500.25, 900), "ms", 1_500_250_000), ((1_500_000_000,), "ns", 1_500 * MS)],
)  # fmt: skip
def test_a_duration_without_a_unit_is_told_by_the_tokens(
    tmp_path: Path, values: Any, unit: str, e2e_ns: int
) -> None:
    trace = read(tmp_path, with_latency(*values))
    assert trace.provenance.units["e2e"] == unit
    assert "tokens/s" in trace.provenance.why["e2e"]
    assert trace.read("e2e_ns")["e2e_ns"][0] == e2e_ns


def test_a_duration_that_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "completion_tokens"} for row in ROWS]
    log = lines([row | {"latency": 30 + n} for n, row in enumerate(rows)])
    assert "--unit e2e=ms" in refusal(tmp_path, log)
    assert read(tmp_path, log, units={"e2e": "ms"}).read("e2e_ns")["e2e_ns"][0] == 30 * MS


def test_a_first_token_in_the_unit_of_the_whole(tmp_path: Path) -> None:
    trace = read(tmp_path, with_latency(2000, ttft=250))
    assert trace.read("ttft_ns")["ttft_ns"][0] == 250 * MS


def test_an_end_on_the_same_clock_counts_from_the_start(tmp_path: Path) -> None:
    rows = [{"start_time": 812.5 + n, "end_time": 815.5 + n, "prompt_tokens": 5,
             "completion_tokens": 90} for n in range(8)]  # fmt: skip
    assert set(read(tmp_path, lines(rows)).read("e2e_ns")["e2e_ns"]) == {3 * S}
    epochs = [row | {"end_time": 1790000002.5 + n} for n, row in enumerate(ROWS)]
    assert set(read(tmp_path, lines(epochs)).read("e2e_ns")["e2e_ns"]) == {2 * S}


def test_an_end_on_another_clock_is_not_used(tmp_path: Path) -> None:
    log = lines([row | {"end_time": 815.5 + n} for n, row in enumerate(ROWS)])
    trace = read(tmp_path, log)
    assert "e2e_ns" not in trace.columns
    assert "not read, though they look like times: end_time" in trace.provenance.notes
    assert "end_time is no duration" in refusal(tmp_path, log, mapping={"e2e": "end_time"})


@pytest.mark.parametrize("first", ["s", "ms"])
def test_epochs_that_change_their_unit_are_read_by_size(tmp_path: Path, first: str) -> None:
    seconds = [1790000000.5 + n for n in range(6)]
    stamps = [t if (n < 3) == (first == "s") else round(t * 1000) for n, t in enumerate(seconds)]
    log = lines([{"timestamp": t, "prompt_tokens": 5, "completion_tokens": 6} for t in stamps])
    trace = read(tmp_path, log)
    assert trace.span_s == 5
    assert trace.provenance.rows["repaired"] == {"arrival in another unit than the others": 3}


@pytest.mark.parametrize("stray", [0, 2_900_000_000])
def test_one_stray_arrival_is_rejected(tmp_path: Path, stray: int) -> None:
    rows = [
        {"timestamp": 1790000000 + n if n != 3 else stray, "prompt_tokens": n} for n in range(9)
    ]
    trace = wl.ingest(_written(tmp_path / "log", lines(rows)), tmp_path / "out.trace")
    assert trace.span_s == 8
    assert trace.provenance.rows["rejected"] == {"arrival years away from all others": 1}
    [place] = pl.read_parquet(tmp_path / "out.trace.rejects.parquet").select("row", "line").rows()
    assert place == (4, 4)


def test_two_clocks_in_one_log_are_refused(tmp_path: Path) -> None:
    rows = [
        {"timestamp": 1790000000 + n if n % 2 else 500 + n, "prompt_tokens": n} for n in range(20)
    ]
    assert "two clocks or two units" in refusal(tmp_path, lines(rows))


def test_whole_numbers_from_a_start_far_apart_are_asked_about(tmp_path: Path) -> None:
    log = lines([{"ts": 250 * n, "prompt_tokens": 5} for n in range(30)])
    assert "seconds, or milliseconds?" in refusal(tmp_path, log)
    assert read(tmp_path, log, units={"arrival": "ms"}).span_s == 7.25


def test_a_flood_in_milliseconds_is_asked_about(tmp_path: Path) -> None:
    log = lines([{"timestamp": 3 * n, "input_length": 5000, "output_length": 9} for n in range(20)])
    assert "are these seconds?" in refusal(tmp_path, log)
    assert read(tmp_path, log, units={"arrival": "s"}).span_s == 57


def test_keys_that_appear_late_are_read(tmp_path: Path) -> None:
    rows = [{"ts": 1790000000 + n, "prompt_tokens": 5} for n in range(400)]
    rows[333] |= {"usage": {"completion_tokens": 7}, "ttft_ms": 9}
    got = read(tmp_path, lines(rows)).read("output_tokens", "ttft_ns").drop_nulls()
    assert got.rows() == [(7, 9 * MS)]


def test_anthropic_prompts_include_what_the_cache_held(tmp_path: Path) -> None:
    usage = {"input_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 7,
             "output_tokens": 9}  # fmt: skip
    trace = read(tmp_path, lines([{"timestamp": 1790000000 + n, "usage": usage} for n in range(3)]))
    assert set(trace.read("input_tokens", "cached_tokens").rows()) == {(112, 100)}


def test_parts_above_the_whole_are_asked_about_and_can_be_added(tmp_path: Path) -> None:
    log = lines([row | {"cached_tokens": 4000} for row in ROWS])
    words = refusal(tmp_path, log)
    assert "--map 'input_tokens=prompt_tokens+cached_tokens'" in words
    added = read(tmp_path, log, mapping={"input_tokens": "prompt_tokens+cached_tokens"})
    assert added.read("input_tokens")["input_tokens"][0] == 4100
    dropped = read(tmp_path, log, mapping={"cached_tokens": ""})
    assert "cached_tokens" not in dropped.columns


def test_a_first_token_of_what_does_not_stream_is_none(tmp_path: Path) -> None:
    rows = [
        row | {"ttft_ms": 900, "latency_ms": 900, "stream": n > 5} for n, row in enumerate(ROWS)
    ]
    trace = read(tmp_path, lines(rows))
    assert not trace.has("ttft_ns")
    assert set(trace.read("flags")["flags"]) == {int(Flag.NO_STREAM)}


def test_a_second_header_is_set_aside_or_refused(tmp_path: Path) -> None:
    body = "2026-09-21 14:13:20,100,5\n"
    again = read(tmp_path, f"{HEAD}\n{body}{HEAD}\n{body}")
    assert again.provenance.rows["rejected"] == {"a second header": 1}
    for stamp in ("2026-09-21 14:13:20", "1790000000"):
        row = f"{stamp},100,5\n"
        swapped = f"{HEAD}\n{row}start_time,completion_tokens,prompt_tokens\n{row}"
        assert "its columns in another order" in refusal(tmp_path, swapped)


def test_missing_values_and_thousands_cost_no_row(tmp_path: Path) -> None:
    rows = "".join(
        f'2026-09-21 14:13:{20 + n},"{n + 1},200",5,{chr(92) + "N" if n % 2 else 50}\n'
        for n in range(6)
    )
    trace = read(tmp_path, f"{HEAD},ttft_ms\n{rows}")
    assert trace.read("input_tokens")["input_tokens"].to_list() == [
        1200 + 1000 * n for n in range(6)
    ]
    assert trace.read("ttft_ns").null_count().item() == 3
    assert trace.provenance.rows["rejected"] == {}


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("errored", "error"), ("200", "ok"), ("429", "rejected"), ("503", "error"), ("499", "cancelled"),
     ("504", "timeout"), ("client_disconnected", "cancelled"), ("incomplete", "unfinished")],
)  # fmt: skip
def test_outcomes_go_by_many_names(tmp_path: Path, word: str, outcome: str) -> None:
    trace = read(tmp_path, lines([row | {"status": word} for row in ROWS]))
    assert set(trace.read("outcome")["outcome"]) == {outcome}


@pytest.mark.parametrize(
    "stamp",
    ["2026-09-21 14:13:20+00", "2026-09-21 14:13:20 UTC", "2026-09-21 14:13:20 +0000 UTC",
     "21/Sep/2026:14:13:20 +0000", "2026-09-21T16:13:20+02:00", "2026-09-21 14:13:20,000"],
)  # fmt: skip
def test_dates_of_many_logs(tmp_path: Path, stamp: str) -> None:
    separator = ";" if "," in stamp else ","
    trace = read(tmp_path, f"time{separator}prompt_tokens\n{stamp}{separator}5\n")
    assert trace.provenance.t0_unix_ns == 1_790_000_000 * S


@pytest.mark.parametrize(
    ("text", "ns"), [("1.5s", 1_500 * MS), ("812.25ms", 812_250_000), ("0:01:30.5", 90_500 * MS),
                     ("950.5us", 950_500), ('"1,234.5"', 1_234_500_000)],
)  # fmt: skip
def test_durations_of_many_logs(tmp_path: Path, text: str, ns: int) -> None:
    trace = read(tmp_path, f"{HEAD},latency_ms\n2026-09-21 14:13:20,5,6,{text}\n")
    assert trace.read("e2e_ns").item() == ns


@pytest.mark.parametrize(
    "text",
    [json.dumps(ROWS), json.dumps(ROWS, indent=2), json.dumps({"data": ROWS, "n": 12}),
     "".join(json.dumps(row, indent=1) for row in ROWS)],
    ids=["array", "indented", "document", "one after another"],
)  # fmt: skip
def test_json_of_every_shape(tmp_path: Path, text: str) -> None:
    trace = read(tmp_path, text)
    assert trace.read("input_tokens")["input_tokens"].to_list() == [100 + n for n in range(12)]


def zstd(text: bytes) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(text)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, zstd])
def test_packed_logs(tmp_path: Path, pack: Any) -> None:
    packed = pack(lines(ROWS).encode())
    assert read(tmp_path, packed).requests == 12
    with pytest.raises(wl.WorkloadlabError, match="is damaged"):
        read(tmp_path, packed[:-12])


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_folder_leaves_aside_what_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name, text in (("a.csv", f"{HEAD},ttft_ms\n2026-09-21 14:13:20,5,6,70\n"),
                       ("b.csv", f"{HEAD}\n2026-09-21 14:14:20,7,8\n"), ("c.csv", ""),
                       ("d.csv", f"{HEAD}\n"), ("README.md", "# Logs\n\nThese are logs.\n"),
                       ("e.csv", f"{HEAD}\n2026-09-21 14:14:20,7,8\n")):  # fmt: skip
        _written(tmp_path / "logs" / name, text)
    trace = wl.ingest(tmp_path / "logs")
    assert trace.read("input_tokens", "ttft_ns").rows() == [(5, 70 * MS), (7, None)]
    assert [note.split(" ")[0] for note in trace.provenance.notes] == [
        "README.md", "c.csv", "d.csv", "e.csv",
    ]  # fmt: skip
    named = sorted((tmp_path / "logs").iterdir())
    assert wl.ingest(named).provenance.notes == trace.provenance.notes
    with pytest.raises(wl.WorkloadlabError, match="like a heading"):
        wl.ingest(tmp_path / "logs" / "README.md")


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    (tmp_path / "log").write_text(lines(ROWS))
    with (tmp_path / "log").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert wl.ingest("-").requests == 12


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# HELP a b\n# TYPE a counter\na 1\n", "is Prometheus metrics"),
        (
            "\x1b[0;36m(APIServer pid=8)\x1b[0;0m INFO 02-04 09:49:17 [a]\nx\n",
            "is an engine's text log",
        ),
        (json.dumps({"0": {"input_tokens": "{}", "output_tokens": "{}"}}), "a workload model"),
        (
            json.dumps({"load_summary": {"count": 60}, "successes": {}}),
            "a summary of inference-perf",
        ),
        ("batch_size,input_len,output_len,ttft,e2e_time\n1,2,3,0.5,0.6\n", "looks like arrival"),
        ("INFO 02-04 09:53:30 [logger.py:43] Received request a\nx\n", "is an engine's text log"),
        ("0,0.5,1.2,Gamma,0.69,2.88\n600,,,,,\n", "is a ServeGen client: a workload model"),
        ("1790000000,5,6\n1790000001,5,6\n", "has no header"),
        (
            "hour,request_count,prompt_tokens\n2026-09-21 14:00:00,120,50000\n",
            "sums of many requests",
        ),
        (
            json.dumps({"mean_ttft_ms": 3, "request_throughput": 2}),
            "the summary of a serving benchmark",
        ),
        (lines([{"resourceMetrics": []}]), "is OpenTelemetry metrics"),
        (
            lines([{"custom_id": "a", "method": "POST", "url": "/v1", "body": {}}]),
            "input of an OpenAI",
        ),
        ("<!DOCTYPE html>\n<html></html>\n", "is HTML"),
    ],
)
def test_what_holds_no_requests_is_named(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, text)


def test_a_log_of_lengths_serves_what_needs_no_arrivals(tmp_path: Path) -> None:
    trace = read(tmp_path, "prompt_tokens,completion_tokens\n5,6\n7,8\n")
    assert trace.supports("lengths")
    assert not trace.supports("arrivals")
    with pytest.raises(wl.WorkloadlabError, match="a characterization needs arrival_ns"):
        wl.characterize(trace)


MAPPING = """
records = "runs[].calls[]"
where = { kind = ["chat"] }
[columns]
arrival = { key = "t", unit = "ms" }
e2e = { minus = ["done", "t"], unit = "ms" }
input_tokens = { total = ["in", "cached"] }
output_tokens = { first = ["out", "usage.out"] }
outcome = { choose = "code", table = { 0 = "ok" }, otherwise = "error" }
run_id = "^runs.name"
"""


def test_a_mapping_file_says_a_format(tmp_path: Path) -> None:
    calls = [
        {"kind": "chat", "t": 10, "done": 510, "in": 3, "cached": 4, "out": 5, "code": 0},
        {"kind": "embed", "t": 11, "in": 3},
        {"kind": "chat", "t": 20, "done": 30, "in": 1, "usage": {"out": 7}, "code": 9},
    ]
    log = _written(tmp_path / "log.json", json.dumps({"runs": [{"name": "x", "calls": calls}]}))
    own = _written(tmp_path / "own.toml", MAPPING)
    trace = wl.ingest(log, mapping=own)
    assert trace.provenance.reader == "own"
    columns = ("arrival_ns", "e2e_ns", "input_tokens", "output_tokens", "outcome", "run_id")
    assert trace.read(*columns).rows() == [
        (0, 500 * MS, 7, 5, "ok", "x"),
        (10 * MS, 10 * MS, 1, 7, "error", "x"),
    ]
    for text, words in (("x = [", "is not TOML"), ("a = 1\n", "no table"),
                        (MAPPING.replace("minus", "plus"), "words that no format has"),
                        (MAPPING.replace("records", "recrods"), "unknown key 'recrods'"),
                        (MAPPING.replace("e2e", "e3e"), "is no column of a trace")):  # fmt: skip
        with pytest.raises(wl.WorkloadlabError, match=words):
            wl.ingest(log, mapping=_written(tmp_path / "bad.toml", text))


def test_a_frame_is_read_like_a_log(tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS)
    assert wl.ingest(frame).read("input_tokens")["input_tokens"].to_list()[0] == 100
    assert wl.ingest(frame.lazy(), tmp_path / "out.trace").requests == 12


def test_what_is_shared_names_nobody(tmp_path: Path) -> None:
    rows = [row | {"model": "m" if n < 9 else f"acme-{n}"} for n, row in enumerate(ROWS)]
    log = _written(tmp_path / "acme.jsonl", lines(rows))
    log.write_text(log.read_text() + lines([ROWS[0] | {"prompt_tokens": "x"}]))
    wl.ingest(log, tmp_path / "out.trace", share=True)
    trace = Trace.open(tmp_path / "out.trace")
    rejects = pl.read_parquet(tmp_path / "out.trace.rejects.parquet")
    assert rejects["file"].to_list() == [""]
    labels = ["m"] * 9 + ["model-1", "model-2", "model-3"]
    assert trace.read("model")["model"].to_list() == labels
    assert trace.provenance.t0_unix_ns is None
    assert b"acme" not in (tmp_path / "out.trace").read_bytes()
    with pytest.raises(wl.WorkloadlabError, match="keeps ids nowhere"):
        wl.ingest(log, share=True, keep_ids=True)


def test_json_in_a_cell_is_seen(tmp_path: Path) -> None:
    usage = json.dumps({"prompt_tokens": 5, "details": {"cached_tokens": 3}})
    cell = usage.replace('"', '""')
    table = f'start_time,usage\n2026-09-21 14:13:20,"{cell}"\n'
    rows = lines([{"start_time": "2026-09-21 14:13:20", "usage": usage, "completion_tokens": 2}])
    for text in (table, rows):
        assert read(tmp_path, text).read("input_tokens", "cached_tokens").rows() == [(5, 3)]


def test_a_dict_of_python_in_a_cell_is_read(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 5, "stream": True, "details": {"cached_tokens": 3, "audio": None}}
    table = f'start_time,usage\n2026-09-21 14:13:20,"{usage}"\n2026-09-21 14:13:21,"{{\'a"\n'
    rows = lines([{"start_time": "2026-09-21 14:13:20", "usage": str(usage)}])
    for text in (table, rows):
        trace = read(tmp_path, text)
        assert trace.read("input_tokens", "cached_tokens").rows() == [(5, 3)]


def test_lines_of_an_array_without_its_brackets(tmp_path: Path) -> None:
    assert read(tmp_path, lines(ROWS).replace("}\n", "},\n")).requests == 12


def test_excels_line_about_the_separator_is_no_header(tmp_path: Path) -> None:
    trace = read(tmp_path, "sep=;\nstart_time;prompt_tokens\n2026-09-21 14:13:20;5\n")
    assert trace.read("input_tokens").item() == 5


def test_token_times_that_cannot_be_are_none(tmp_path: Path) -> None:
    head = "user_id,request_idx,ttlt,output_tokens_actual,input_tokens,success,request_start_time"
    rows = "".join(
        f'u,{n},1.5,2,5,True,1790000000,"[{first}, 1790000001]"\n'
        for n, first in enumerate(("1790000000.5", "1e30", "5", "NaN"))
    )
    trace = read(tmp_path, f"{head},token_timestamps\n{rows}")
    assert trace.read("token_offsets_ns")["token_offsets_ns"].to_list()[1:3] == [None, None]
    assert trace.read("token_offsets_ns")["token_offsets_ns"][0].to_list() == [S // 2, S]


def test_a_second_header_in_other_letters_is_one(tmp_path: Path) -> None:
    text = "ts,prompt_tokens,completion_tokens\n1790000000,9,2\n"
    again = read(tmp_path, text + "TS,Prompt_Tokens,Completion_Tokens\n1790000001,8,3\n")
    assert again.provenance.rows["rejected"] == {"a second header": 1}
    with pytest.raises(wl.WorkloadlabError, match="columns in another order"):
        read(tmp_path, text + "TS,Completion_Tokens,Prompt_Tokens\n1790000001,3,8\n")


def test_windows_are_sums_though_nothing_counts_their_requests(tmp_path: Path) -> None:
    hours = [f"2026-09-21 {h:02}:00:00,2026-09-21 {h + 1:02}:00:00,100000,50\n" for h in range(4)]
    with pytest.raises(wl.WorkloadlabError, match="each row is 60 minutes long"):
        read(tmp_path, "start_time,end_time,input_tokens,output_tokens\n" + "".join(hours))


def test_the_end_on_a_clock_of_its_own_is_no_duration(tmp_path: Path) -> None:
    rows = [
        {"ts": 1_790_000_000 + 3 * n, "prompt_tokens": 9, "completion_tokens": 40 + n,
         "end_time": 5000 + 3.1 * n}
        for n in range(9)
    ]  # fmt: skip
    trace = read(tmp_path, lines(rows))
    assert "e2e_ns" not in trace.columns
    assert "not read, though they look like times: end_time" in trace.provenance.notes
