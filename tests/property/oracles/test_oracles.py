"""Lookahead and rollout equal a plain twin that copies the readable engine for every choice."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from workloadlab.errors import UsageError
from workloadlab.latency import LatencyModel
from workloadlab.oracles.fork_kernel import copy_lane
from workloadlab.oracles.forked import forked_lane
from workloadlab.oracles.look_ahead import look_ahead
from workloadlab.routing import DEFER, SHELF, PrefixIndex, router
from workloadlab.simulation import Cluster, Pool
from workloadlab.simulation.engine import setup as layout
from workloadlab.simulation.engine.lane import STATUS_DECIDE, run_lane
from workloadlab.simulation.engine.lanes.rewards import (
    GO_ON,
    REWARD,
    TARGETS,
    advance_lanes,
)
from workloadlab.simulation.engine.record_types import PAGE_BITS, TICK_S
from workloadlab.simulation.reference.lane import Lane
from workloadlab.simulation.workload import Workload


@dataclass
class LookingAhead(Lane):
    ahead: int = 0
    may_wait: bool = False

    def choose(self, row, now):
        super().choose(row, now)  # the base decides too, so that its memory goes on
        live = [
            int(r) for r in np.flatnonzero(~np.isnan(self.outcome.arrival_s) & ~self.ended())
        ]  # fmt: skip
        coming = [r for _, r in sorted(self.expected)[: self.ahead]]
        costs = {i: self.cost(i, row, now, live + coming) for i in np.flatnonzero(self.views.fits)}
        best = min(costs)
        for i, (unserved, total_s) in costs.items():
            fewest, least_s = costs[best]
            if unserved < fewest or (unserved == fewest and total_s < least_s - TICK_S):
                best = i
        if self.may_wait and ((self.views.fits == 1) & (self.views.in_flight > 0)).any():
            waited = self.cost(DEFER, row, now, live + coming)
            fewest, least_s = costs[best]
            if waited and (
                waited[0] < fewest or (waited[0] == fewest and waited[1] < least_s - TICK_S)
            ):
                return DEFER
        return int(best)

    def ended(self):
        return ~np.isnan(self.outcome.end_s)

    def cost(self, chosen, row, now, concerned):
        facts = (self.workload, self.cluster, *self.cluster.pools, self.policy)
        fork = deepcopy(self, {id(fact): fact for fact in facts})
        fork.__class__ = Lane
        fork.expected = sorted(fork.expected)[: self.ahead]
        if chosen == DEFER:
            while len(fork.replica.held) > fork.cluster.most_held:
                fork.release_after(fork.replica.held.pop(), now)
            fork.turn += 1
        else:
            assert fork.replica.held.pop(0) == row
            fork.send(row, chosen, now)
        fork.offer_held(now)
        try:
            fork.run()
        except UsageError:  # nothing will ever happen again
            return None
        latency_s = (fork.outcome.end_s - fork.outcome.arrival_s)[concerned]
        return int(np.isnan(latency_s).sum()), float(np.nansum(latency_s))


def twin(workload, cluster, base, seed, ahead, may_wait=False):
    return LookingAhead(workload, cluster, base, seed, ahead=ahead, may_wait=may_wait).run()


@router(needs={"prefix"}, index=PrefixIndex(kind="tree", capacity_tokens=90, ttl_s=2.0))
def by_belief(request, instance):
    return request.input_tokens - instance.indexed_tokens + 10 * instance.in_flight


@router(needs={"prefix"})
def by_hits(request, instance):
    return request.input_tokens - instance.cached_tokens + 10 * instance.in_flight


@router(kind="choose")
def at_most_two(request, instances, params, memory):
    for i in range(len(instances)):
        if instances[i].in_flight < 2 and instances[i].fits == 1:
            return i
    return -1


BASES = [
    *(SHELF[name] for name in ("round_robin", "least_requests", "power_of_two", "llmd_default")),
    by_belief,
    by_hits,
    at_most_two,
]


@st.composite
def clusters(draw):
    pools = [
        Pool(
            name=name,
            instances=draw(st.integers(1, 2)),
            latency=LatencyModel.linear(
                constant_s=draw(st.sampled_from([0.013, 0.25])),
                prefill_token_s=draw(st.sampled_from([0.0, 1.37e-3])),
                decode_seq_s=1.7e-3,
                decode_context_s=3.1e-5,
            ),
            kv_blocks=draw(st.sampled_from([None, 12, 40])),
            block_size=2,
            max_num_seqs=draw(st.sampled_from([1, 2, 7])),
            max_num_batched_tokens=draw(st.sampled_from([7, 2048])),
            prefix_caching=draw(st.booleans()),
            max_in_flight=draw(st.sampled_from([None, None, 1])),
            step_noise=draw(st.sampled_from([0.0, 0.0, 0.2])),
            step_together=draw(st.sampled_from([False, False, True])),
        )
        for name in draw(st.sampled_from([("a",), ("a", "b")]))
    ]
    interval = draw(st.sampled_from([0.0, 0.0, 0.3]))
    return Cluster(
        pools=pools,
        signal_interval_s=interval,
        signal_delay_s=draw(st.sampled_from([0.0, 0.12])) if interval else 0.0,
        request_overhead_s=draw(st.sampled_from([0.0, 0.004])),
        decision_overhead_s=draw(st.sampled_from([0.0, 0.0, 0.003])),
        max_router_queue=draw(st.sampled_from([None, None, 1])),
    )


@st.composite
def workloads(draw):
    n = draw(st.integers(1, 12))
    gaps = draw(
        st.lists(st.sampled_from([0.0, 0.0, 0.017, 0.4, 3.0]), min_size=n, max_size=n)
    )  # fmt: skip
    inputs = np.array(draw(st.lists(st.integers(1, 30), min_size=n, max_size=n)))
    outputs = np.array(draw(st.lists(st.integers(1, 20), min_size=n, max_size=n)))
    family = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    chains = [[15 * f + k for k in range(int(b))] for f, b in zip(family, inputs // 2, strict=True)]
    return Workload(
        np.cumsum(gaps), inputs, outputs, np.full(n, -1), np.full(n, -1),
        np.array([name for chain in chains for name in chain], np.int32),
        np.cumsum([0, *map(len, chains)]), 2,
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    workload=workloads(),
    cluster=clusters(),
    base=st.sampled_from(BASES),
    seed=st.integers(0, 3),
    ahead=st.sampled_from([0, 1, 3, 50]),
    may_wait=st.booleans(),
)
def test_looking_ahead_equals_its_twin(workload, cluster, base, seed, ahead, may_wait):
    fast = look_ahead(workload, cluster, base, seed, ahead=ahead, may_wait=may_wait)
    slow = twin(workload, cluster, base, seed, ahead, may_wait)
    np.testing.assert_array_equal(fast.instance, slow.instance)
    for name in ("arrival_s", "dispatch_s", "first_token_s", "end_s"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), rtol=0, atol=1e-9)
    assert fast.steps == slow.steps


@njit(_nrt=False)
def stand(lanes, forks, state, forked, ahead):
    copy_lane(lanes[0], forks[0], state, forked, ahead)


def advance(made, choice):
    """Run a lane that made its choice to its next decision; say whether it stands at one."""
    status = np.zeros(1, np.int64)
    advance_lanes(
        made.lane, np.zeros(1, np.int64), np.array([choice]), status, np.zeros(1, REWARD),
        np.full(3, np.inf).view(TARGETS),
    )  # fmt: skip
    return status[0] == STATUS_DECIDE


def crowded(seed, requests=24, ids=40):
    """Prompts of three families on instances that must evict; each id on a page of its own."""
    rng = np.random.default_rng(seed)
    blocks, family = rng.integers(1, 13, requests), rng.integers(0, 3, requests)
    names = [ids * f + np.where(np.arange(b) < 4, 0, ids * 3) + np.arange(b)
             for f, b in zip(family, blocks, strict=True)]  # fmt: skip
    workload = Workload(
        np.cumsum(rng.exponential(0.3, requests)), 2 * blocks + rng.integers(0, 2, requests),
        rng.integers(1, 8, requests), np.full(requests, -1), np.full(requests, -1),
        np.concatenate(names).astype(np.int32) << PAGE_BITS, np.cumsum([0, *blocks]), 2,
    )  # fmt: skip
    model = LatencyModel.linear(constant_s=0.1, prefill_token_s=1e-2, decode_seq_s=1e-2)
    cluster = Cluster.uniform(3, model, kv_blocks=20, block_size=2, prefix_caching=True)
    return workload, cluster


@pytest.mark.parametrize(
    "base", [SHELF["least_requests"], by_belief, by_hits], ids=lambda b: b.name
)
@pytest.mark.parametrize("ahead", [0, 4])
def test_a_fork_goes_on_like_a_plain_copy(base, ahead, monkeypatch):
    monkeypatch.setattr(layout, "FEWEST_WITH_BITS", 1)
    workload, cluster = crowded(seed=ahead)
    two, choice = forked_lane(workload, cluster, base, 0), GO_ON
    lane, fork = two.lane, two.fork
    rng, evicted = np.random.default_rng(0), 0
    while advance(lane, choice):
        for tried in np.flatnonzero(lane.arrays["views"]["fits"]).tolist():
            stand(lane.lane, fork.lane, two.state, two.forked, ahead)
            plain = lane.copy()
            for s in lane.arrays["slots"][: lane.lane["used_slots"][0]]:
                held = slice(s["first_block"], s["first_block"] + s["cached_blocks"])
                assert (fork.arrays["uses"][held] == plain.arrays["uses"][held]).all()
            last = min(len(workload), int(lane.lane["arrived"][0]) + ahead)
            plain.lane["requests"] = plain.lane["start_count"] = last
            for copied in (fork, plain):
                advance(copied, tried)
                run_lane(copied.lane)
            for name in (
                "engines",
                "cache",
                "views",
                "index_parts",
                "index_prompts",
                "prefix_bits",
            ):
                assert fork.arrays[name].tolist() == plain.arrays[name].tolist(), name
            live = np.isnan(lane.arrays["results"]["end_s"][:last])
            ends = [copied.arrays["results"]["end_s"][:last][live] for copied in (fork, plain)]
            assert ends[0].tobytes() == ends[1].tobytes()
            was = lane.arrays["cache"]["users"] >= 0
            evicted += int((was & (plain.arrays["cache"]["users"] < 0)).sum())
        choice = int(rng.choice(np.flatnonzero(lane.arrays["views"]["fits"])))
    assert evicted > 0


def test_the_twin_decides_otherwise_than_its_base():
    """So that the property cannot hold by both doing nothing."""
    rng = np.random.default_rng(3)
    n = 14
    workload = Workload(
        np.cumsum(rng.exponential(0.05, n)), rng.integers(1, 300, n), rng.integers(1, 25, n),
        np.full(n, -1), np.full(n, -1),
    )  # fmt: skip
    model = LatencyModel.linear(constant_s=0.03, prefill_token_s=3e-4, decode_seq_s=1e-3)
    cluster = Cluster.uniform(3, model, max_num_seqs=2)
    base = SHELF["round_robin"]
    for ahead in (0, 8):
        slow = twin(workload, cluster, base, 0, ahead)
        fast = look_ahead(workload, cluster, base, 0, ahead=ahead)
        np.testing.assert_array_equal(fast.instance, slow.instance)
        assert (fast.instance != np.arange(n) % 3).any()
        plain = Lane(workload, replace(cluster), base, 0).run()
        assert np.sum(fast.end_s) < np.sum(plain.end_s)
    waited = twin(workload, cluster, base, 0, 8, may_wait=True)
    assert (waited.dispatch_s > waited.arrival_s).any()
