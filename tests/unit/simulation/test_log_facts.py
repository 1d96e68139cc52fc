"""What a log knows of its engine: the cluster made of it, its file, and what contradicts it."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

import pytest
from support.traces import requests_at

from workloadlab.errors import ContradictionWarning, UsageError
from workloadlab.latency import LatencyModel
from workloadlab.simulation import Cluster, Pool, contradictions, replay
from workloadlab.simulation.cluster_text import cluster_text
from workloadlab.simulation.log_facts import settings_of
from workloadlab.trace import ENGINE_FACTS, Provenance

LLAMA = "the latency model of pool 'pool' is of meta-llama/Llama-3.1-8B"
CARD = "rtx4090-llama-3.1-8b"
FACTS = {
    "engine": "vllm",
    "engine_version": "0.19.0",
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "gpu": "NVIDIA GeForce RTX 4090",
    "tp": 1,
    "dtype": "bfloat16",
    "kv_blocks": 2588,
    "max_num_seqs": 64,
    "prefix_caching": False,
}


def log(facts, **columns):
    return requests_at([0, 1], provenance=Provenance(reader="log", system=facts), **columns)


def test_the_log_wins_over_its_engine_and_the_user_over_both():
    [pool] = Cluster.from_trace(log(FACTS), CARD, max_num_seqs=32).pools
    assert (pool.engine, pool.kv_blocks, pool.max_num_seqs) == ("vllm-0.19", 2588, 32)
    assert (pool.prefix_caching, pool.async_scheduling) == (False, True)
    assert pool.instances == 1


def test_instances_are_those_that_the_log_names():
    assert settings_of(log({})) == {}
    named = log({"dp": 4}, instance_id=["a", "b"])
    assert settings_of(named)["instances"] == 2
    assert settings_of(log({"instances": 2, "dp": 3}))["instances"] == 6


@pytest.mark.parametrize(
    ("facts", "together"),
    [
        ({"dp": 2, "model": "Qwen/Qwen3-30B-A3B"}, True),
        ({"dp": 2, "model": "mine", "expert_parallel": True}, True),
        ({"dp": 2, "model": "Qwen/Qwen3-32B"}, False),
        ({"dp": 1, "model": "Qwen/Qwen3-30B-A3B"}, False),
    ],
)
def test_ranks_of_a_mixture_of_experts_step_together(facts, together):
    assert settings_of(log(facts)).get("step_together", False) == together


def test_a_log_of_an_unknown_version_asks_for_one():
    with pytest.raises(UsageError, match=r"newer than 0.33[\s\S]*use vllm-0.33, the nearest"):
        Cluster.from_trace(log(FACTS | {"engine_version": "0.40.1"}), CARD)
    made = Cluster.from_trace(log(FACTS | {"engine_version": "0.40.1"}), CARD, engine="vllm-0.33")
    assert made.pools[0].engine == "vllm-0.33"


def test_facts_that_cannot_be_together_are_refused():
    with pytest.raises(UsageError, match="kv_blocks = 25,880, and beside"):
        Cluster.from_trace(log(FACTS | {"kv_blocks": 25_880}), CARD)


def test_the_clusters_own_log_contradicts_nothing():
    trace = log(FACTS)
    assert contradictions(Cluster.from_trace(trace, CARD).pools, trace) == []
    assert contradictions((Pool(latency=LatencyModel.linear()),), log({})) == []


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ({"engine_version": "0.13.0"},
         "the log was served by vllm 0.13.0, pool 'pool' has the defaults of vllm-0.19"),
        ({"engine": "sglang", "engine_version": "0.5"},
         "the log was served by sglang 0.5, pool 'pool' has the defaults of vllm-0.19"),
        ({"kv_blocks": 2000}, "the log's engine had kv_blocks = 2,000, pool 'pool' has 2,588"),
        ({"prefix_caching": True},
         "the log's engine had prefix_caching = true, pool 'pool' has false"),
        ({"gpu": "NVIDIA H100 80GB HBM3"},
         "the log was served on NVIDIA H100 80GB HBM3, the latency model of pool 'pool' is of RTX4090"),
        ({"model": "Qwen/Qwen3-8B"}, "the log's model is Qwen/Qwen3-8B, " + LLAMA),
        ({"tp": 2}, "the log's engine had tp = 2, the latency model of pool 'pool' is of tp = 1"),
        ({"dtype": "fp8"},
         "the log's weights were fp8, the latency model of pool 'pool' is of bf16"),
        ({"dp": 2}, "the log was served by 2 instances, the cluster has 1"),
        ({"kv_cache_dtype": "fp8_e4m3"},
         "the log's engine had kv_cache_dtype = fp8, pool 'pool' has auto"),
    ],
)  # fmt: skip
def test_each_fact_that_contradicts_is_one_sentence(fact, said):
    pools = Cluster.from_trace(log(FACTS), CARD).pools
    assert contradictions(pools, log(FACTS | fact)) == [said]


def test_a_pool_without_a_limit_says_so():
    pools = (Pool(latency=LatencyModel.linear()),)
    assert contradictions(pools, log({"kv_blocks": 9})) == [
        "the log's engine had kv_blocks = 9, pool 'pool' has no limit"
    ]


def test_a_file_names_the_origin_of_each_value_and_reads_back(tmp_path):
    trace = log(FACTS)
    made = Cluster.from_trace(trace, CARD, instances=3)
    text = cluster_text(made, CARD, logged=settings_of(trace), given=["instances"])
    path = tmp_path / "cluster.toml"
    path.write_text(text)
    assert Cluster.load(path) == made
    rows = [re.fullmatch(r"(\w+) = \S+ +# (.+)", line) for line in text.splitlines()[1:]]
    origins = {row[1]: row[2] for row in rows}
    assert origins["kv_blocks"] == origins["engine"] == origins["prefix_caching"] == "from the log"
    assert origins["async_scheduling"] == "as vllm-0.19 ships"
    assert origins["instances"] == origins["latency"] == "given"


def test_a_file_without_a_limit_reads_back(tmp_path):
    model = LatencyModel.linear(constant_s=0.01)
    model.save(tmp_path / "model.json")
    unlimited = Cluster.uniform(2, CARD, kv_blocks=float("inf"))
    for made, latency in ((Cluster.uniform(2, model), "model.json"), (unlimited, CARD)):
        path = tmp_path / "cluster.toml"
        path.write_text(cluster_text(made, latency))
        read = Cluster.load(path)
        assert replace(read.pools[0], latency=model) == replace(made.pools[0], latency=model)


def test_every_fact_of_a_pool_that_a_log_knows_is_taken():
    values = {str: "server", int: 7, float: 0.7, bool: True}
    shared = set(ENGINE_FACTS) & set(Pool.__dataclass_fields__) - {"engine", "kv_cache_dtype"}
    facts = {name: values[ENGINE_FACTS[name].kind] for name in shared}
    [pool] = Cluster.from_trace(log(facts), LatencyModel.linear(constant_s=0.01)).pools
    assert {name: getattr(pool, name) for name in shared} == facts


def test_a_replay_against_timings_warns_of_each_contradiction():
    timings = {"ttft_ns": [10_000_000] * 2, "e2e_ns": [20_000_000] * 2}
    facts = {"max_num_seqs": 64, "kv_blocks": 900}
    cluster = Cluster.uniform(1, LatencyModel.linear(constant_s=0.01), kv_blocks=900)
    with pytest.warns(ContradictionWarning) as told:
        replay(log(facts, **timings), cluster, routers=["round_robin"])
    [one] = told
    assert str(one.message) == "the log's engine had max_num_seqs = 64, pool 'pool' has 256"
    assert one.filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        replay(log(facts), cluster, routers=["round_robin"])


def test_a_calibrated_model_keeps_the_log_s_word_for_its_dtype():
    model = replace(LatencyModel.load(CARD), dtype="bfloat16")
    assert contradictions((Pool(latency=model),), log({"dtype": "bfloat16"})) == []


def test_what_no_replay_simulates_is_said():
    pools = (Pool(latency=LatencyModel.load(CARD)),)
    said = contradictions(pools, log({"not_simulated": "speculative decoding"}))
    assert said == [
        "the log's engine ran with speculative decoding, which a replay does not simulate"
    ]
