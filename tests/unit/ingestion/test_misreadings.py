"""Logs that were once read wrong without a word, or refused by a sentence that was not true."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import workloadlab as wl

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from workloadlab.trace import Trace

S, MS = 10**9, 10**6
HEAD = "timestamp,prompt_tokens,completion_tokens"
T0 = 1_790_000_000


def moment(second: float) -> str:
    return f"2026-09-21T14:{13 + int(20 + second) // 60:02}:{(20 + second) % 60:06.3f}Z"


def read(folder: Path, text: str | bytes, **options: Any) -> Trace:
    log = folder / "log"
    log.write_bytes(text if isinstance(text, bytes) else text.encode())
    return wl.ingest(log, **options)


def refusal(folder: Path, text: str | bytes, **options: Any) -> str:
    with pytest.raises(wl.WorkloadlabError) as caught:
        read(folder, text, **options)
    return str(caught.value)


def table(head: str, rows: Iterable[tuple[object, ...]], separator: str = ",") -> str:
    lines = (separator.join(map(str, row)) for row in rows)
    return "\n".join((head.replace(",", separator), *lines, ""))


def column(trace: Trace, name: str) -> list[Any]:
    return trace.frame.collect()[name].to_list()


GOOD = [(moment(n / 10), 100 + n, 40 + n % 9, 1000 + 25 * (n % 9)) for n in range(600)]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param((moment(0), 10, 20, "xx"), id="garbage"),
        pytest.param(("warming up", 10, 20, ""), id="no-time"),
        pytest.param((7, 10, 20, ""), id="a-count"),
    ],
)
def test_bad_rows_at_the_head_decide_nothing(tmp_path: Path, bad: tuple[object, ...]) -> None:
    trace = read(tmp_path, table(f"{HEAD},latency", [bad] * 100 + GOOD))
    assert sum(trace.provenance.rows["rejected"].values()) == 100
    assert column(trace, "e2e_ns") == [row[3] * MS for row in GOOD]


def test_bad_lines_at_the_head_of_json_lines(tmp_path: Path) -> None:
    rows = ({"ts": T0 + n, "prompt_tokens": 7, "latency": 2.5} for n in range(300))
    trace = read(tmp_path, "null\n" * 120 + "".join(json.dumps(row) + "\n" for row in rows))
    assert trace.requests == 300
    assert trace.provenance.units["arrival"] == "s"


@pytest.mark.parametrize("cut", [20, 300, 580])
@pytest.mark.parametrize("name", ["latency", "latency_ms"])
def test_two_units_in_one_column_are_asked_about(tmp_path: Path, name: str, cut: int) -> None:
    rows = [
        (at, i, o, ms if n < cut else ms / 1000 + 0.0005) for n, (at, i, o, ms) in enumerate(GOOD)
    ]
    text = refusal(tmp_path, table(f"{HEAD},{name}", rows))
    assert f"{name} is in two units: rows " in text
    assert f"rows {cut + 1}, {cut + 2}" in text or "rows 1, 2" in text


def test_first_tokens_in_two_units_are_asked_about(tmp_path: Path) -> None:
    waits = [0.25 + n / 1000 if n < 100 else 250 + n for n in range(200)]
    log = table(
        "arrival,input_tokens,output_tokens,ttft", [(n, 99, 50, w) for n, w in enumerate(waits)]
    )
    text = refusal(tmp_path, log)
    assert "ttft is in two units: rows 1, 2, 3, ... take 299 ms, but rows 101, 102" in text
    assert read(tmp_path, log, units={"ttft": "s"}).requests == 200


def test_waits_that_timed_out_are_no_other_unit(tmp_path: Path) -> None:
    waits = [0.25 + n / 1000 if n % 9 else 300 for n in range(200)]
    rows = [(n, 99, 50, wait) for n, wait in enumerate(waits)]
    assert read(tmp_path, table("arrival,input_tokens,output_tokens,ttft", rows)).requests == 200


def test_answers_of_a_cache_are_no_other_unit(tmp_path: Path) -> None:
    rows = [(at, i, 20 + 7 * n, ms if n % 3 else 3) for n, (at, i, _, ms) in enumerate(GOOD[:90])]
    assert read(tmp_path, table(f"{HEAD},latency_ms", rows)).requests == 90


@pytest.mark.parametrize(
    ("separator", "prompt", "latency"),
    [
        (";", "1,204", "0.45"),
        (";", "1.204", "0,45"),
        (";", "1\N{NARROW NO-BREAK SPACE}204", "0,45"),
        ("\t", "1'204", "0.45"),
        ("|", "1,204", "0.45"),
        (",", '"1,204"', "0.45"),
        (",", "1.204", "0.45"),
        (",", "1 204", '"0,45"'),
    ],
)
def test_marks_between_thousands(tmp_path: Path, separator: str, prompt: str, latency: str) -> None:
    rows = [(moment(n), prompt, 20, latency) for n in range(3)]
    trace = read(tmp_path, table(f"{HEAD},latency_s", rows, separator))
    assert column(trace, "input_tokens") == [1204] * 3
    assert column(trace, "e2e_ns") == [450 * MS] * 3


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_comma_that_nothing_tells_is_asked_about(tmp_path: Path, separator: str) -> None:
    rows = [(moment(n), 90, 20, "1,433") for n in range(3)]
    text = refusal(tmp_path, table(f"{HEAD},latency_ms", rows, separator))
    assert "numbers such as 1,433" in text


def test_three_decimals_are_no_thousands(tmp_path: Path) -> None:
    rows = [(moment(n), f"{90 + n}.000", 20) for n in range(3)]
    assert column(read(tmp_path, table(HEAD, rows)), "input_tokens") == [90, 91, 92]


@pytest.mark.parametrize(
    "stamp",
    [
        "21/09/2026 14:13:20",
        "21.09.2026 14:13:20",
        "21.09.2026, 14:13:20",
        "9/21/2026 2:13:20 PM",
        "09/21/26 14:13:20",
        "9/21/2026, 2:13:20.000 PM",
        "21-Sep-2026 14:13:20",
        "21-SEP-26 02.13.20.000000 PM",
        "21 Sep 2026 14:13:20 +0000",
        "Monday, 21-Sep-26 14:13:20 GMT",
        "[21/Sep/2026:14:13:20 +0000]",
        "September 21, 2026, 2:13:20 PM",
        "2026-09-21 14:13:20,000",
        "1.790000000000e12",
        "1790000000.000",
    ],
)
def test_moments_of_many_hands(tmp_path: Path, stamp: str) -> None:
    trace = read(tmp_path, f'{HEAD}\n"{stamp}",100,50\n')
    assert trace.provenance.t0_unix_ns == T0 * S


def test_day_or_month_is_asked_where_no_date_tells(tmp_path: Path) -> None:
    log = table(HEAD, [(f"03/0{n}/2026 10:00:00", 9, 5) for n in (4, 5)])
    text = refusal(tmp_path, log)
    assert "day or month first? timestamp has dates such as 03/04/2026" in text
    assert "--unit arrival=dmy" in text
    month, day = (read(tmp_path, log, units={"arrival": order}) for order in ("dmy", "mdy"))
    assert column(month, "arrival_ns")[1] == 30 * 86_400 * S
    assert column(day, "arrival_ns")[1] == 86_400 * S


def test_a_year_of_two_digits_may_come_first(tmp_path: Path) -> None:
    def log(*days: str) -> str:
        return table(HEAD, [(f"{day} 10:00:00", 9, 5) for day in days])

    december = 1_764_583_200
    for days in (("25-12-01", "25-12-02"), ("25/12/01", "25/12/03"), ("25-12-29", "25-12-30")):
        trace = read(tmp_path, log(*days))
        assert column(trace, "arrival_ns")[1] in (86_400 * S, 2 * 86_400 * S)
        assert trace.provenance.units["arrival"] == "ymd"
    assert read(tmp_path, log("01-12-25", "02-12-25"), units={"arrival": "dmy"}).span_s == 86_400
    assert read(tmp_path, log("13-12-25", "14-12-25")).provenance.units["arrival"] == "dmy"
    for asked in (("25-12-01",), ("25-12-31", "26-01-01")):
        assert "day, month or year first?" in refusal(tmp_path, log(*asked))
        said = read(tmp_path, log(*asked), units={"arrival": "ymd"})
        assert said.provenance.t0_unix_ns in (december * S, (december + 30 * 86_400) * S)


def test_one_late_date_tells_day_and_month(tmp_path: Path) -> None:
    rows = [(f"{n // 20 + 1:02}/03/2026 10:{n % 20:02}:00", 9, 5) for n in range(400)]
    trace = read(tmp_path, table(HEAD, rows))
    assert column(trace, "arrival_ns")[-1] == (19 * 86_400 + 19 * 60) * S


@pytest.mark.parametrize(
    ("stamp", "said"),
    [
        ("1.79000E+12", "rounded by a spreadsheet: 1.79000E+12 tells a time to within 10,000 s"),
        (639_255_968_000_000_000, "it is another clock"),
        (134_344_736_000_000_000, "it is another clock"),
        (27_536_660_000_000, "it is another clock"),
    ],
)
def test_clocks_that_are_none_are_asked_about(tmp_path: Path, stamp: object, said: str) -> None:
    assert said in refusal(tmp_path, table(HEAD, [(stamp, 9, 5), (stamp, 9, 5)]))


def test_a_unit_in_the_name_that_the_epochs_deny(tmp_path: Path) -> None:
    log = table("timestamp_ms,prompt_tokens", [(T0, 9), (T0 + 1, 9)])
    assert "is named after ms, but holds epochs in s" in refusal(tmp_path, log)


def test_of_two_equal_keys_the_last_counts(tmp_path: Path) -> None:
    row = '{"ts": %d, "prompt_tokens": 1, "usage": {"n": 1}, "prompt_tokens": %d}\n'
    trace = read(tmp_path, "".join(row % (T0 + n, 70 + n) for n in range(3)))
    assert column(trace, "input_tokens") == [70, 71, 72]
    assert trace.provenance.rows["repaired"] == {"key named twice: the last counts": 3}


@pytest.mark.parametrize("name", ["count", "total_requests"])
def test_a_count_around_the_requests_is_no_sum(tmp_path: Path, name: str) -> None:
    rows = [{"ts": T0 + n, "prompt_tokens": 700} for n in range(3)]
    assert read(tmp_path, json.dumps({name: 200, "results": rows})).requests == 3


def test_a_count_of_something_else_is_no_sum(tmp_path: Path) -> None:
    rows = [{"ts": T0 + n, "count": 200, "prompt_tokens": 700} for n in range(3)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    assert read(tmp_path, lines).requests == 3
    assert "sums of many requests" in refusal(tmp_path, lines.replace("700", "90000"))


def test_a_request_every_minute_is_a_request(tmp_path: Path) -> None:
    probes = [
        (f"2026-09-21T14:{n:02}:00Z", 90 + n, 20 + n, 600 + 300 * (n % 12)) for n in range(40)
    ]
    assert read(tmp_path, table(f"{HEAD},latency_ms", probes)).requests == 40
    rows = [(*row[:3], f"r-{n}") for n, row in enumerate(probes)]
    assert read(tmp_path, table(f"{HEAD},request_id", rows)).requests == 40
    hours = [(f"2026-09-21T{n:02}:00:00Z", 9 * 10**6 + n, 70) for n in range(24) if n != 5]
    assert "every 60 minutes: sums or rates" in refusal(tmp_path, table(HEAD, hours))


@pytest.mark.parametrize("word", ["null", "NaN", "[]", "{}"])
def test_a_file_of_nothing(tmp_path: Path, word: str) -> None:
    assert f"holds nothing but {word}" in refusal(tmp_path, f"{word}\n" * 3)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        pytest.param(b"SQLite format 3\0", "a SQLite database", id="sqlite"),
        pytest.param(b"ARROW1\0\0", "an Arrow (Feather) file", id="arrow"),
        pytest.param(b"PK\x03\x04\x14\0[Content_Types].xml", "a spreadsheet (xlsx)", id="xlsx"),
    ],
)
def test_files_that_are_no_text_are_named(tmp_path: Path, start: bytes, kind: str) -> None:
    assert f"is {kind}" in refusal(tmp_path, start + b"\0" * 99)


def test_a_duration_of_nginx_is_no_arrival(tmp_path: Path) -> None:
    rows = [
        {
            "time_local": f"21/Sep/2026:14:13:2{n} +0000", "request_time": f"{2 - n / 2}",
            "prompt_tokens": "9", "completion_tokens": "60",
        }
        for n in range(3)
    ]  # fmt: skip
    trace = read(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    assert column(trace, "arrival_ns") == [0, 1500 * MS, 3 * S]
    assert column(trace, "e2e_ns") == [2 * S, 1500 * MS, S]


def test_a_record_has_its_own_time_and_its_shipper_another(tmp_path: Path) -> None:
    rows = [
        {"timestamp": moment(n + 4), "message": json.dumps({"ts": moment(n), "prompt_tokens": 9})}
        for n in range(3)
    ]
    trace = read(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    assert trace.provenance.t0_unix_ns == T0 * S


@pytest.mark.parametrize(
    "keys",
    [
        {"createdAt": {"$date": moment(0)}, "promptTokens": {"$numberLong": "9"}},
        {"ts": {"N": str(T0)}, "prompt_tokens": {"N": "9"}},
        {"TimeGenerated [UTC]": moment(0), "PromptTokens": 9},
        {"start_time": moment(0), "llm_prompt_tokens": 9},
        {"start_time": moment(0), "attributes": {"llm": {"token_count": {"prompt": 9}}}},
        {"timestamp": moment(0), "properties": {"$ai_input_tokens": 9}},
        {"asctime": "2026-09-21 14:13:20,000", "prompt_tokens": 9},
    ],
    ids=["mongodb", "dynamodb", "azure", "apisix", "phoenix", "posthog", "python"],
)
def test_names_of_products(tmp_path: Path, keys: dict[str, Any]) -> None:
    trace = read(tmp_path, json.dumps(keys) + "\n")
    assert trace.provenance.t0_unix_ns == T0 * S
    assert column(trace, "input_tokens") == [9]


TABLE = [{"ts": T0 + n, "prompt_tokens": 9 + n, "completion_tokens": 5} for n in range(4)]
NAMES = list(TABLE[0])


@pytest.mark.parametrize(
    "document",
    [
        {"columns": NAMES, "index": [0, 1, 2, 3], "data": [list(row.values()) for row in TABLE]},
        {name: {str(n): row[name] for n, row in enumerate(TABLE)} for name in NAMES},
        {str(n): row for n, row in enumerate(TABLE)},
        {name: [row[name] for row in TABLE] for name in NAMES},
        {
            "meta": [{"name": name, "type": "UInt64"} for name in NAMES],
            "data": [list(row.values()) for row in TABLE],
        },
        {"query_result": {"data": {"columns": NAMES, "rows": TABLE}}},
    ],
    ids=["split", "columns", "index", "list", "clickhouse", "redash"],
)
def test_tables_in_documents(tmp_path: Path, document: dict[str, Any]) -> None:
    trace = read(tmp_path, json.dumps(document))
    assert column(trace, "arrival_ns") == [n * S for n in range(4)]
    assert column(trace, "input_tokens") == [9, 10, 11, 12]


def test_spans_of_jaeger(tmp_path: Path) -> None:
    counts = {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 60}
    tags = [{"key": key, "type": "int64", "value": value} for key, value in counts.items()]
    traces = [
        {"spans": [{"startTime": (T0 + n) * 10**6, "duration": 1_500_000, "tags": tags}]}
        for n in range(3)
    ]
    trace = read(tmp_path, json.dumps({"data": traces}))
    assert column(trace, "e2e_ns") == [1500 * MS] * 3
    assert trace.provenance.t0_unix_ns == T0 * S


def test_of_runs_around_the_call_of_a_model_the_call_is_read(tmp_path: Path) -> None:
    rows = [(kind, moment(n), 9, 5) for n in range(3) for kind in ("chain", "LLM")]
    log = table("run_type,start_time,prompt_tokens,completion_tokens", rows)
    trace = read(tmp_path, log)
    assert trace.requests == 3
    assert sum(trace.provenance.rows["left_out"].values()) == 3
    assert read(tmp_path, log, where={"run_type": "chain"}).requests == 3


def test_calls_of_a_model_without_tokens_are_asked_about(tmp_path: Path) -> None:
    rows = [
        {"run_type": kind, "start_time": moment(n), "prompt_tokens": 9 if kind == "chain" else None}
        for n in range(3)
        for kind in ("chain", "llm")
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert "choose: --where run_type=chain" in refusal(tmp_path, text)


def test_calls_in_calls_of_which_one_kind_is_the_models(tmp_path: Path) -> None:
    """LangSmith's chains repeat the tokens of the calls in them."""
    rows = [
        {"id": f"{kind}{n}", "parent_run_id": None if kind == "chain" else f"chain{n}",
         "run_type": kind, "start_time": moment(n), "prompt_tokens": 9 + n, "completion_tokens": 5}
        for n in range(4)
        for kind in ("chain", "llm")
    ]  # fmt: skip
    trace = read(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    assert column(trace, "input_tokens") == [9, 10, 11, 12]


def test_halves_of_requests_are_refused(tmp_path: Path) -> None:
    rows = [
        {"ts": T0 + n, **part}
        for n in range(10)
        for part in ({"prompt_tokens": 9}, {"completion_tokens": 5})
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert "a request in two lines" in refusal(tmp_path, text)
    trace = read(tmp_path, text, mapping={"output_tokens": ""})
    assert trace.provenance.notes[0].startswith("10 of 20 rows are set aside")


def test_an_answer_of_loki_without_records_says_what_to_query(tmp_path: Path) -> None:
    for lines in ([], [{"stream": {}, "values": [["1790000000000000000", "listening on 80"]]}]):
        answer = {"status": "success", "data": {"resultType": "streams", "result": lines}}
        assert "is an answer of Loki without lines of JSON" in refusal(tmp_path, json.dumps(answer))


def test_a_moment_by_the_name_of_a_duration_is_no_duration(tmp_path: Path) -> None:
    """Inference tables of Databricks: the answer says in whole seconds when it was begun."""
    rows = [
        {"request_time": moment(n / 2), "execution_duration_ms": 1500 + n, "status_code": 200,
         "response": json.dumps({"created": T0 + 1 + n // 2, "usage": {
             "prompt_tokens": 9 + n, "completion_tokens": 60}})}
        for n in range(24)
    ]  # fmt: skip
    trace = read(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    assert trace.provenance.t0_unix_ns == T0 * S
    assert column(trace, "e2e_ns") == [(1500 + n) * MS for n in range(24)]


def test_usage_of_input_and_output_are_tokens(tmp_path: Path) -> None:
    rows = [
        {"ts": T0 + n, "usage": {"input": 90 + n, "output": 60, "total": 150 + n}} for n in range(9)
    ]
    trace = read(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    assert column(trace, "input_tokens") == [90 + n for n in range(9)]
    assert column(trace, "output_tokens") == [60] * 9


def test_offsets_and_partitions_are_not_proposed_as_tokens(tmp_path: Path) -> None:
    rows = [{"ts": T0 + n, "partition": n % 3 + 2, "offset": 99_000 + n} for n in range(9)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert "no column of whole numbers may be tokens" in refusal(tmp_path, text)


def test_nan_in_json_is_not_called_missing(tmp_path: Path) -> None:
    rows = [{"ts": T0 + n, "prompt_tokens": 9, "ttft_ms": 20.5, "model": "m"} for n in range(20)]
    rows[3]["prompt_tokens"] = rows[5]["ttft_ms"] = rows[7]["model"] = float("nan")
    trace = read(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    assert trace.provenance.rows["rejected"] == {"not a finite number": 1}
    assert trace.frame.collect()["ttft_ns"].null_count() == 1
    assert trace.frame.collect()["model"].drop_nulls().unique().to_list() == ["m"]


def test_tokens_that_are_no_numbers_are_named(tmp_path):
    rows = [
        {"timestamp": 1700000000 + i, "prompt_tokens": 9, "completion_tokens": "12,5"}
        for i in range(20)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    notes = " ".join(wl.ingest(tmp_path / "a.jsonl").provenance.notes)
    assert "not read, for their values are no numbers: completion_tokens (output_tokens)" in notes


def test_nginx_logs_when_a_request_ended(tmp_path):
    rows = [
        {
            "time_iso8601": f"2026-03-22T14:05:{10 + i:02}+00:00",
            "msec": f"{1774188310 + i}.250",
            "request_time": f"{5 - i % 4}.125",
            "prompt_tokens": 9,
            "completion_tokens": 60 + i,
        }
        for i in range(30)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    trace = wl.ingest(tmp_path / "a.jsonl").frame.collect()
    began = sorted(float(row["msec"]) - float(row["request_time"]) for row in rows)
    assert (trace["arrival_ns"] / 1e9).to_list() == pytest.approx([at - began[0] for at in began])
    assert trace["e2e_ns"].sum() == sum(int(float(row["request_time"]) * 1e9) for row in rows)


def test_bad_rows_at_the_head_of_parquet(tmp_path):
    bad = [("warming up", 10, 20, "xx")] * 100
    names = ["timestamp", "prompt_tokens", "completion_tokens", "latency"]
    rows = [(str(at), i, o, str(ms)) for at, i, o, ms in GOOD]
    pl.DataFrame(bad + rows, schema=names, orient="row").write_parquet(tmp_path / "a.parquet")
    trace = wl.ingest(tmp_path / "a.parquet")
    assert trace.requests == 600
    assert trace.provenance.units == {"arrival": "datetime", "e2e": "ms"}


@pytest.mark.parametrize("factor", [1, 1000])
def test_epochs_of_32_bits_are_refused(tmp_path, factor):
    epochs = [(T0 + 37 * n) * factor for n in range(20)]
    frame = pl.DataFrame({"ts": epochs, "prompt_tokens": [9] * 20})
    short = frame.with_columns(pl.col("ts").cast(pl.Float32))
    short.write_parquet(tmp_path / "a.parquet")
    assert "ts was rounded to 32 bits" in refusal(tmp_path, (tmp_path / "a.parquet").read_bytes())
    lost = short.with_columns(pl.col("ts").cast(pl.Float64)).write_csv(float_precision=1)
    assert "ts was rounded to 32 bits" in refusal(tmp_path, lost)


def test_durations_of_32_bits_are_read(tmp_path):
    rows = 20
    frame = pl.DataFrame({"timestamp": [T0 + n for n in range(rows)], "prompt_tokens": [9] * rows})
    latency = pl.Series("latency_s", [2.5] * rows, dtype=pl.Float32)
    frame.with_columns(latency).write_parquet(tmp_path / "a.parquet")
    assert column(wl.ingest(tmp_path / "a.parquet"), "e2e_ns") == [2_500 * MS] * rows


@pytest.mark.parametrize(
    "in_ms",
    [
        pytest.param(lambda n: n < 60, id="ms-then-s"),
        pytest.param(lambda n: n >= 60, id="s-then-ms"),
        pytest.param(lambda n: n % 3 == 0, id="by-turns"),
    ],
)
@pytest.mark.parametrize("name", ["ts", "arrival_time_ms"])
def test_counts_from_a_start_in_two_units_are_asked_about(tmp_path, in_ms, name):
    at = [2.0 + 1.37 * n + n % 7 / 9 for n in range(120)]
    rows = [(round(s * 1000) if in_ms(n) else f"{s:.3f}", 90 + n) for n, s in enumerate(at)]
    assert "two units" in refusal(tmp_path, table(f"{name},prompt_tokens", rows))
    said = read(tmp_path, table(f"{name},prompt_tokens", rows), units={"arrival": "ms"})
    assert said.requests == 120


def test_a_service_that_begins_again_or_pauses_has_one_unit(tmp_path):
    rows = table("ts,prompt_tokens", [(n % 60 * 1.37, 9) for n in range(120)])
    assert "begins anew in row 61" in refusal(tmp_path, rows)
    assert read(tmp_path, rows, units={"arrival": "s"}).requests == 120
    at = [0.5 + n / 2 if n < 4 else 1200 + n / 2 for n in range(120)]
    assert read(tmp_path, table("ts,prompt_tokens", [(s, 9) for s in at])).requests == 120


def test_few_requests_logged_to_the_minute(tmp_path):
    minutes = [0, 1, 2, 4, 5, 6, 7, 9, 10, 11, 13, 14]
    rows = [(f"2026-09-21 14:{n:02}", 90 + 977 * n % 2300, 30 + n) for n in minutes]
    assert read(tmp_path, table(HEAD, rows)).requests == 12
    sums = [(at, 300 * prompt, answer) for at, prompt, answer in rows]
    assert "sums or rates of many" in refusal(tmp_path, table(HEAD, sums))
    every = [
        (f"2026-09-21 14:{n:02}", prompt, answer) for n, (_, prompt, answer) in enumerate(rows)
    ]
    assert "sums or rates of many" in refusal(tmp_path, table(HEAD, every))


ENDS = [(T0 + n + 0.25, 1.5 - n / 20, 9, 60 + n) for n in range(20)]
BEGAN = sorted(round((end - took) * 1000) for end, took, *_ in ENDS)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(lambda end, s: {"msec": f"{end:.3f}", "request_time": s}, id="nginx-msec"),
        pytest.param(
            lambda end, s: {"@timestamp": moment(end - T0), "request_time": s, "upstream_addr": "b"},
            id="apisix",
        ),
        pytest.param(
            lambda end, s: {
                "datetime": moment(end - T0), "time-taken": round(s * 1000), "sc-status": 200,
            },
            id="iis",
        ),
        pytest.param(
            lambda end, s: {"datetime": moment(end - T0), "time_taken": s, "cs_method": "POST"},
            id="cloudfront",
        ),
        pytest.param(
            lambda end, s: {
                "created_at": moment(end - T0), "total_duration": round(s * S), "eval_duration": 7,
            },
            id="ollama",
        ),
    ],
)  # fmt: skip
def test_servers_that_log_ends(tmp_path, row):
    rows = [
        row(end, round(took, 3)) | {"prompt_tokens": prompt, "completion_tokens": answer}
        for end, took, prompt, answer in ENDS
    ]
    trace = read(tmp_path, "".join(json.dumps(each) + "\n" for each in rows))
    assert column(trace, "arrival_ns") == [(at - BEGAN[0]) * MS for at in BEGAN]
    assert sum(column(trace, "e2e_ns")) == round(sum(took for _, took, *_ in ENDS) * 1000) * MS


def test_ends_without_durations_are_told(tmp_path):
    rows = [{"msec": f"{end:.3f}", "prompt_tokens": 9} for end, *_ in ENDS]
    trace = read(tmp_path, "".join(json.dumps(each) + "\n" for each in rows))
    assert column(trace, "arrival_ns") == [n * S for n in range(20)]
    assert "msec is when a request ended (nginx)" in " ".join(trace.provenance.notes)


def test_a_beginning_beside_the_words_of_a_server(tmp_path):
    rows = [(f"{T0 + n}", 1.5, "h", 9, 60) for n in range(5)]
    head = "start_time,request_time,server_name,prompt_tokens,completion_tokens"
    assert column(read(tmp_path, table(head, rows)), "arrival_ns") == [n * S for n in range(5)]


def test_a_diagnostic_log_of_azure_offers_no_bytes_as_tokens(tmp_path: Path) -> None:
    said = json.dumps({"requestLength": 400, "responseLength": 90, "modelName": "gpt-4o"})
    rows = [
        {"time": moment(n), "category": "RequestResponse", "operationName": "ChatCompletions_Create",
         "durationMs": 900 + n, "properties": said}
        for n in range(3)
    ]  # fmt: skip
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert "is a diagnostic log of Azure OpenAI: bytes, not tokens" in refusal(tmp_path, text)
