"""The compiled engine equals the readable one, request by request, on generated workloads."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloadlab.latency import ESTIMATORS, LatencyModel, RequestModel
from workloadlab.latency.estimators.registry import fit_estimator
from workloadlab.routing import SHELF, SIGNALS, PrefixIndex, batch_router, router
from workloadlab.simulation import Cluster, Pool
from workloadlab.simulation.engine import setup as layout
from workloadlab.simulation.engine.record_types import BATCHINGS, ORDERS
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.reference.lane import replay_by_steps, uniform_draw
from workloadlab.simulation.workload import Workload

COMPARED = ("instance", "preemptions", "cached_tokens")
TIMES = ("arrival_s", "dispatch_s", "scheduled_s", "first_token_s", "end_s")


@router(kind="choose")
def at_most_two(request, instances, params, memory):
    """Hold requests in the router's own queue until an instance has fewer than two."""
    for i in range(len(instances)):
        if instances[i].in_flight < 2 and instances[i].fits == 1:
            return i
    return -1


@router(kind="choose")
def careless(request, instances, params, memory):
    """Ignore whether the request fits."""
    memory[0] += 1
    return request.row % len(instances)


@router
def every_signal(request, instance):
    return (
        instance.queued_tokens
        + 2 * instance.running
        + 3 * instance.waiting
        + 0.5 * instance.context_tokens
        + 0.25 * instance.output_tokens_left
        + 5 * instance.kv_blocks_used
        + 7 * instance.sent_since_report
        + 0.3 * instance.sent_tokens_since_report
        - 0.01 * instance.block_size
        + 0.1 * request.input_tokens * instance.index
        + 20 * instance.next_decode_s * instance.relative_speed
        + (request.priority + 2 * request.slo_class + 3 * request.tenant) * instance.pool
        + 0.2 * abs(instance.model - request.model) * request.queue_length
    )


@router
def every_signal_but_decoding(request, instance):
    """All that stands while an engine only decodes, so that such engines stay behind."""
    return (
        instance.queued_tokens
        + 2 * instance.running
        + 3 * instance.waiting
        + 4 * instance.in_flight
        + 7 * instance.sent_since_report
        + 0.3 * instance.sent_tokens_since_report
        + 0.1 * request.predicted_output_tokens * instance.index
    )


@router(needs={"prefix"})
def prefix_aware(request, instance):
    return request.input_tokens - instance.cached_tokens + 10 * instance.in_flight


@router(needs={"prefix"}, index=PrefixIndex(kind="tree", capacity_tokens=90, ttl_s=2.0))
def by_belief(request, instance):
    return (
        request.input_tokens
        - instance.indexed_tokens
        + 0.1 * instance.index_size_tokens
        + 10 * instance.in_flight
    )


by_shared_belief = replace(
    by_belief,
    name="by_shared_belief",
    index=PrefixIndex(capacity_tokens=150, sweep_s=0.3, shared=True),
)


@router(needs={"oracle"}, uses={"prefix"})
def by_truth(request, instance):
    return (
        (request.prefix_key * 7 + instance.index * 3) % 5
        + 0.3 * instance.output_tokens_left
        + abs(request.output_tokens - request.predicted_output_tokens)
    )


def stump(feature, at, low_s, high_s):
    """A request model's tree: one time up to a value of a feature, another above."""
    values = [at, float(np.log(low_s)), float(np.log(high_s))]
    tree = {"roots": [0], "feature": [feature, -1, -1], "left": [1, -1, -1], "value": values}
    return {"constant": 0.0, "trees": tree}


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


def fitted(estimator):
    """A model of small steps, with the noise that gives trees something to split."""
    rng = np.random.default_rng(1)
    kind = np.arange(300) % 3
    prefill = np.where(kind > 0, rng.integers(1, 65, 300), 0)
    seqs = np.where(kind != 1, rng.integers(1, 9, 300), 0)
    cached, context = rng.choice([0, 20, 100], 300), rng.integers(1, 300, 300)
    steps = np.column_stack([prefill, prefill * cached, seqs, seqs * context]).astype(float)
    seconds = (0.01 + 1e-4 * steps[:, 0] + 1e-5 * steps[:, 3]) * rng.lognormal(0, 0.1, 300)
    coefficients = fit_estimator(estimator, steps, seconds)
    return LatencyModel(name=estimator, estimator=estimator, coefficients=coefficients)


