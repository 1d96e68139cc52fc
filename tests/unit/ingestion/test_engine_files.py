"""Facts of the engine in the files of benchmarks."""

from __future__ import annotations

import json

import pytest

from workloadlab.errors import DataError, UsageError
from workloadlab.ingestion import ingest
from workloadlab.ingestion.formats.engine_files import (
    facts_of_aiperf,
    facts_of_guidellm,
    facts_of_vllm_bench,
)
from workloadlab.latency import LatencyModel
from workloadlab.simulation import Cluster

LABELS = {
    "block_size": "16",
    "cache_dtype": "auto",
    "enable_prefix_caching": "True",
    "gpu_memory_utilization": "0.82",
    "num_gpu_blocks": "573",
    "sliding_window": "None",
    "engine": "0",
}


def metrics(*labels):
    series = [
        {"endpoint_url": f"http://{k}/metrics", "labels": each, "stats": {"avg": 1.0}}
        for k, each in enumerate(labels)
    ]
    return {
        "schema_version": "1.0",
        "metrics": {"vllm:cache_config_info": {"type": "gauge", "series": series}},
        "input_config": {"endpoint": {"model_names": ["Qwen/Qwen3-32B"]}},
    }


def write(path, value):
    path.write_text(json.dumps(value))
    return path


def test_aiperf_scrapes_the_cache_settings_of_every_engine(tmp_path):
    log = tmp_path / "profile_export.jsonl"
    assert facts_of_aiperf(log) == {}
    write(tmp_path / "server_metrics_export.json", metrics(LABELS))
    assert facts_of_aiperf(log) == {
        "engine": "vllm",
        "model": "Qwen/Qwen3-32B",
        "instances": 1,
        "kv_blocks": 573,
        "block_size": 16,
        "gpu_memory_utilization": 0.82,
        "prefix_caching": True,
    }
    other = LABELS | {"num_gpu_blocks": "570", "engine": "1"}
    write(tmp_path / "server_metrics_export.json", metrics(LABELS, other))
    both = facts_of_aiperf(log)
    assert both["instances"] == 2
    assert both["block_size"] == 16
    assert "kv_blocks" not in both


def test_a_vllm_benchmark_names_its_model_and_what_its_user_added(tmp_path):
    head = {"backend": "openai", "model_id": "m", "tokenizer_id": "t", "ttfts": [0.1]}
    added = {"tensor_parallel_size": "2", "vllm_version": "0.19.1"}
    one = write(tmp_path / "bench.json", head | added)
    assert facts_of_vllm_bench(one) == {
        "engine": "vllm",
        "engine_version": "0.19.1",
        "model": "m",
        "tp": 2,
    }
    lines = tmp_path / "bench.jsonl"
    lines.write_text(f"{json.dumps(head)}\n{json.dumps(head | {'model_id': 'n'})}\n")
    assert facts_of_vllm_bench(lines) == {"model": "m"}


@pytest.mark.parametrize("place", ["args", "config"])
def test_guidellm_names_its_model(tmp_path, place):
    report = {place: {"model": "m", "data": ["x"]}, "benchmarks": []}
    assert facts_of_guidellm(write(tmp_path / "benchmarks.json", report)) == {"model": "m"}
    assert facts_of_guidellm(write(tmp_path / "benchmarks.json", {"benchmarks": []})) == {}


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "server_metrics_export.json").write_text("{")
    with pytest.raises(DataError, match=r"server_metrics_export\.json: is damaged"):
        facts_of_aiperf(tmp_path / "profile_export.jsonl")


def test_ingest_keeps_the_facts_on_which_all_files_agree(tmp_path):
    run = {
        "model_id": "m",
        "input_lens": [5, 6],
        "output_lens": [2, 2],
        "ttfts": [0.1, 0.1],
        "itls": [[0.1], [0.1]],
        "start_times": [1.0, 2.0],
        "errors": ["", ""],
    }
    one = write(tmp_path / "one.json", run | {"tp": 2})
    other = write(tmp_path / "other.json", run | {"tp": 4})
    assert ingest(one).provenance.system == {"model": "m", "tp": 2}
    assert ingest([one, other]).provenance.system == {"model": "m"}


def test_a_log_of_sglang_is_served_by_no_engine_whose_defaults_are_known(tmp_path):
    rows = [
        {"timestamp": f"2026-09-21T14:13:2{k}.5", "event": f"request.{what}", "rid": "a",
         "out": {"meta_info": {"e2e_latency": 1.0, "prompt_tokens": 5, "completion_tokens": 2}}}
        for k, what in enumerate(("received", "finished"))
    ]  # fmt: skip
    log = tmp_path / "requests.jsonl"
    log.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    trace = ingest(log)
    assert trace.provenance.system == {"engine": "sglang"}
    with pytest.raises(UsageError, match=r"unknown engine 'sglang'[\s\S]*use vllm"):
        Cluster.from_trace(trace, LatencyModel.linear(constant_s=0.01))
