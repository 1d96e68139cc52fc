"""Engines as they ship: labels, tiers of GPUs, and how a pool takes their defaults."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import LatencyModel, ModelGeometry
from workloadlab.latency.hardware.gpus import find_gpu
from workloadlab.latency.hardware.limits import kv_blocks
from workloadlab.simulation import Cluster, Pool, replay
from workloadlab.simulation.engines import ENGINES, engine_named
from workloadlab.trace import Trace

BY_HAND = LatencyModel.linear(constant_s=0.01)


def on(gpu, **facts):
    return replace(BY_HAND, gpu=gpu, model="meta-llama/Llama-3.1-8B", dtype="bf16", **facts)


def test_rows_rise_and_the_smallest_limits_hold_for_every_gpu():
    versions = [row.since for row in ENGINES]
    assert versions == sorted(set(versions))
    assert all(row.since <= row.newest and row.batches[-1].least_gib == 0 for row in ENGINES)
    assert all(row.source.startswith(f"vLLM {row.label.removeprefix('vllm-')}.") for row in ENGINES)


@pytest.mark.parametrize(
    ("label", "full", "row"),
    [
        ("vllm", "vllm-0.33", (0, 28)),
        ("vllm-0.8.5.post1", "vllm-0.8", (0, 8)),
        ("vLLM-0.13.0", "vllm-0.13", (0, 9)),
        ("vllm-v0.14.1", "vllm-0.14", (0, 14)),
        ("vllm-0.19.1rc2.dev7", "vllm-0.19", (0, 19)),
        ("vllm-0.27", "vllm-0.27", (0, 20)),
    ],
)
def test_a_version_takes_the_row_that_began_before_it(label, full, row):
    found, engine = engine_named(label)
    assert (found, engine.since) == (full, row)
    assert Pool(latency=BY_HAND, engine=label).engine == full


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("vlm", r"unknown engine 'vlm'[\s\S]*use vllm"),
        ("sglang-0.5", r"unknown engine 'sglang-0.5'[\s\S]*use vllm"),
        ("vllm-0.34", r"newer than 0.33[\s\S]*use vllm-0.33, the nearest"),
        ("vllm-0.7.3", r"older than 0.8[\s\S]*use vllm-0.8, the nearest"),
        ("vllm-latest", r"has no version[\s\S]*write vllm-0.33"),
        (19, "engine = 19"),
    ],
)
def test_an_unknown_engine_or_version_is_refused_with_the_nearest(label, said):
    with pytest.raises(UsageError, match=said):
        Pool(latency=BY_HAND, engine=label)


@pytest.mark.parametrize(
    ("gpu", "engine", "server", "offline", "seqs"),
    [
        ("H100", "vllm-0.19", 8192, 16384, 1024),
        ("RTX PRO 6000", "vllm-0.19", 8192, 16384, 1024),
        ("NVIDIA A100-SXM4-80GB", "vllm-0.8", 8192, 16384, 1024),
        ("NVIDIA A100-SXM4-80GB", "vllm-0.19", 2048, 8192, 256),
        ("RTX 4090", "vllm-0.33", 2048, 8192, 256),
        ("B200", "vllm-0.27", 8192, 16384, 1024),
        ("B200", "vllm-0.28", 16384, 16384, 1024),
        ("unknown", "vllm", 2048, 8192, 256),
        ("a card of tomorrow", "vllm", 2048, 8192, 256),
    ],
)
def test_batch_limits_follow_gpu_version_and_entry_point(gpu, engine, server, offline, seqs):
    for entry_point, tokens in (("server", server), ("offline", offline)):
        pool = Pool(latency=on(gpu), engine=engine, entry_point=entry_point)
        assert (pool.max_num_batched_tokens, pool.max_num_seqs) == (tokens, seqs)


def test_switches_follow_the_version():
    def of(engine):
        pool = Pool(latency=BY_HAND, engine=engine)
        return pool.prefix_caching, pool.async_scheduling, pool.reserve_full_isl

    assert of("vllm-0.13") == (True, False, False)
    assert of("vllm-0.14") == (True, True, False)
    assert of("vllm-0.19") == of("vllm") == (True, True, True)


def test_what_is_given_wins_and_a_small_budget_limits_the_batch():
    pool = Pool(latency=on("H100"), max_num_batched_tokens=512, async_scheduling=False)
    assert (pool.max_num_batched_tokens, pool.max_num_seqs) == (512, 512)
    assert not pool.async_scheduling
    assert pool.prefix_caching
    both = Pool(latency=on("H100"), max_num_batched_tokens=512, max_num_seqs=300)
    assert both.max_num_seqs == 300
    with pytest.raises(UsageError, match="use at least max_num_seqs, which is 600"):
        Pool(latency=on("H100"), max_num_batched_tokens=512, max_num_seqs=600)


def test_kv_blocks_are_what_is_left_beside_the_weights():
    card = LatencyModel.load("rtx4090-llama-3.1-8b")
    assert Pool(latency=card, engine="vllm-0.19").kv_blocks == 2556  # vLLM 0.19 logged 2,588
    assert Pool(latency=card, engine="vllm-0.20").kv_blocks > 2556
    bytes_ = Pool(latency=card, engine="vllm-0.19", kv_cache_dtype="fp8_e4m3")
    assert bytes_.kv_blocks == pytest.approx(2 * 2556, abs=1)
    share = Pool(latency=card, gpu_memory_utilization=0.8, block_size=32)
    assert share.kv_blocks == kv_blocks(
        ModelGeometry.named(card.model), "RTX 4090", memory_fraction=0.8, block_size=32
    )


def test_ranks_that_share_experts_leave_more_for_the_cache():
    alone = Pool(latency="rtxpro6000-qwen3-30b-a3b", engine="vllm-0.19")
    ranks = Pool(latency="rtxpro6000-qwen3-30b-a3b-ep2", engine="vllm-0.19")
    experts = 48 * 128 * 3 * 2048 * 768 * 2
    freed = experts / 2 / (16 * 98_304)
    assert ranks.kv_blocks - alone.kv_blocks == pytest.approx(freed, abs=1)


@pytest.mark.parametrize(
    ("gpu", "model"),
    [
        ("unknown", "unknown"),
        ("a card of tomorrow", "meta-llama/Llama-3.1-8B"),
        ("H100", "a model of tomorrow"),
    ],
)
def test_without_a_known_gpu_and_shape_kv_blocks_have_no_limit(gpu, model):
    pool = Pool(latency=replace(BY_HAND, gpu=gpu, model=model))
    assert pool.kv_blocks is None
    assert not pool.limited
    assert pool.to_dict()["kv_blocks"] is None


def test_inf_takes_the_limit_away_and_survives_a_change():
    pool = Pool(latency=on("H100"), kv_blocks=math.inf)
    assert not replace(pool, instances=3).limited
    assert not pool.in_blocks_of(64).limited
    assert pool.to_dict()["kv_blocks"] is None


def test_weights_that_do_not_fit_leave_the_cache_without_a_limit():
    assert Pool(latency=replace(on("RTX 4090"), model="Qwen/Qwen3-32B")).kv_blocks is None


def test_more_kv_blocks_than_memory_are_refused():
    most = (find_gpu("H100").memory_bytes - ModelGeometry.named("Llama-3.1-8B").weight_bytes()) // (
        16 * 131_072
    )
    assert Pool(latency=on("H100"), kv_blocks=int(most)).limited
    with pytest.raises(
        UsageError, match=rf"hold at most {int(most):,} blocks[\s\S]*kv_cache_dtype"
    ):
        Pool(latency=on("H100"), kv_blocks=int(most) + 1)
    assert Pool(latency=on("H100"), kv_blocks=int(most) + 1, kv_cache_dtype="fp8").limited


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"entry_point": "batch"}, "use server, offline"),
        ({"gpu_memory_utilization": 1.2}, "gpu_memory_utilization = 1.2"),
        ({"gpu_memory_utilization": 0}, "gpu_memory_utilization = 0"),
        ({"kv_cache_dtype": "int3"}, "kv_cache_dtype = 'int3'"),
        ({"kv_blocks": 2.5}, "kv_blocks = 2.5"),
    ],
)
def test_settings_that_no_engine_takes_are_refused(option, said):
    with pytest.raises(UsageError, match=said):
        Pool(latency=on("H100"), **option)


def test_a_cluster_file_names_its_engine(tmp_path):
    path = tmp_path / "cluster.toml"
    path.write_text(
        '[[pool]]\nlatency = "h100-llama-3.1-8b"\nengine = "vllm-0.13"\nkv_blocks = inf\n'
    )
    [pool] = Cluster.load(path).pools
    assert (pool.engine, pool.async_scheduling, pool.limited) == ("vllm-0.13", False, False)
    path.write_text('[[pool]]\nlatency = "h100-llama-3.1-8b"\nengine = "vllm-0.99"\n')
    with pytest.raises(
        DataError, match=r"cluster.toml, pool 1: no defaults are known of vllm 0.99"
    ):
        Cluster.load(path)


def test_a_resolved_pool_resolves_to_itself():
    pool = Pool(latency=on("H100"), engine="vllm-0.19")
    assert replace(pool) == pool
    shown = pool.to_dict()
    assert all(shown[key] is not None for key in ("kv_blocks", "max_num_seqs", "block_size"))


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("meta-llama/Llama-2-7b-hf", 4096),
        ("meta-llama/Llama-3.1-8B-Instruct", 131072),
        ("Qwen/Qwen3-30B-A3B", 40960),
        ("mine", None),
    ],
)
def test_requests_are_as_long_as_the_model_reads(model, most):
    latency = replace(BY_HAND, model=model)
    assert Pool(latency=latency).max_model_len == most
    assert Pool(latency=latency, max_model_len=99).max_model_len == 99
    without = Pool(latency=latency, max_model_len=math.inf)
    assert (without.most_tokens, without.to_dict()["max_model_len"]) == (1 << 40, None)


def test_a_longer_prompt_is_rejected_as_by_vllm_and_the_limit_can_be_taken_away():
    latency = replace(BY_HAND, model="meta-llama/Llama-2-7b-hf")
    trace = Trace.of([(0, 4095, 5), (0, 4096, 5)])
    limited, free = Cluster.uniform(1, latency), Cluster.uniform(1, latency, max_model_len=math.inf)
    outcomes = [
        replay(trace, cluster, routers=["round_robin"]).traces[0].read("outcome", "output_tokens")
        for cluster in (limited, free)
    ]
    assert outcomes[0]["outcome"].to_list() == ["ok", "rejected"]
    assert outcomes[0]["output_tokens"][0] == 1
    assert outcomes[1]["outcome"].to_list() == ["ok", "ok"]