BY_HAND = st.builds(
    LatencyModel.linear,
    constant_s=st.sampled_from([0.0, 0.01, 0.25]),
    prefill_token_s=st.sampled_from([0.0, 1e-4]),
    prefill_context_s=st.sampled_from([0.0, 1e-7]),
    decode_seq_s=st.sampled_from([0.0, 1e-3]),
    decode_context_s=st.sampled_from([1e-6, 3e-5]),
)
FITTED = [fitted(estimator) for estimator in sorted(ESTIMATORS)]
MODELS = st.one_of(BY_HAND, BY_HAND, st.sampled_from(FITTED))

POOLS = st.builds(
    Pool,
    instances=st.integers(1, 3),
    latency=MODELS,
    kv_blocks=st.one_of(st.none(), st.integers(1, 12), st.integers(13, 400)),
    block_size=st.sampled_from([1, 2, 3, 16]),
    max_num_seqs=st.sampled_from([1, 2, 3, 8, 256]),
    max_num_batched_tokens=st.sampled_from([1, 2, 5, 7, 64, 2048]),
    prefix_caching=st.booleans(),
    reserve_full_isl=st.booleans(),
    watermark=st.sampled_from([0.0, 0.0, 0.1, 0.5]),
    async_scheduling=st.booleans(),
    models=st.sampled_from([(), (), ("a",), ("a", "b")]),
    long_prefill_token_threshold=st.sampled_from([0, 0, 1, 3, 20]),
    batching=st.sampled_from(["chunked", "chunked", *BATCHINGS]),
    queue_order=st.sampled_from(["fcfs", "fcfs", *ORDERS]),
    max_in_flight=st.sampled_from([None, None, None, 1, 4]),
    attention_slots=st.sampled_from([None, None, 1, 2.5, 6]),
    step_noise=st.sampled_from([0.0, 0.0, 0.0, 0.2]),
    step_together=st.sampled_from([False, False, True]),
    step_overhead_s=st.sampled_from([0.0, 0.001]),
)


@st.composite
def clusters(draw):
    pools = draw(st.lists(POOLS, min_size=1, max_size=2))
    named = [Pool(**{**vars(pool), "name": f"p{i}"}) for i, pool in enumerate(pools)]
    interval = draw(st.sampled_from([0.0, 0.0, 0.05, 0.7]))
    return Cluster(
        pools=named,
        signal_interval_s=interval,
        signal_delay_s=draw(st.sampled_from([0.0, 0.12])) if interval else 0.0,
        request_overhead_s=draw(st.sampled_from([0.0, 0.004])),
        decision_overhead_s=draw(st.sampled_from([0.0, 0.0, 0.003])),
        max_router_queue=draw(st.sampled_from([None, None, 0, 3])),
    )


