"""The compiled engine equals the readable one, request by request, on generated workloads."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clusters import clusters, in_blocks_of
from support.latency_models import stump
from support.outcomes import TIMES, assert_equal
from support.routers import (
    at_most_two,
    by_belief,
    by_shared_belief,
    by_truth,
    careless,
    every_signal,
    every_signal_but_decoding,
    prefix_aware,
)
from support.workloads import blocks_of, chained, crowd, workloads

from workloadlab.latency import LatencyModel, RequestModel
from workloadlab.routing import SHELF, SIGNALS, batch_router, router
from workloadlab.simulation import Cluster, Event, Pool
from workloadlab.simulation.engine import setup as layout
from workloadlab.simulation.engine.run import Retold, replay_lane
from workloadlab.simulation.reference.lane import Lane, replay_by_steps, uniform_draw
from workloadlab.simulation.workload import Workload

STEPS = LatencyModel.load("rtxpro6000-llama-3.1-8b")
REQUESTS = RequestModel(
    name="stumps",
    features=("kv_usage", "decode_tokens_in_flight", "cached_share"),
    coefficients={
        "ttft_s": {"0.5": stump(1, 40.0, 0.1, 0.3), "0.9": stump(2, 0.2, 0.4, 0.2)},
        "tpot_s": {"0.5": stump(0, 0.1, 0.01, 0.02), "0.9": stump(0, 0.2, 0.02, 0.06)},
    },
)
ON_MODELS = [
    replace(router(name, model=model), name=f"{name}_on_{model.name}")
    for name in ("predicted_latency", "llmd_latency", "polyserve")
    for model in (STEPS, REQUESTS)
]
BEHIND = [at_most_two, careless, every_signal_but_decoding]
OWN = [*BEHIND, every_signal, prefix_aware, by_belief, by_shared_belief, by_truth]
ROUTERS = [*SHELF.values(), *ON_MODELS, *OWN]


def test_some_routers_let_engines_stay_behind_and_some_do_not():
    assert not any(policy.sees_decoding for policy in BEHIND)
    assert every_signal.sees_decoding
    assert prefix_aware.sees_decoding
    assert not by_belief.sees_decoding


@settings(max_examples=150, deadline=None)
@given(
    workload=workloads(),
    cluster=clusters(),
    policy=st.sampled_from(ROUTERS),
    seed=st.integers(0, 9),
    fewest=st.sampled_from([1, layout.FEWEST_WITH_BITS]),
)
def test_kernel_equals_reference(workload, cluster, policy, seed, fewest):
    block_size, workload = workload
    cluster = in_blocks_of(cluster, block_size)
    with patch.object(layout, "FEWEST_WITH_BITS", fewest):
        fast = replay_lane(workload, cluster, policy, seed)
    assert_equal(fast, replay_by_steps(workload, cluster, policy, seed))
    placed = fast.instance >= 0
    assert np.isfinite(fast.end_s[placed]).all()
    assert np.isnan(fast.end_s[~placed]).all()
    moments = [getattr(fast, name)[placed] for name in TIMES]
    for before, after in pairwise(moments):
        assert (before <= after).all()
    following = workload.next_turn
    for row in np.flatnonzero((following >= 0) & placed):
        released = fast.end_s[row] + workload.think_s[following[row]]
        assert fast.arrival_s[following[row]] == pytest.approx(released, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    workload=workloads(),
    cluster=clusters(),
    seed=st.integers(0, 9),
    outside_s=st.sampled_from([0.0, 0.02]),
)
def test_a_lane_that_is_laid_out_once_replays_as_one_laid_out_each_time(
    workload, cluster, seed, outside_s
):
    block_size, workload = workload
    cluster = in_blocks_of(cluster, block_size)
    policy, pool = SHELF["least_requests"], cluster.pools[0]
    first, *others = (LatencyModel.linear(constant_s=s, decode_seq_s=s / 9) for s in (1, 0.01, 3))
    one = replace(cluster, pools=(replace(pool, latency=first),))
    retold, models = Retold(workload, one, policy, seed), (*others, first)
    told = [retold.replay(latency, outside_s) for latency in models]
    for latency, outcome in zip(models, told, strict=True):
        pools = (replace(one.pools[0], latency=latency),)
        again = replace(one, pools=pools, request_overhead_s=outside_s)
        assert_equal(outcome, replay_lane(workload, again, policy, seed))


@st.composite
def eventful(draw):
    """A cluster to which something happens, often while it is at work, often at the same moment."""
    cluster = draw(clusters())
    names = [name for pool in cluster.pools for name in (
        pool.name, *(f"{pool.name}/{i}" for i in range(pool.instances) if not pool.step_together)
    )]  # fmt: skip
    happen = st.builds(
        lambda at_s, what, instance: Event(at_s=at_s, instance=instance, **what),
        st.sampled_from([0.0, 0.011, 0.05, 0.26, 0.5, 1.0, 3.26, 9.0]),
        st.sampled_from([
            {"kind": "stop"}, {"kind": "stop"}, {"kind": "stop", "requests": "fail"},
            {"kind": "drain"}, {"kind": "start"}, {"kind": "start"},
        ]),
        st.sampled_from(names),
    )  # fmt: skip
    return replace(cluster, events=draw(st.lists(happen, min_size=1, max_size=6)))


@settings(max_examples=250, deadline=None)
@given(
    workload=workloads(),
    cluster=eventful(),
    policy=st.sampled_from(ROUTERS),
    seed=st.integers(0, 9),
    fewest=st.sampled_from([1, layout.FEWEST_WITH_BITS]),
)
def test_kernel_equals_reference_whatever_happens(workload, cluster, policy, seed, fewest):
    block_size, workload = workload
    cluster = in_blocks_of(cluster, block_size)
    with patch.object(layout, "FEWEST_WITH_BITS", fewest):
        fast = replay_lane(workload, cluster, policy, seed)
    slow = Lane(workload, cluster, policy, seed)
    assert_equal(fast, slow.run())
    for engine in slow.engines:
        assert (engine.in_flight, engine.waiting, engine.running) == (0, [], [])
        assert engine.store.available == engine.pool.blocks
    served = np.isfinite(fast.end_s)
    assert (fast.instance[served] >= 0).all()
    assert np.isnan(fast.first_token_s[~served]).all()
    assert np.isfinite(fast.arrival_s).all()
    moments = [getattr(fast, name)[served] for name in TIMES]
    for before, after in pairwise(moments):
        assert (before <= after).all()
    if all(event.requests == "retry" for event in cluster.events):
        assert (served == (fast.instance >= 0)).all()


@pytest.mark.parametrize(
    "policy",
    [*SHELF.values(), *ON_MODELS, by_belief, by_shared_belief],
    ids=lambda policy: policy.name,
)
@pytest.mark.parametrize("interval", [0.0, 0.15])
def test_every_router_decides_alike_in_both_engines(policy, interval):
    rng = np.random.default_rng([len(policy.name), round(100 * interval)])
    n, size = 60, 8
    inputs, outputs = rng.integers(1, 120, n), rng.integers(1, 30, n)
    shared = rng.integers(0, 3, n)
    chains = [
        [int(shared[row]) * 15 + k if k < 6 else 45 + row * 20 + k for k in range(int(blocks))]
        for row, blocks in enumerate((inputs + outputs - 1) // size)
    ]
    workload = Workload(
        np.sort(rng.uniform(0, 3, n)), inputs, outputs, rng.integers(-1, 40, n),
        rng.integers(-1, 9, n), **blocks_of(chains, size),
        model=rng.integers(-1, 2, n), models=("a", "b"),
    )  # fmt: skip
    model = LatencyModel.linear(constant_s=0.02, prefill_token_s=1e-4)
    large = Pool(
        instances=3, latency=model, kv_blocks=30, block_size=size, max_num_seqs=4,
        max_num_batched_tokens=50, prefix_caching=True, name="large",
    )  # fmt: skip
    small = replace(large, instances=2, kv_blocks=17, models=("a",), name="small")
    cluster = Cluster(pools=[large, small], signal_interval_s=interval)
    fast = replay_lane(workload, cluster, policy, 0)
    assert_equal(fast, replay_by_steps(workload, cluster, policy, 0))
    assert (fast.instance >= 0).all()


class Watching:
    """A chooser that writes down all that it sees, and takes the instances that can serve in turn."""

    uses = ("prefix",)

    def __init__(self, *, oracle, index):
        self.needs, self.index, self.seen = ("oracle",) if oracle else (), index, []

    def note(self, request, instances):
        self.seen.append((request.copy(), instances.copy()))
        able = np.flatnonzero(instances["fits"])
        return int(able[len(self.seen) % len(able)])

    def choose(self, batch):
        return [self.note(batch.requests[0], batch.instances[0])]


@settings(max_examples=60, deadline=None)
@given(
    workload=workloads(),
    cluster=clusters(),
    oracle=st.booleans(),
    index=st.sampled_from([None, by_belief.index]),
)
def test_routers_see_the_same_in_both_engines(workload, cluster, oracle, index):
    block_size, workload = workload
    assert_seen_alike(workload, in_blocks_of(cluster, block_size), oracle=oracle, index=index)


def assert_seen_alike(workload, cluster, *, oracle=False, index=None):
    """Compare all that a router sees, decision by decision; return what it saw of the instances."""
    fast, slow = (Watching(oracle=oracle, index=index) for _ in range(2))
    replay_lane(workload, cluster, batch_router(fast), 0)
    noting = replace(
        batch_router(slow),
        kind="choose",
        function=lambda request, instances, params, memory: slow.note(request, instances),
    )
    replay_by_steps(workload, cluster, noting, 0)
    assert len(fast.seen) == len(slow.seen)
    for (request, instances), (request_by_steps, instances_by_steps) in zip(
        fast.seen, slow.seen, strict=True
    ):
        for signal in SIGNALS:
            a, b = (request, request_by_steps), (instances, instances_by_steps)
            seen, expected = (
                part[signal.name] for part in (a if signal.record == "request" else b)
            )
            np.testing.assert_allclose(seen, expected, rtol=0, atol=1e-9, err_msg=signal.name)
    return [instances for _, instances in fast.seen]


@cache
def reading(signal):
    """A router whose choices follow from one signal alone."""
    name, sign = signal.name, -1 if signal.name == "relative_speed" else 1

    @router(needs={"oracle", "prefix"}, name=f"by_{signal.record}_{name}")
    def of_instance(request, instance):
        return sign * instance[name]

    @router(needs={"oracle", "prefix"}, name=f"by_{signal.record}_{name}")
    def of_request(request, instance):
        return (request[name] * (instance["index"] + 1) * 7.3) % 1.0

    return of_request if signal.record == "request" else of_instance


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda s: f"{s.record}.{s.name}")
@pytest.mark.parametrize("interval", [0.0, 0.15])
def test_a_router_that_reads_one_signal_alone_decides_alike_in_both_engines(signal, interval):
    """What a compiled router does not read is not computed for it, so each is read by itself."""
    workload, cluster = busy(interval)
    policy = reading(signal)
    fast = replay_lane(workload, cluster, policy, 0)
    assert_equal(fast, replay_by_steps(workload, cluster, policy, 0))


def busy(interval):
    """Sixty requests of all kinds on two pools that differ in all that a router sees of them."""
    rng = np.random.default_rng(round(100 * interval))
    n, size = 60, 8
    inputs, outputs = rng.integers(1, 120, n), rng.integers(1, 30, n)
    shared = rng.integers(0, 3, n)
    chains = [
        [int(shared[row]) * 15 + k if k < 6 else 45 + row * 20 + k for k in range(int(blocks))]
        for row, blocks in enumerate((inputs + outputs - 1) // size)
    ]
    workload = Workload(
        np.sort(rng.uniform(0, 3, n)), inputs, outputs, rng.integers(-1, 40, n),
        rng.integers(-1, 9, n), np.array([name for chain in chains for name in chain], np.int32),
        np.cumsum([0, *map(len, chains)]), size, model=rng.integers(-1, 2, n), models=("a", "b"),
        priority=rng.integers(0, 3, n), slo_class=rng.integers(-1, 3, n), tenant=rng.integers(-1, 3, n),
    )  # fmt: skip
    slow = LatencyModel.linear(constant_s=0.02, prefill_token_s=1e-4, decode_context_s=1e-6)
    quick = LatencyModel.linear(constant_s=0.01, prefill_token_s=1e-4, decode_seq_s=1e-3)
    large = Pool(
        instances=3, latency=slow, kv_blocks=30, block_size=size, max_num_seqs=4,
        max_num_batched_tokens=50, prefix_caching=True, max_in_flight=6, name="large",
    )  # fmt: skip
    small = replace(
        large, instances=2, latency=quick, kv_blocks=17, max_num_seqs=3, models=("b",), name="small",
        async_scheduling=True,
    )  # fmt: skip
    return workload, Cluster(pools=[large, small], signal_interval_s=interval)


@pytest.mark.parametrize("seed", range(6))
def test_engines_agree_while_the_prefix_cache_evicts(seed):
    workload = chained(150, 8, seed=seed)
    cluster = Cluster.uniform(
        2, LatencyModel.linear(constant_s=0.01, prefill_token_s=1e-4), kv_blocks=24, block_size=8,
        max_num_seqs=6, max_num_batched_tokens=50, prefix_caching=True,
    )  # fmt: skip
    fast = replay_lane(workload, cluster, prefix_aware, seed)
    assert fast.cached_tokens.sum() > 500
    assert fast.preemptions.sum() > 5
    assert_equal(fast, replay_by_steps(workload, cluster, prefix_aware, seed))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("interval", [0.0, 0.3])
@pytest.mark.parametrize(
    "policy",
    [prefix_aware, by_belief, by_shared_belief, at_most_two, every_signal],
    ids=lambda policy: policy.name,
)
def test_engines_agree_while_busy_instances_come_and_go(seed, interval, policy):
    rng = np.random.default_rng(seed)
    events = [
        Event(at_s=float(at_s), kind=kind, instance=f"pool/{i}", requests=requests)
        for i in range(3)
        for at_s, kind, requests in [
            (rng.uniform(1, 3), "drain", "retry"),
            (rng.uniform(2, 3), "stop", rng.choice(["retry", "fail"])),
            (rng.uniform(3, 4), "start", "retry"),
            (rng.uniform(4, 6), "stop", "retry"),
            (rng.uniform(4, 8), "start", "retry"),
        ]
    ]
    workload = chained(240, 8, seed=seed)
    cluster = Cluster.uniform(
        3, LatencyModel.linear(constant_s=0.02, prefill_token_s=1e-4), kv_blocks=24, block_size=8,
        max_num_seqs=6, max_num_batched_tokens=50, prefix_caching=True, reserve_full_isl=False,
        async_scheduling=seed % 2 == 1, signal_interval_s=interval, events=events,
    )  # fmt: skip
    fast = replay_lane(workload, cluster, policy, seed)
    assert_equal(fast, replay_by_steps(workload, cluster, policy, seed))
    calm = replay_lane(workload, replace(cluster, events=()), policy, seed)
    assert (fast.end_s != calm.end_s).sum() > 50
    assert fast.cached_tokens.sum() > 500
    assert fast.preemptions.sum() > 5


def test_engines_agree_on_the_caches_of_many_instances():
    """More than the 64 whose bits lie in one word, and a pool in between that caches nothing."""
    workload = chained(400, 8, seed=0)
    model = LatencyModel.linear(constant_s=0.2, prefill_token_s=1e-3)
    caching = Pool(
        instances=40, latency=model, kv_blocks=24, block_size=8, prefix_caching=True, name="caching"
    )
    plain = replace(caching, instances=9, block_size=3, prefix_caching=False, name="plain")
    cluster = Cluster(pools=[caching, plain, replace(caching, name="more")])
    fast = replay_lane(workload, cluster, prefix_aware, 0)
    assert fast.cached_tokens[fast.instance >= 64].sum() > 1000
    assert fast.preemptions.sum() > 50
    assert_equal(fast, replay_by_steps(workload, cluster, prefix_aware, 0))


@pytest.mark.parametrize("kv_blocks", [16, 20, 40])
@pytest.mark.parametrize("reserve", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_engines_agree_under_heavy_preemption(kv_blocks, seed, reserve):
    cluster = Cluster.uniform(
        2, LatencyModel.linear(constant_s=0.01), kv_blocks=kv_blocks, max_num_seqs=32,
        max_num_batched_tokens=128, reserve_full_isl=reserve,
    )  # fmt: skip
    workload = crowd(120, seed=seed)
    fast = replay_lane(workload, cluster, SHELF["least_requests"], seed)
    assert fast.preemptions.sum() >= 10
    assert_equal(fast, replay_by_steps(workload, cluster, SHELF["least_requests"], seed))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("interval", [0.0, 0.1])
def test_output_tokens_left_are_never_below_0_for_a_request(seed, interval):
    """Predictions of half the length and less, of requests that are preempted beyond and before them."""
    workload = crowd(120, seed=seed)
    predicted = workload.output_tokens // 2 - np.arange(120) % 3
    workload = replace(workload, predicted_tokens=predicted.clip(0))
    cluster = Cluster.uniform(
        2, LatencyModel.linear(constant_s=0.01), kv_blocks=20, max_num_seqs=32,
        max_num_batched_tokens=128, signal_interval_s=interval,
    )  # fmt: skip
    seen = assert_seen_alike(workload, cluster)
    assert replay_lane(workload, cluster, SHELF["random"], 0).preemptions.sum() > 10
    left = np.concatenate([instances["output_tokens_left"] for instances in seen])
    assert left.min() >= 0
    assert len(set(left.tolist())) > 20


def test_a_prompt_longer_than_the_budget_takes_several_steps():
    workload = Workload(np.zeros(1), np.array([10]), np.array([1]), np.array([-1]), np.array([-1]))
    cluster = Cluster.uniform(
        1, LatencyModel.linear(constant_s=1.0), max_num_batched_tokens=4, step_overhead_s=0.0
    )
    outcome = replay_lane(workload, cluster, SHELF["round_robin"], 0)
    assert outcome.steps == 3
    assert outcome.first_token_s[0] == outcome.end_s[0] == 3.0


def test_a_request_that_never_fits_is_rejected():
    workload = Workload(
        np.zeros(2), np.array([40, 17]), np.array([9, 16]), np.full(2, -1), np.full(2, -1)
    )
    cluster = Cluster.uniform(1, LatencyModel.linear(constant_s=1.0), kv_blocks=2, block_size=16)
    outcome = replay_lane(workload, cluster, SHELF["round_robin"], 0)
    assert outcome.instance.tolist() == [-1, 0]
    assert np.isnan(outcome.end_s[0])


def test_draws_are_uniform_and_the_same_in_both_engines():
    from workloadlab.simulation.engine.instance import uniform_draw as compiled

    state = 0x9E3779B97F4A7C15
    draws = np.array([uniform_draw(state, count) for count in range(20_000)])
    assert [compiled(np.uint64(state), count) for count in range(100)] == draws[:100].tolist()
    assert 0 <= draws.min() < draws.max() < 1
    assert abs(draws.mean() - 0.5) < 4 * np.sqrt(1 / 12 / len(draws))
    assert np.abs(np.histogram(draws, 10, (0, 1))[0] - 2000).max() < 200
