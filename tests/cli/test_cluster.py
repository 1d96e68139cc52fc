"""`workloadlab cluster`, and `workloadlab replay --cluster from-log`."""

from __future__ import annotations

import json

import pytest
from support.traces import requests_at

import workloadlab as wl
from workloadlab.trace import Provenance

CARD = "rtx4090-llama-3.1-8b"
FACTS = {
    "engine": "vllm",
    "engine_version": "0.19.0",
    "kv_blocks": 2588,
    "max_num_seqs": 64,
    "dp": 2,
}


@pytest.fixture
def log(tmp_path):
    trace = requests_at(
        [0, 1], ttft_ns=10**8, e2e_ns=10**9, provenance=Provenance(reader="log", system=FACTS)
    )
    return str(trace.save(tmp_path / "prod.trace").path)


def test_a_log_becomes_a_cluster_file_in_one_line(run, log, tmp_path):
    code, out, err = run("cluster", log, "--latency", CARD)
    assert (code, err) == (0, "")
    (tmp_path / "cluster.toml").write_text(out)
    read = wl.Cluster.load(tmp_path / "cluster.toml")
    assert read == wl.Cluster.from_trace(wl.Trace.open(log), CARD)
    assert "max_num_seqs = 64                      # from the log" in out
    assert "async_scheduling = true                # as vllm-0.19 ships" in out


def test_a_replay_takes_the_cluster_from_the_log_or_warns_of_each_difference(run, log):
    code, _, err = run("replay", log, "--cluster", "from-log", "--latency", CARD)
    assert (code, err) == (0, "")
    code, _, err = run("replay", log, "--latency", CARD, "--kv-blocks", "2000", "--instances", "2")
    assert code == 0
    assert err.replace("\n  ", " ").splitlines() == [
        "warning: the log's engine had kv_blocks = 2,588, pool 'pool' has 2,000",
        "warning: the log's engine had max_num_seqs = 64, pool 'pool' has 256",
        "warning: the log was served by vllm 0.19.0, pool 'pool' has the defaults of vllm-0.33",
    ]


def test_options_win_over_the_log(run, log):
    code, out, err = run(
        "cluster", log, "--latency", CARD, "--engine", "vllm-0.13", "--instances", "3"
    )
    assert code == 0
    assert 'engine = "vllm-0.13"                   # given' in out
    assert "async_scheduling = false               # as vllm-0.13 ships" in out
    assert err.splitlines() == [
        "warning: the log was served by vllm 0.19.0, pool 'pool' has the defaults of vllm-0.13",
        "warning: the log was served by 2 instances, the cluster has 3",
    ]


def test_a_log_that_knows_nothing_says_so(run, tmp_path):
    requests_at([0, 1]).save(tmp_path / "bare.trace")
    code, out, err = run("cluster", str(tmp_path / "bare.trace"), "--latency", CARD, "--json")
    assert code == 0
    assert "records nothing of its engine: every value is a default of vllm-0.33" in err
    facts = json.loads(out)
    assert facts["from_log"] == []
    assert facts["cluster"]["pool"][0]["max_num_batched_tokens"] == 2048


def test_engines_are_listed(run):
    code, out, _ = run("cluster", "--list-engines")
    assert code == 0
    assert "vllm-0.28" in out
    assert "vLLM 0.19.0, config/scheduler.py" in out
    code, out, _ = run("cluster", "--list-engines", "--json")
    first = json.loads(out)["engines"][0]
    assert (first["name"], first["since"], first["newest"]) == ("vllm", "0.8", "0.33")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("cluster", "no log or no latency model"),
        ("cluster LOG", "no log or no latency model"),
        (f"cluster LOG --latency {CARD} --engine vllm-0.99", "use vllm-0.33, the nearest"),
        (f"cluster LOG --latency {CARD} --engine vlm", "unknown engine 'vlm'"),
        ("replay LOG --cluster from-log", "no latency model for the log's cluster"),
        (f"replay LOG --latency {CARD} --kv-blocks 9999", "hold at most"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_2(run, log, words, said):
    code, out, err = run(*(log if word == "LOG" else word for word in words.split()))
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_a_replay_counts_the_requests_that_no_cache_takes(run, tmp_path):
    large = requests_at([0, 1, 2], input_tokens=[10, 500, 900]).save(tmp_path / "large.trace")
    (tmp_path / "c.toml").write_text(
        '[[pool]]\nlatency = "a100-llama-2-7b"\ninstances = 1\nkv_blocks = 40\n'
    )
    code, _, err = run("replay", str(large.path), "--cluster", "c.toml", "--json")
    assert code == 0
    assert err.replace("\n  ", " ").splitlines()[0] == (
        "warning: 1 of 3 requests need more KV cache than an instance has (40 blocks of 16 tokens) and "
        "are rejected; kv_blocks in the cluster file gives it more"
    )


def test_a_replay_counts_the_prompts_that_its_model_cannot_read(run, tmp_path):
    long = requests_at([0, 1, 2], input_tokens=[10, 4095, 5000]).save(tmp_path / "long.trace")
    code, _, err = run("replay", str(long.path), "--latency", "a100-llama-2-7b", "--json")
    assert code == 0
    assert err.replace("\n  ", " ").splitlines()[0] == (
        "warning: 1 of 3 prompts leave no room for an answer in max_model_len = 4,096 and are rejected; "
        "max_model_len = inf in the cluster file takes the limit away"
    )
    (tmp_path / "c.toml").write_text(
        '[[pool]]\nlatency = "a100-llama-2-7b"\ninstances = 1\nmax_model_len = inf\n'
    )
    code, _, err = run("replay", str(long.path), "--cluster", "c.toml", "--json")
    assert (code, "prompts" in err) == (0, False)
