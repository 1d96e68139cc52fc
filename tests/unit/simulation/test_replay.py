from __future__ import annotations

import numpy as np
import pytest
from support.clusters import SYNCHRONOUS
from support.traces import random_requests, requests_at, requests_at_ns, requests_every

import workloadlab as wl
from workloadlab.errors import DataError, UnsupportedError, UsageError


def trace(n=300, seed=0):
    observed = np.random.default_rng(seed + 1).integers(1, 10**9, n)
    return random_requests(seed, n, within_s=20, inputs=3000, outputs=300, ttft_ns=observed)


CLUSTER = wl.Cluster.uniform(
    3, wl.LatencyModel.linear(constant_s=0.01, prefill_token_s=2e-5), kv_blocks=600, **SYNCHRONOUS
)


def test_an_outcome_is_a_trace_of_the_same_requests():
    source = trace()
    runs = wl.replay(source, CLUSTER, routers=["least_requests"], rate_scale=2)
    outcome = runs.outcomes()
    before, after = (
        t.read("row_id", "input_tokens", "output_tokens", "arrival_ns") for t in (source, outcome)
    )
    assert after.drop("arrival_ns").equals(before.drop("arrival_ns"))
    np.testing.assert_allclose(after["arrival_ns"] * 2, before["arrival_ns"], atol=2)
    frame = outcome.read("queue_ns", "ttft_ns", "last_token_ns", "e2e_ns", "outcome", "run_id")
    assert frame.null_count().sum_horizontal().item() == 0
    assert (frame["queue_ns"] < frame["ttft_ns"]).all()
    assert (frame["ttft_ns"] <= frame["e2e_ns"]).all()
    assert frame["outcome"].unique().to_list() == ["ok"]
    assert outcome.provenance.parents[0]["reader"] == "frame"
    assert outcome.provenance.options["router"] == "least_requests"


def test_lanes_come_in_order_and_are_found_by_name():
    runs = wl.replay(
        trace(50), CLUSTER, routers=["random", "round_robin"], rate_scale=[0.5, 1.0], seeds=2
    )
    assert [(i.router, i.rate_scale, i.seed) for i in runs.infos] == [
        (r, x, s) for r in ("random", "round_robin") for x in (0.5, 1.0) for s in (0, 1)
    ]
    one = runs.outcomes(router="random", rate_scale=0.5, seed=1)
    assert one.provenance.options["seed"] == 1
    with pytest.raises(UsageError, match="4 runs match router='random'"):
        runs.outcomes(router="random")


def test_seeds_differ_only_where_chance_is_used():
    runs = wl.replay(trace(), CLUSTER, routers=["random", "least_requests"], seeds=2)
    places = {
        (info.router, info.seed): outcome.read("instance_id")["instance_id"].to_list()
        for info, outcome in runs
    }
    assert places["random", 0] != places["random", 1]
    assert places["least_requests", 0] == places["least_requests", 1]


def test_same_bytes_with_one_and_two_threads(tmp_path):
    for threads in (1, 2):
        runs = wl.replay(
            trace(), CLUSTER, routers=["random", "power_of_two", "least_tokens"], seeds=2,
            rate_scale=[1, 3], threads=threads,
        )  # fmt: skip
        runs.save(tmp_path / str(threads))
    one, two = (sorted((tmp_path / n).iterdir()) for n in ("1", "2"))
    assert [p.name for p in one] == [p.name for p in two]
    assert len(one) == 13
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))


def test_rejected_requests_say_so():
    source = requests_at_ns([0, 1], input_tokens=[50, 5], output_tokens=1)
    cluster = wl.Cluster.uniform(1, wl.LatencyModel.linear(constant_s=0.1), kv_blocks=2)
    outcome = wl.replay(source, cluster, routers=["random"]).outcomes()
    rows = outcome.read("outcome", "instance_id", "ttft_ns", "dispatch_ns").rows()
    assert rows[0] == ("rejected", None, None, None)
    assert rows[1][:2] == ("ok", "pool/0")


def test_missing_and_zero_outputs_become_one_token():
    source = requests_at([0, 0, 0], input_tokens=[0, 5, 5], output_tokens=[None, 0, 2])
    outcome = wl.replay(source, CLUSTER, routers=["random"]).outcomes()
    assert outcome.read("output_tokens")["output_tokens"].to_list() == [1, 1, 2]


def test_replay_refuses_what_it_cannot_do():
    bare = requests_at([0], output_tokens=None)
    with pytest.raises(UnsupportedError, match="a replay needs output_tokens"):
        wl.replay(bare, CLUSTER)
    with pytest.raises(UsageError, match="no requests"):
        wl.replay(trace().window(1e6, 2e6), CLUSTER)
    for scale in (0, -1.0, float("nan"), float("inf"), 1e300, 1e-300):
        with pytest.raises(UsageError, match=r"is not within 0\.000001 to 1,000,000"):
            wl.replay(trace(3), CLUSTER, rate_scale=scale)
    with pytest.raises(UsageError, match="nothing to replay"):
        wl.replay(trace(3), CLUSTER, routers=[])
    with pytest.raises(UsageError, match="seeds = 0 is not a whole number from 1"):
        wl.replay(trace(3), CLUSTER, seeds=0)


