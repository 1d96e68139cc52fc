"""Logs after real formats and public bug reports, each with its right answer or a true refusal."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

import workloadlab as wl

CASES = Path(os.environ.get("WORKLOADLAB_DATA", "../shared/data")).parent / "cases" / "ingest"
KNOWN: dict[str, Any] = {}
if (CASES / "cases.json").is_file():
    KNOWN = json.loads((CASES / "cases.json").read_text())

REFUSED = {
    "bug_cached_exceeds_input": "--map 'input_tokens=prompt_tokens+cached_tokens'",
    "bug_gzip_cut": "is damaged gzip",
    "mlperf_detail": "is an MLPerf loadgen log",
    "mooncake_seconds": "--unit arrival=s",
    "mooncake_sessions_delay": "gives 52 of 60 requests a delay after the answer before",
    "openai_usage_api": "is OpenAI usage: sums of many requests",
    "openai_usage_buckets_jsonl": "has sums of many requests, not requests: num_model_requests is 500",
    "sharegpt": "text without token counts or times",
    "trtllm_perf_metrics": "times without token counts",
    "vllm_prometheus": "is Prometheus metrics",
}
"""Cases that are rightly refused, and what the sentence must say."""

NOTED = {
    "aibrix_output": (40, ""),
    "bug_backslash_quotes": (12, ""),
    "bug_dst_backwards": (9, "3 rows go back in time by up to 59 minutes"),
    "bug_epoch_ms_then_s": (12, "6 arrivals are epochs in another unit"),
    "bug_mooncake_no_output": (12, ""),
    "bug_nul_later": (61, ""),
    "bug_reasoning_exceeds_output": (12, "reasoning_tokens is added to completion_tokens"),
    "bug_utf16": (12, ""),
    "bug_same_file_twice": (12, "app copy.jsonl has the bytes of app.jsonl"),
    "sglang_bench_details": (60, ""),
}
"""Cases without sums that are read: how many rows, and what must be said about them."""

EXTRA = {"mooncake_seconds": {"units": {"arrival": "s"}}}
"""What a refused case must be read right with."""

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not KNOWN, reason="the cases are not here (WORKLOADLAB_DATA)"),
]


def judge() -> Any:
    """Return the module that holds a trace against the right answer."""
    spec = importlib.util.spec_from_file_location("ingest_check", CASES / "check.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def differences(name: str, out: Path, **options: Any) -> list[str]:
    files = [CASES / name / file for file in KNOWN[name]["files"]]
    provenance = wl.ingest(files, out, **options).provenance
    rejected = sum(provenance.rows["rejected"].values())
    check = judge()
    want = json.loads((CASES / name / "expected.json").read_text())
    return check.differences(want, check.measured(out), rejected, provenance.t0_unix_ns)


@pytest.mark.parametrize("name", [name for name in KNOWN if name not in REFUSED | NOTED])
def test_a_log_is_read_right(name: str, tmp_path: Path) -> None:
    assert differences(name, tmp_path / "out.trace") == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_read_right_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(wl.WorkloadlabError) as refusal:
        wl.ingest([CASES / name / file for file in KNOWN[name]["files"]], tmp_path / "out.trace")
    assert REFUSED[name] in str(refusal.value)


@pytest.mark.parametrize("name", NOTED)
def test_an_odd_log_is_read_with_a_word(name: str) -> None:
    rows, words = NOTED[name]
    trace = wl.ingest([CASES / name / file for file in KNOWN[name]["files"]])
    assert trace.requests == rows
    assert any(words in note for note in [*trace.provenance.notes, ""])


@pytest.mark.parametrize("name", EXTRA)
def test_a_refused_log_is_read_right_once_asked(name: str, tmp_path: Path) -> None:
    assert differences(name, tmp_path / "out.trace", **EXTRA[name]) == []


def test_sessions_do_not_share_local_blocks() -> None:
    trace = wl.ingest(CASES / "weka_flat_jsonl" / "weka.jsonl")
    lists = trace.read("session_id", "block_ids").explode("block_ids")
    assert lists["block_ids"].n_unique() == lists.unique().height == 39
