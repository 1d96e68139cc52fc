"""Logs of serving benchmarks: what ingest reads of each, and how one run is chosen out of many."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import workloadlab as wl
from workloadlab.errors import DataError, UsageError
from workloadlab.trace import Flag

if TYPE_CHECKING:
    from pathlib import Path

MULTITURN = """tp,bs,start_time_ms,ttft_ms,tpot_ms,latency_ms,input_num_turns,input_num_tokens,\
output_num_tokens,approx_cached_percent,conversation_id,client_id
1,2,5000000.5,100.25,10,1100.25,1,40,101,0,x,0
1,2,5000001.5,90,10,190,1,7,11,0,y,1
8,2,6000000,50,5,550,1,40,101,0,x,0
1,2,5001110.5,80,10,180,3,160,11,88,x,0
1,2,5001300.5,80,10,180,odd,160,11,88,x,0
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_multiturn_clients(tmp_path: Path) -> None:
    trace = wl.ingest(written(tmp_path / "log.csv", MULTITURN))
    assert trace.provenance.reader == "vllm_multiturn"
    assert trace.read(
        "arrival_ns", "ttft_ns", "e2e_ns", "session_id", "turn", "client_id"
    ).rows() == [
        (0, 100_250_000, 1_100_250_000, "s0", 0, "c0"),
        (1_000_000, 90_000_000, 190_000_000, "s1", 0, "c1"),
        (1_110_000_000, 80_000_000, 180_000_000, "s0", 1, "c0"),
        (999_999_500_000, 50_000_000, 550_000_000, "s0", 0, "c0"),
    ]
    assert trace.provenance.rows["rejected"] == {"not an integer": 1}
    assert "cached_tokens" not in trace.columns


def test_one_run_is_chosen_out_of_a_file_of_several(tmp_path: Path) -> None:
    log = written(tmp_path / "log.csv", MULTITURN)
    trace = wl.ingest(log, tmp_path / "out.trace", where={"tp": 1, "bs": "2"})
    rows = trace.provenance.rows
    assert (rows["read"], rows["written"], rows["left_out"]) == (5, 3, {"tp is not 1": 1})
    assert trace.provenance.options["where"] == {"tp": "1", "bs": "2"}
    with pytest.raises(DataError, match="row 5 "):  # counted in the file, not in what was chosen
        wl.ingest(log, strict=True, where={"tp": 1})
    assert wl.ingest(log, strict=True, where={"tp": 8}).requests == 1


def test_choosing_nothing_or_by_no_column_is_refused(tmp_path: Path) -> None:
    log = written(tmp_path / "log.csv", MULTITURN)
    with pytest.raises(DataError, match="no row with tp = 4") as error:
        wl.ingest(log, where={"tp": 4})
    assert "tp is 1, 8" in str(error.value)
    with pytest.raises(UsageError, match="no column 'gpus'"):
        wl.ingest(log, where={"gpus": 4})


def test_choosing_by_a_truth_value_or_a_nested_key(tmp_path: Path) -> None:
    lines = [
        {"arrival": at, "input_tokens": 10 + at, "run": {"warm": warm}}
        for at, warm in enumerate((True, False, None))
    ]
    log = written(tmp_path / "log.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert wl.ingest(log, where={"run.warm": False}).read("input_tokens").rows() == [(11,)]
    import polars as pl

    pl.DataFrame({"arrival": [1, 2], "input_tokens": [3, 4], "warm": [True, False]}).write_parquet(
        tmp_path / "log.parquet"
    )
    assert wl.ingest(tmp_path / "log.parquet", where={"warm": True}).requests == 1


REPLAY = """run,user_id,request_idx,request_type,input_tokens,output_tokens_actual,cache_hit_blocks,\
ttft,ttlt,delay_actual,success,request_start_time
a,User-1,7,streaming,1000,20,9,0.5,1.25,0.0,True,1776748110.25
a,User-1,8,streaming,1200,0,12,0.0,0.0,0.0,False,1776748115.5
"""


def test_inferencex_replay(tmp_path: Path) -> None:
    trace = wl.ingest(written(tmp_path / "detailed_results.csv", REPLAY))
    assert trace.provenance.reader == "inferencex"
    assert trace.provenance.t0_unix_ns == 1_776_748_110_250_000_000
    columns = ("arrival_ns", "ttft_ns", "e2e_ns", "turn", "outcome", "run_id", "streaming", "flags")
    assert trace.read(*columns).rows() == [
        (0, 500_000_000, 1_250_000_000, 7, "ok", "a", True, 0),
        (5_250_000_000, None, None, 8, "error", "a", True, int(Flag.ZERO_TAKEN_AS_NULL)),
    ]
    assert not {"think_ns", "cached_tokens"} & set(trace.columns)


def aiperf(
    turn: int, *, phase: str = "profiling", code: int | None = None, unit: str = "ms"
) -> Any:
    start = 1_790_000_000_000_000_001 + turn * 10**9
    timings = {
        "time_to_first_token": {"value": 210.5, "unit": unit},
        "request_latency": {"value": 1000, "unit": unit},
        "output_sequence_length": {"value": 16, "unit": "tokens"},
    }
    return {
        "metadata": {
            "x_request_id": f"r{turn}", "x_correlation_id": "k", "conversation_id": "c",
            "turn_index": turn, "credit_issued_ns": start - 5, "request_start_ns": start,
            "benchmark_phase": phase, "was_cancelled": code == 499,
        },
        "metrics": {"input_sequence_length": {"value": 128, "unit": "tokens"}}
        | ({} if code else timings),
        "error": {"code": code, "type": "x", "message": "secret"} if code else None,
    }  # fmt: skip


def export(path: Path, *records: Any) -> Path:
    return written(path, "".join(json.dumps(record) + "\n" for record in records))


def test_aiperf_profile_export(tmp_path: Path) -> None:
    log = export(
        tmp_path / "profile_export.jsonl",
        aiperf(0, phase="warmup"), aiperf(1), aiperf(2, code=500), aiperf(3, code=499),
    )  # fmt: skip
    trace = wl.ingest(log)
    assert trace.provenance.reader == "aiperf"
    assert trace.provenance.t0_unix_ns == 1_790_000_000_000_000_001
    columns = ("arrival_ns", "ttft_ns", "e2e_ns", "output_tokens", "turn", "outcome", "warmup")
    assert trace.read(*columns).rows() == [
        (0, 210_500_000, 10**9, 16, 0, "ok", True),
        (10**9, 210_500_000, 10**9, 16, 1, "ok", False),
        (2 * 10**9, None, None, None, 2, "error", False),
        (3 * 10**9, None, None, None, 3, "cancelled", False),
    ]
    assert "secret" not in str(trace.frame.collect().rows())


def test_aiperf_units_are_read(tmp_path: Path) -> None:
    trace = wl.ingest(export(tmp_path / "a.jsonl", aiperf(0, unit="sec")))
    assert trace.read("e2e_ns").item() == 1000 * 10**9
    with pytest.raises(DataError, match="time_to_first_token in ms and sec"):
        wl.ingest(export(tmp_path / "b.jsonl", aiperf(0), aiperf(1, unit="sec")))
    with pytest.raises(DataError, match="in fortnights"):
        wl.ingest(export(tmp_path / "c.jsonl", aiperf(0, unit="fortnights")))