def test_steps_outside_the_domain_are_counted():
    model = wl.LatencyModel.load("rtxpro6000-llama-3.1-8b")
    small = wl.replay(
        trace(20), wl.Cluster.uniform(2, model, max_num_batched_tokens=2048), routers=["random"]
    )
    assert small.infos[0].steps_outside_domain == 0
    burst = requests_at([0] * 900, input_tokens=10, output_tokens=50)
    big = wl.replay(burst, wl.Cluster.uniform(1, model, max_num_seqs=900), routers=["random"])
    assert 0 < big.infos[0].steps_outside_domain <= big.infos[0].steps


def test_runs_survive_a_round_trip(tmp_path):
    runs = wl.replay(trace(20), CLUSTER, routers=["random"], seeds=2)
    opened = wl.Runs.open(runs.save(tmp_path / "runs"))
    assert opened.infos == runs.infos
    assert opened.cluster == runs.cluster
    assert opened.outcomes(seed=1).frame.collect().equals(runs.outcomes(seed=1).frame.collect())
    (tmp_path / "runs" / "manifest.json").write_text("{")
    with pytest.raises(DataError, match=r"manifest\.json: is not JSON, or cut off"):
        wl.Runs.open(tmp_path / "runs")
    with pytest.raises(UsageError, match=r"no manifest\.json"):
        wl.Runs.open(tmp_path)


