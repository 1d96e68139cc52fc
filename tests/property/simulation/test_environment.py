"""The environment, driven with a router's choices, is the replay with it, request by request."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clusters import clusters, in_blocks_of
from support.outcomes import assert_equal
from support.routers import at_most_two, by_belief, careless, every_signal, hits_first
from support.traces import requests_at_ns
from support.workloads import crowd, workloads

import workloadlab as wl
from workloadlab.errors import UsageError
from workloadlab.routing import SHELF, batch_router
from workloadlab.simulation.engine import setup as layout
from workloadlab.simulation.engine.lanes.side_by_side import replay_by_choices
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.windows import Window, cut, windows_of


class LeastRequests:
    def choose(self, batch):
        return batch.lowest(batch.instances["in_flight"])


class LeastRequestsOnly(LeastRequests):
    """It says what it reads, so engines may stay behind."""

    signals = ("in_flight",)


class EverySignal:
    """Twin of `every_signal` and a hold in the queue, on arrays."""

    def choose(self, batch):
        r, i = batch.requests, batch.instances
        score = (
            i["queued_tokens"] + 2 * i["running"] + 3 * i["waiting"] + 0.5 * i["context_tokens"]
            + 0.25 * i["output_tokens_left"] + 5 * i["kv_blocks_used"] + 7 * i["sent_since_report"]
            + 0.3 * i["sent_tokens_since_report"] - 0.01 * i["block_size"]
            + 0.1 * r["input_tokens"][:, None] * i["index"]
            + 20 * i["next_decode_s"] * i["relative_speed"]
            + (r["priority"] + 2 * r["slo_class"] + 3 * r["tenant"])[:, None] * i["pool"]
            + 0.2 * abs(i["model"] - r["model"][:, None]) * r["queue_length"][:, None]
        )  # fmt: skip
        return batch.lowest(score)


class AtMostTwo:
    uses = ()

    def choose(self, batch):
        free = batch.allowed & (batch.instances["in_flight"] < 2)
        return np.where(free.any(axis=1), free.argmax(axis=1), -1)


class Careless:
    def choose(self, batch):
        return batch.requests["row"] % batch.instances.shape[1]


class HitsFirst:
    def choose(self, batch):
        i = batch.instances
        return batch.lowest(
            batch.requests["input_tokens"][:, None] - i["cached_tokens"] + 10 * i["in_flight"]
        )


class ByBelief:
    """Twin of `by_belief`."""

    index = by_belief.index

    def choose(self, batch):
        r, i = batch.requests, batch.instances
        return batch.lowest(
            r["input_tokens"][:, None] - i["indexed_tokens"] + 0.1 * i["index_size_tokens"]
            + 10 * i["in_flight"]
        )  # fmt: skip


TWINS = {
    "least_requests": (SHELF["least_requests"], LeastRequests()),
    "least_requests_only": (SHELF["least_requests"], LeastRequestsOnly()),
    "every_signal": (every_signal, EverySignal()),
    "at_most_two": (at_most_two, AtMostTwo()),
    "careless": (careless, Careless()),
    "hits_first": (hits_first, HitsFirst()),
    "by_belief": (by_belief, ByBelief()),
}


@settings(max_examples=40, deadline=None)
@given(
    several=st.lists(workloads(), min_size=1, max_size=3),
    cluster=clusters(),
    twins=st.sampled_from(sorted(TWINS)),
    seed=st.integers(0, 9),
)
def test_choices_in_python_replay_as_the_compiled_router(several, cluster, twins, seed):
    compiled, chooser = TWINS[twins]
    size = several[0][0]
    runs = [(w, seed + k) for k, (other, w) in enumerate(several) if other == size]
    runs = [(replace(w, models=("a", "b")), s) for w, s in runs]
    cluster = replace(in_blocks_of(cluster, size), replicas=1)  # an object has one memory for all
    together = replay_by_choices(runs, cluster, batch_router(chooser), threads=2)
    for (workload, own_seed), outcome in zip(runs, together, strict=True):
        alone = replay_lane(workload, cluster, compiled, own_seed)
        assert_equal(outcome, alone, remembered=False)


@settings(max_examples=40, deadline=None)
@given(made=workloads(), cluster=clusters(), data=st.data())
def test_a_window_is_a_workload_of_its_own(made, cluster, data):
    """Dense block ids, fewer requests: the same prefixes and the same times, by its own clock."""
    size, whole = made
    first = data.draw(st.integers(0, len(whole) - 1))
    last = data.draw(st.integers(first + 1, len(whole)))
    start_s = float(whole.arrival_s[first])
    part = cut(whole, Window(first, last, start_s))
    assert len(part) == last - first
    ids = part.block_ids
    assert set(ids.tolist()) == set(range(len(set(ids.tolist()))))
    if first == 0 and last == len(whole):
        cluster, policy = in_blocks_of(cluster, size), SHELF["least_requests"]
        moved = replace(whole, arrival_s=whole.arrival_s - start_s)
        assert_equal(replay_lane(part, cluster, policy, 0), replay_lane(moved, cluster, policy, 0))
    named = {}
    for row in range(len(part)):
        chain = ids[part.first_block[row] : part.first_block[row + 1]]
        told = whole.block_ids[whole.first_block[first + row] : whole.first_block[first + row + 1]]
        assert len(chain) == len(told)
        assert all(named.setdefault(a, b) == b for a, b in zip(told.tolist(), chain, strict=True))
        assert len(set(named.values())) == len(named)
        after, before = part.next_turn[row], whole.next_turn[first + row]
        assert after == (before - first if first <= before < last else -1)


def trace(n=90, *, seed=0, prefixes=False):
    rng = np.random.default_rng(seed)
    arrival_ns = np.sort(rng.integers(0, 4 * 10**9, n))
    columns = {
        "input_tokens": rng.integers(20, 200, n),
        "output_tokens": rng.integers(1, 40, n),
    }
    if prefixes:
        shared = rng.integers(0, 5, n)
        columns["block_ids"] = [
            [
                int(shared[k]) * 1000 + b if b < 4 else 10**6 + k * 100 + b
                for b in range(length // 10)
            ]
            for k, length in enumerate(columns["input_tokens"])
        ]
        columns["block_size"] = 10
    return requests_at_ns(arrival_ns, **columns)


def cluster(instances=3, **options):
    model = wl.LatencyModel.linear(
        constant_s=0.01, prefill_token_s=1e-4, decode_seq_s=1e-4, decode_context_s=1e-6
    )
    return wl.Cluster.uniform(instances, model, **options)


@pytest.mark.parametrize(
    ("caching", "index"),
    [(False, None), (True, None), (True, ByBelief.index)],
    ids=["no-cache", "told", "guessed"],
)
def test_played_windows_are_replays_of_the_windows(caching, index):
    compiled, chooser = TWINS["hits_first" if index is None else "by_belief"]
    options = {"prefix_caching": True, "block_size": 10, "kv_blocks": 60} if caching else {}
    environment = wl.Environment(
        trace(prefixes=caching), cluster(**options), lanes=7, windows=20, rate_scale=[1.0, 2.5],
        seed=3, index=index,
    )  # fmt: skip
    played = environment.play(chooser, windows=3)
    assert [(p.lane, p.episode.number) for p in played] == [
        (lane, number) for lane in range(7) for number in range(3)
    ]
    assert len({(p.episode.window, p.episode.rate_scale) for p in played}) > 4
    for each in played:
        workload = environment.workload_of(each.episode)
        alone = replay_lane(workload, environment.cluster, compiled, each.episode.seed)
        assert_equal(each.outcome, alone)
        served = alone.instance >= 0
        ttft, e2e = alone.first_token_s - alone.arrival_s, alone.end_s - alone.arrival_s
        assert each.rewards["ended"] == served.sum() == 20
        assert each.rewards["ttft_s"] == pytest.approx(ttft[served].sum())
        assert each.rewards["e2e_s"] == pytest.approx(e2e[served].sum())


def steps_of(environment, count, policy):
    """Drive and write down all that a step returns."""
    told = []
    for _ in range(count):
        choices = policy(environment.batch)
        batch, rewards, done = environment.step(choices)
        told.append((batch.instances.copy(), batch.requests.copy(), rewards, done))
    return told


def assert_told_alike(one, other, lanes=slice(None), as_lanes=slice(None)):
    for left, right in zip(one, other, strict=True):
        for a, b in zip(left, right, strict=True):
            np.testing.assert_array_equal(a[lanes], b[as_lanes])


def test_threads_and_resets_change_nothing():
    def policy(batch):
        return (batch.requests["draw"] * 3).astype(int)

    told = []
    for threads in (1, 2):
        environment = wl.Environment(
            trace(prefixes=True), cluster(prefix_caching=True, block_size=10), lanes=100, windows=15,
            threads=threads, ttft_s=0.05, seed=1,
        )  # fmt: skip
        told.append(steps_of(environment, 60, policy))
        environment.reset()
        told.append(steps_of(environment, 60, policy))
    assert sum(step[3].sum() for step in told[0]) >= 100 * 3
    assert {int(step[2]["misses"].max()) for step in told[0]} != {0}
    for other in told[1:]:
        assert_told_alike(told[0], other)


@pytest.mark.parametrize("ends", ["eos", "max_tokens"])
def test_what_is_not_shown_changes_nothing(ends):
    def policy(batch):
        return (batch.requests["draw"] * 3).astype(int)

    told = []
    for signals in (None, ("in_flight", "waiting")):
        environment = wl.Environment(
            trace(prefixes=True), cluster(prefix_caching=True, block_size=10, ends=ends), lanes=20,
            windows=15, ttft_s=0.05, seed=1, signals=signals,
        )  # fmt: skip
        told.append(steps_of(environment, 60, policy))
    for everything, some in zip(*told, strict=True):
        assert some[0].dtype.names == ("in_flight", "waiting", "fits")
        for name in some[0].dtype.names:
            np.testing.assert_array_equal(everything[0][name], some[0][name])
        for name in everything[2].dtype.names:
            np.testing.assert_allclose(everything[2][name], some[2][name], rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(everything[3], some[3])


@patch.object(layout, "FEWEST_WITH_BITS", 1)
@settings(max_examples=25, deadline=None)
@given(
    before=st.integers(0, 60),
    after=st.integers(1, 50),
    caching=st.booleans(),
    lane=st.integers(0, 2),
)
def test_a_restored_lane_goes_on_as_if_nothing_had_happened(before, after, caching, lane):
    options = {"prefix_caching": True, "block_size": 10, "kv_blocks": 50} if caching else {}
    environment = wl.Environment(
        trace(prefixes=caching), cluster(**options), lanes=3, windows=[(0, 1), (1, 2.5), (0, 4)],
        threads=1, sessions="open",
    )  # fmt: skip

    def random(batch):
        return (batch.requests["draw"] * 3).astype(int)

    steps_of(environment, before, random)
    saved = environment.fork(lane)
    straight = steps_of(environment, after, random)
    steps_of(environment, after, lambda batch: np.zeros(3, int))
    other = (lane + 1) % 3
    environment.restore(lane, saved)
    environment.restore(other, saved)
    again = steps_of(environment, after, random)
    assert_told_alike(straight, again, lane, lane)
    assert_told_alike(straight, again, lane, other)


def test_rows_grow_with_the_load_and_forks_outlive_it():
    burst = requests_at_ns(range(300), input_tokens=50, output_tokens=5)
    environment = wl.Environment(burst, cluster(2), lanes=2)
    saved = environment.fork(0)
    played = environment.play(LeastRequests())
    alone = replay_lane(
        environment.workload_of(played[0].episode), environment.cluster, SHELF["least_requests"],
        played[0].episode.seed,
    )  # fmt: skip
    assert_equal(played[0].outcome, alone)
    environment.restore(1, saved)
    for _ in range(300):
        _, _, done = environment.step(LeastRequests().choose(environment.batch))
    assert done[1]


def test_windows_are_what_was_asked_for():
    _, whole = 0, crowd(50, seed=0)
    assert [(w.first, w.last) for w in windows_of(whole, 20)] == [(0, 20), (20, 40)]
    assert windows_of(whole, None) == (Window(0, 50, float(whole.arrival_s[0])),)
    (window,) = windows_of(whole, [(0.5, 1.5)])
    inside = (whole.arrival_s >= 0.5) & (whole.arrival_s < 1.5)
    assert np.flatnonzero(inside).tolist() == list(range(window.first, window.last))
    assert cut(whole, window).arrival_s[0] == pytest.approx(whole.arrival_s[window.first] - 0.5)
    for bad in (0, 51, [], [(7.0, 9.0)]):
        with pytest.raises(UsageError):
            windows_of(whole, bad)