@st.composite
def workloads(draw):
    n = draw(st.integers(1, 40))
    longest = draw(st.sampled_from([1, 4, 40, 300]))
    gaps = draw(
        st.lists(st.sampled_from([0.0, 0.0, 0.01, 0.013, 0.25, 3.0]), min_size=n, max_size=n)
    )
    lengths = st.lists(st.integers(1, longest), min_size=n, max_size=n)
    outputs = st.lists(st.integers(1, min(longest, 60)), min_size=n, max_size=n)
    predicted = st.lists(st.integers(-1, 50), min_size=n, max_size=n)
    inputs, outputs = np.array(draw(lengths)), np.array(draw(outputs))
    block_size = draw(st.sampled_from([1, 2, 3, 16]))
    chains = chained_ids(draw, (inputs + outputs - 1) // block_size)
    return block_size, Workload(
        arrival_s=np.cumsum(gaps),
        input_tokens=inputs,
        output_tokens=outputs,
        predicted_tokens=np.array(draw(predicted)),
        session=np.full(n, -1),
        block_ids=np.array([name for chain in chains for name in chain], np.int32),
        first_block=np.cumsum([0, *map(len, chains)]),
        block_size=block_size,
        model=np.array(draw(st.lists(st.integers(-1, 1), min_size=n, max_size=n))),
        models=("a", "b"),
        **{
            name: np.array(draw(st.lists(st.integers(-1, 2), min_size=n, max_size=n)))
            for name in ("priority", "slo_class", "tenant")
        },
        **draw(st.one_of(st.just({}), turns(n))),
    )


@st.composite
def turns(draw, n):
    """Chain some rows into closed-loop sessions."""
    next_turn, think = np.full(n, -1), np.zeros(n)
    last = {}
    for row in range(n):
        session = draw(st.integers(0, 3))
        if session in last and draw(st.booleans()):
            next_turn[last[session]] = row
            think[row] = draw(st.sampled_from([0.0, 0.0, 0.02, 1.0]))
        last[session] = row
    return {"next_turn": next_turn, "think_s": think}


def chained_ids(draw, most):
    """Name the blocks of each request; an id stands for its whole prefix, requests share prefixes."""
    names = {}
    chains = []
    for blocks in most:
        family = draw(st.integers(0, 2))
        shared = draw(st.integers(0, int(blocks)))
        path = [(family, k) for k in range(shared)]
        path += [(family, k, len(chains)) for k in range(shared, int(blocks))]
        chains.append([names.setdefault(key, len(names)) for key in path])
    return chains


def assert_equal(fast, slow):
    for name in COMPARED:
        np.testing.assert_array_equal(getattr(fast, name), getattr(slow, name), err_msg=name)
    for name in TIMES:
        np.testing.assert_allclose(
            getattr(fast, name), getattr(slow, name), rtol=0, atol=1e-9, err_msg=name
        )
    assert (fast.steps, fast.steps_outside) == (slow.steps, slow.steps_outside)


def in_blocks_of(cluster, size):
    """Return the cluster with blocks of the trace's size wherever it caches prefixes."""
    return replace(
        cluster,
        pools=[replace(p, block_size=size) if p.prefix_caching else p for p in cluster.pools],
    )


@settings(max_examples=250, deadline=None)
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
        rng.integers(-1, 9, n), np.array([name for chain in chains for name in chain], np.int32),
        np.cumsum([0, *map(len, chains)]), size,
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
    cluster = in_blocks_of(cluster, block_size)
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


def crowd(n, *, seed, output=40):
    rng = np.random.default_rng(seed)
    return Workload(
        arrival_s=np.sort(rng.uniform(0, 2, n)),
        input_tokens=rng.integers(1, 200, n),
        output_tokens=rng.integers(1, output, n),
        predicted_tokens=np.full(n, -1),
        session=np.full(n, -1),
    )


def chained(n, size, *, seed):
    """Requests of four families, each with a random share of the blocks of its family."""
    rng = np.random.default_rng(seed)
    inputs, outputs = rng.integers(1, 120, n), rng.integers(1, 30, n)
    families = rng.integers(0, 4, n)
    chains = []
    for row in range(n):
        blocks = int(inputs[row] + outputs[row] - 1) // size
        shared = int(rng.integers(0, blocks + 1))
        chains.append([
            int(families[row]) * 20 + k if k < shared else 80 + row * 20 + k for k in range(blocks)
        ])  # fmt: skip
    return Workload(
        np.sort(rng.uniform(0, 6, n)), inputs, outputs, np.full(n, -1), np.full(n, -1),
        np.array([name for chain in chains for name in chain], np.int32),
        np.cumsum([0, *map(len, chains)]), size,
    )  # fmt: skip


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


def test_engines_agree_on_the_caches_of_many_instances():
    """More than the 64 whose bits lie in one word, and a pool in between that caches nothing."""
    workload = chained(600, 8, seed=0)
    model = LatencyModel.linear(constant_s=0.2, prefill_token_s=1e-3)
    caching = Pool(
        instances=40, latency=model, kv_blocks=24, block_size=8, prefix_caching=True, name="caching"
    )
    plain = replace(caching, instances=9, block_size=3, prefix_caching=False, name="plain")
    cluster = Cluster(pools=[caching, plain, replace(caching, name="more")])
    fast = replay_lane(workload, cluster, prefix_aware, 0)
    assert fast.cached_tokens[fast.instance >= 64].sum() > 2000
    assert fast.preemptions.sum() > 50
    assert_equal(fast, replay_by_steps(workload, cluster, prefix_aware, 0))


@pytest.mark.parametrize("kv_blocks", [16, 20, 40])
@pytest.mark.parametrize("reserve", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_engines_agree_under_heavy_preemption(kv_blocks, seed, reserve):
    cluster = Cluster.uniform(
        2, LatencyModel.linear(constant_s=0.01), kv_blocks=kv_blocks, max_num_seqs=32,
        max_num_batched_tokens=128, reserve_full_isl=reserve,
    )  # fmt: skip
    workload = crowd(120, seed=seed)
    fast = replay_lane(workload, cluster, SHELF["least_requests"], seed)
    assert fast.preemptions.sum() > 10
    assert_equal(fast, replay_by_steps(workload, cluster, SHELF["least_requests"], seed))


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