def session(n=4, **columns):
    names = ["a", "b"] * (n // 2)
    return requests_every(0.1, n, input_tokens=10, output_tokens=1, session_id=names, **columns)


ONE_SECOND_EACH = wl.Cluster.uniform(
    1, wl.LatencyModel.linear(constant_s=1.0), max_num_seqs=1, step_overhead_s=0.0, **SYNCHRONOUS
)


def test_closed_sessions_wait_for_the_turn_before():
    source = session(think_ns=[None, None, 5 * 10**8, 10**9])
    outcome = wl.replay(source, ONE_SECOND_EACH, routers=["random"], sessions="closed").outcomes()
    rows = outcome.read("row_id", "arrival_ns", "e2e_ns").rows()
    # a 0..1 s, b 0.1..2 s; a again at 1.5 s waits for b until 2 s; b again at 3 s
    assert rows == [
        (0, 0, 10**9),
        (1, 10**8, 19 * 10**8),
        (2, 15 * 10**8, 15 * 10**8),
        (3, 3 * 10**9, 10**9),
    ]


def test_closed_sessions_derive_think_time_from_logged_ends():
    source = session(e2e_ns=[10**8] * 4, ttft_ns=[10**8] * 4)
    outcome = wl.replay(source, ONE_SECOND_EACH, routers=["random"], sessions="closed").outcomes()
    arrivals = outcome.read("row_id", "arrival_ns").sort("row_id")["arrival_ns"].to_list()
    # logged: a ends at 0.1 s and returns at 0.2 s, so it thinks 0.1 s
    assert arrivals == [0, 10**8, 11 * 10**8, 21 * 10**8]


def test_closed_sessions_need_think_times():
    with pytest.raises(UnsupportedError, match="2 turns without think_ns or"):
        wl.replay(session(), ONE_SECOND_EACH, sessions="closed")
    with pytest.raises(UnsupportedError, match="needs session_id"):
        wl.replay(trace(3), ONE_SECOND_EACH, sessions="closed")


def test_clients_wait_for_their_last_answer_whatever_the_session():
    source = session(
        e2e_ns=[10**8] * 4, ttft_ns=[10**8] * 4, client_id=["c", "d", "d", "c"],
        think_ns=[7 * 10**9] * 4,
    )  # fmt: skip
    outcome = wl.replay(source, ONE_SECOND_EACH, routers=["random"], sessions="clients").outcomes()
    arrivals = outcome.read("row_id", "arrival_ns").sort("row_id")["arrival_ns"].to_list()
    # c ends at 1 s and, as logged, pauses 0.2 s; d ends at 2 s and pauses for nothing
    assert arrivals == [0, 10**8, 2 * 10**9, 12 * 10**8]


def test_clients_need_client_ids():
    with pytest.raises(UnsupportedError, match="clients needs client_id"):
        wl.replay(session(), ONE_SECOND_EACH, sessions="clients")


def prefixed(block_size=16):
    return requests_every(
        10,
        3,
        input_tokens=[64, 96, 64],
        output_tokens=[33, 1, 1],
        block_ids=[[7, 8, 9, 10], [7, 8, 9, 10, 11, 12], [7, 8, 9, 10]],
        block_size=block_size,
        session_id=["a", "a", "b"],
    )


def test_prefix_hits_leave_the_last_token_and_reach_into_generated_blocks():
    cluster = wl.Cluster.uniform(
        1, wl.LatencyModel.linear(constant_s=0.01), block_size=16, prefix_caching=True
    )
    outcome = wl.replay(prefixed(), cluster, routers=["random"]).outcomes()
    cached = outcome.read("cached_tokens")["cached_tokens"].to_list()
    # turn 2 finds 4 prompt blocks and the 2 that the first answer filled, but recomputes its last block
    assert cached == [0, 80, 48]
    board = wl.score(wl.replay(prefixed(), cluster, routers=["random"]))
    assert board.runs[0].cache_hit_ratio == pytest.approx(128 / 224)


def test_prefix_blocks_of_the_trace_must_fit_those_of_the_engine():
    cluster = wl.Cluster.uniform(1, wl.LatencyModel.linear(), block_size=32, prefix_caching=True)
    with pytest.raises(UsageError, match=r"blocks of 32 tokens[\s\S]*divisor of 16"):
        wl.replay(prefixed(), cluster)
    coarse = wl.Cluster.uniform(
        1, wl.LatencyModel.linear(constant_s=0.1), block_size=4, kv_blocks=40, prefix_caching=True
    )
    outcome = wl.replay(prefixed(), coarse, routers=["random"]).outcomes()
    assert outcome.read("cached_tokens")["cached_tokens"].to_list() == [0, 80, 48]


def test_blocks_as_the_engine_ships_them_fit_any_trace():
    model = wl.LatencyModel.linear(constant_s=0.01)
    shipped = wl.Cluster.uniform(1, model, kv_blocks=40)
    assert shipped.pools[0].prefix_caching
    outcome = wl.replay(prefixed(block_size=24), shipped, routers=["random"]).outcomes()
    assert outcome.read("cached_tokens")["cached_tokens"].to_list() == [0, 72, 48]
    nameless = wl.replay(trace(9), wl.Cluster.uniform(1, model), routers=["random"]).outcomes()
    assert nameless.read("cached_tokens")["cached_tokens"].sum() == 0


def test_blocks_of_several_sizes_are_cut_into_parts_of_one():
    rows = requests_at_ns(
        [0, 10**9, 2 * 10**9, 3 * 10**9],
        input_tokens=[65, 65, 65, 33],
        output_tokens=1,
        block_ids=[[7, 8, 9, 10], [7, 8, 9, 10], [7, 8], [7]],
        block_size=[16, 16, 32, 32],
    )
    runs = wl.replay(rows, wl.Cluster.uniform(1, wl.LatencyModel.linear(constant_s=0.01)))
    cached = runs.outcomes(router="round_robin").read("cached_tokens")["cached_tokens"].to_list()
    # An id of 32 tokens is no id of 16, and its first half is no block of the other size either.
    assert cached == [0, 64, 0, 32]


def test_pools_serve_only_their_models():
    source = requests_at_ns(
        range(4), input_tokens=5, output_tokens=2, model=["big", "small", None, "gone"]
    )
    model = wl.LatencyModel.linear(constant_s=0.1)
    pools = [
        wl.Pool(name="x", latency=model, models=("small",)),
        wl.Pool(name="y", latency=model, models=("big",)),
    ]
    outcome = wl.replay(source, wl.Cluster(pools=pools), routers=["least_requests"]).outcomes()
    rows = outcome.read("outcome", "instance_id").rows()
    assert rows == [("ok", "y/0"), ("ok", "x/0"), ("ok", "x/0"), ("rejected", None)]


def test_request_overhead_counts_in_every_latency():
    source = requests_at([0], input_tokens=5, output_tokens=2)
    cluster = wl.Cluster.uniform(
        1, wl.LatencyModel.linear(constant_s=1.0), step_overhead_s=0.0, request_overhead_s=0.25
    )
    outcome = wl.replay(source, cluster, routers=["random"]).outcomes()
    row = outcome.read("arrival_ns", "queue_ns", "ttft_ns", "e2e_ns").row(0)
    assert row == (0, 250_000_000, 1_250_000_000, 2_250_000_000)


def test_async_scheduling_hides_the_shorter_of_two():
    source = requests_at([0], input_tokens=5, output_tokens=3)
    ends = []
    for overlapped in (False, True):
        cluster = wl.Cluster.uniform(
            1, wl.LatencyModel.linear(constant_s=0.5), step_overhead_s=0.25,
            async_scheduling=overlapped,
        )  # fmt: skip
        outcome = wl.replay(source, cluster, routers=["random"]).outcomes()
        ends.append(outcome.read("e2e_ns").item())
    assert ends == [2_250_000_000, 1_500_000_000]


def test_a_prefix_router_needs_a_cluster_that_caches():
    @wl.router(needs={"prefix"})
    def warmest(request, instance):
        return -instance.cached_tokens

    with pytest.raises(UnsupportedError, match="no pool of the cluster has prefix_caching"):
        wl.replay(prefixed(), ONE_SECOND_EACH, routers=[warmest])
