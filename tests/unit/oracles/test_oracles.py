"""Oracles: scenes where the right choice is plain, and bounds that must hold."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from support.clusters import SYNCHRONOUS
from support.traces import requests_at

import workloadlab as wl
from workloadlab.errors import MachineError
from workloadlab.oracles import ORACLES, all_assignments, headroom
from workloadlab.oracles.exhaustive import MOST_ASSIGNMENTS
from workloadlab.oracles.forked import forked_bytes, forked_lane
from workloadlab.oracles.look_ahead import follow
from workloadlab.routing import SHELF
from workloadlab.simulation.engine.arrays import ARRAYS
from workloadlab.simulation.workload import workload_of

TICKS = wl.LatencyModel.linear(constant_s=0.1)
"""A token of each running request every 0.1 s."""


def log(*requests):
    """Make a trace of (arrival in s, prompt, output)."""
    arrival_s, prompts, outputs = zip(*requests, strict=True)
    return requests_at(arrival_s, input_tokens=prompts, output_tokens=outputs)


def random_log(seed, requests=60, gap_s=0.25):
    rng = np.random.default_rng(seed)
    return log(
        *zip(
            np.cumsum(rng.exponential(gap_s, requests)),
            rng.integers(1, 400, requests),
            np.ceil(rng.lognormal(2.5, 1, requests)).astype(int),
            strict=True,
        )
    )


def cluster(instances=2, latency=TICKS, **options):
    return wl.Cluster.uniform(instances, latency, step_overhead_s=0.0, **SYNCHRONOUS | options)


BUSY = cluster(
    3, wl.LatencyModel.linear(constant_s=0.03, prefill_token_s=3e-4, decode_seq_s=2e-3),
    max_num_seqs=4,
)  # fmt: skip


def placed(runs, name="lookahead"):
    names = runs.outcomes(router=name).read("instance_id")["instance_id"]
    return [int(instance.split("/")[1]) for instance in names]


def total_s(runs, name):
    return runs.outcomes(router=name).read("e2e_ns")["e2e_ns"].sum() / 1e9


def choices(trace, where, *oracles):
    return wl.replay_oracles(trace, where, oracles or ["lookahead"])


# Scenes


def test_lookahead_avoids_the_long_request_that_a_count_cannot_see():
    trace = log((0, 1, 50), (0, 1, 2), (0.25, 1, 5))
    runs = choices(trace, cluster(max_num_seqs=1))
    assert placed(runs) == [0, 1, 1]
    assert placed(wl.replay(trace, cluster(max_num_seqs=1)), "round_robin") == [0, 1, 0]


def test_lookahead_counts_what_a_prompt_inflicts_on_others():
    """A long prompt stalls eight decodes here, or waits for one prompt there."""
    slow = wl.LatencyModel.linear(constant_s=0.01, prefill_token_s=0.01)
    eight = [(0, 1, 60)] * 8
    trace = log(*eight, (0.2, 100, 1))
    fleet = cluster(2, slow)
    where = placed(choices(trace, fleet))
    crowd = where[:8].count(where[8])
    assert crowd == min(where[:8].count(0), where[:8].count(1))


def test_ties_go_to_the_lowest_index():
    trace = log((0, 5, 5), (9, 5, 5), (18, 5, 5))
    runs = choices(trace, cluster(3), "lookahead", "rollout", "exhaustive")
    for name in ("lookahead", "rollout", "exhaustive"):
        assert placed(runs, name) == [0, 0, 0]


def test_lookahead_prefers_the_faster_pool():
    pools = [
        wl.Pool(instances=1, latency=wl.LatencyModel.linear(constant_s=pace), name=name)
        for name, pace in (("slow", 0.2), ("fast", 0.1))
    ]
    trace = log((0, 1, 10), (0.05, 1, 10), (0.1, 1, 10))
    names = choices(trace, wl.Cluster(pools=pools)).traces[0].read("instance_id")["instance_id"]
    assert names.to_list() == ["fast/0"] * 3


def test_lookahead_serves_what_another_choice_would_leave_unserved():
    """With no queue at the router, whoever takes the only large instance turns the next one away."""
    pools = [
        wl.Pool(
            instances=1, latency=TICKS, kv_blocks=size, block_size=1, max_in_flight=1, name=name
        )
        for name, size in (("large", 100), ("small", 10))
    ]
    fleet = wl.Cluster(pools=pools, max_router_queue=0)
    trace = log((0, 5, 5), (0, 50, 5))
    runs = wl.replay(trace, fleet, routers=["least_requests"]) + choices(trace, fleet)
    assert [run.served for run in wl.score(runs).runs] == [1, 2]


def test_only_rollout_keeps_a_place_for_what_comes():
    """One at a time: a long request blocks the short ones behind it, wherever it goes.

    Lookahead puts a third long request behind a shorter one, so that the shorts to come wait for it;
    rollout sees them coming and stacks the long ones on one instance.
    """
    shorts = [(0.3 + 0.1 * k, 1, 1) for k in range(12)]
    trace = log((0, 1, 40), (0, 1, 30), *shorts)
    fleet = cluster(max_num_seqs=1)
    runs = choices(trace, fleet, "lookahead", "rollout")
    assert placed(runs)[:2] == [0, 1]
    assert placed(runs, "rollout")[:2] == [0, 0]
    assert set(placed(runs, "rollout")[2:]) == {1}
    assert total_s(runs, "rollout") < 0.6 * total_s(runs, "lookahead")


def test_one_instance_leaves_no_choice():
    trace = random_log(0)
    alone = cluster(1, max_num_seqs=4)
    names = [name for name in ORACLES if name != "exhaustive"]
    runs = wl.replay(trace, alone, routers=["random"]) + choices(trace, alone, *names)
    columns = ("ttft_ns", "e2e_ns", "instance_id", "dispatch_ns")
    first = runs.traces[0].read(*columns)
    assert len(runs) == len(names) + 1
    for outcome in runs.traces[1:]:
        assert outcome.read(*columns).equals(first)


# Bounds


@pytest.mark.parametrize("seed", range(6))
def test_nothing_beats_exhaustive_on_toys(seed):
    trace = random_log(seed, requests=7, gap_s=0.1)
    toy = cluster(3, BUSY.pools[0].latency, max_num_seqs=2)
    names = [name for name in ORACLES if name != "hindsight"]
    routers = ["round_robin", "least_requests", "least_tokens", "clairvoyant_least_work"]
    search = wl.oracle("hindsight", trials=500)
    runs = wl.replay(trace, toy, routers=routers) + choices(trace, toy, *names, search)
    best_s = total_s(runs, "exhaustive")
    assert best_s == pytest.approx(all_assignments(trace, toy).best_s, abs=1e-7)
    for name in (*routers, *names):
        assert total_s(runs, name) >= best_s - 1e-7, name
    assert best_s - 1e-7 <= total_s(runs, "hindsight") < 1.01 * best_s


@wl.router(kind="choose", params=[0] * 6)
def assigned(request, instances, params):
    return int(params[request.row])


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_exhaustive_covers_every_assignment(noise):
    """Enumerated with and without renaming: same best, worst and mean."""
    trace = random_log(1, requests=5, gap_s=0.1)
    pool = wl.Pool(instances=2, latency=BUSY.pools[0].latency, max_num_seqs=2, step_noise=noise)
    other = wl.Pool(instances=1, latency=TICKS, name="other")
    fleet = wl.Cluster(pools=[pool, other])
    every = all_assignments(trace, fleet)
    plans = list(product(range(3), repeat=5))
    runs = wl.replay(trace, fleet, routers=[assigned.with_params(*plan) for plan in plans])
    totals = [trace.read("e2e_ns")["e2e_ns"].sum() / 1e9 for trace in runs.traces]
    assert every.count.sum() == 3**5
    assert len(every.count) == 3**5 if noise else len(every.count) < 3**5
    assert every.best_s == pytest.approx(min(totals), abs=1e-7)
    assert every.worst_s == pytest.approx(max(totals), abs=1e-7)
    assert every.mean_s == pytest.approx(np.mean(totals), abs=1e-7)


def test_exhaustive_leaves_out_what_no_instance_could_carry_out():
    pools = [
        wl.Pool(instances=1, latency=TICKS, kv_blocks=size, block_size=1, name=name)
        for name, size in (("large", 100), ("small", 10))
    ]
    every = all_assignments(log((0, 5, 5), (0, 50, 5)), wl.Cluster(pools=pools))
    assert every.instance.tolist() == [[0, 0], [1, 0]]
    with pytest.raises(wl.WorkloadlabError, match="no assignment serves every request"):
        all_assignments(log((0, 500, 5), (1, 5, 5)), wl.Cluster(pools=pools))
    with pytest.raises(wl.WorkloadlabError, match=f"more than {MOST_ASSIGNMENTS:,} assignments"):
        all_assignments(random_log(0, requests=40), cluster(2))


@pytest.mark.parametrize("base", ["round_robin", "least_requests", "random"])
def test_looking_ahead_does_not_lose_to_its_base(base):
    """Paired over workloads: better in the mean, by more than chance explains."""
    names = {"lookahead": wl.oracle("lookahead", base=base)}
    names |= {f"rollout {k}": wl.oracle("rollout", base=base, ahead=k) for k in (8, 32, 128)}
    differences = {name: [] for name in names}
    for seed in range(12):
        trace = random_log(seed, requests=150, gap_s=0.08)
        runs = wl.replay(trace, BUSY, routers=[base])
        runs += wl.replay_oracles(trace, BUSY, names.values())
        for name, oracle in names.items():
            differences[name].append(total_s(runs, oracle.name) / total_s(runs, base) - 1)
    for name, values in differences.items():
        mean, error = np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))
        print(f"{name} against {base}: {mean:+.1%} +- {error:.1%}, worst {max(values):+.1%}")
        assert mean + 2 * error < 0, name


@pytest.mark.parametrize("ahead", [1, 20, 1000])
def test_hindsight_is_never_worse_than_its_start(ahead):
    for seed in range(4):
        trace = random_log(seed, requests=120, gap_s=0.1)
        found = headroom(trace, BUSY, trials=1000, ahead=ahead, seed=seed)
        runs = wl.replay(trace, BUSY, routers=["least_requests", found.start])
        start_s = min(total_s(runs, info.router) for info, _ in runs) / 120
        assert found.best_s <= found.start_s <= start_s + 1e-9
        assert found.trials <= 1000
        again = headroom(trace, BUSY, trials=1000, ahead=ahead, seed=seed)
        assert (found.instance == again.instance).all()
        assert found.best_s == again.best_s
        followed = follow(workload_of(trace), BUSY, found.instance, seed)
        assert found.best_s == np.mean(followed.end_s - followed.arrival_s)
        rollout_s = total_s(choices(trace, BUSY, "rollout"), "rollout") / 120
        assert found.best_s < rollout_s
        print(
            f"{found.share:.1%} below {found.start}, {1 - found.best_s / rollout_s:.1%} below rollout"
        )


def test_hindsight_moves_nothing_where_nothing_can_be_gained():
    trace = log((0, 1, 20), (0, 1, 20))
    found = headroom(trace, cluster(max_num_seqs=1), trials=1000)
    assert (found.instance.tolist(), found.moved, found.share) == ([0, 1], 0, 0.0)
    assert found.trials == 2 * 101


# The scoreboard, and what is refused


def test_bounds_and_routers_share_a_scoreboard(tmp_path):
    trace = random_log(2)
    runs = wl.replay(trace, BUSY, rate_scale=[1, 2], seeds=2, record=["decisions"])
    both = runs + wl.replay_oracles(trace, BUSY, ["lookahead"], rate_scale=[1, 2], seeds=2)
    board = wl.score(both)
    assert len(board.runs) == 12
    against = [p for p in board.pairs if "lookahead" in (p.router, p.other)]
    assert {p.metric for p in against} == {"ttft_s", "tpot_s", "e2e_s"}
    assert [len(records) for records in both.records] == [1] * 8 + [0] * 4
    opened = wl.Runs.open(both.save(tmp_path / "runs"))
    assert [info.run_id for info, _ in opened] == [info.run_id for info, _ in both]
    for other in (
        wl.replay_oracles(trace, BUSY, ["lookahead"]),
        wl.replay_oracles(trace, cluster(), ["lookahead"], rate_scale=[1, 2], seeds=2),
        wl.replay_oracles(random_log(2, 59), BUSY, ["lookahead"], rate_scale=[1, 2], seeds=2),
    ):
        with pytest.raises(wl.WorkloadlabError, match="cannot be compared"):
            runs + other
    with pytest.raises(wl.WorkloadlabError, match="is in both runs"):
        runs + runs


def test_threads_change_nothing():
    trace = random_log(3)
    names = ["lookahead", "rollout_8", "hindsight"]
    one, two = (
        wl.replay_oracles(trace, BUSY, names, seeds=2, threads=threads) for threads in (1, 2)
    )
    for (_, left), (_, right) in zip(one, two, strict=True):
        assert left.frame.collect().equals(right.frame.collect())


@wl.router(kind="choose")
def undecided(request, instances, params, memory):
    return -1


@wl.router
def divides(request, instance):
    return 1 / instance.in_flight


@wl.router(kind="choose")
def astray(request, instances, params, memory):
    return 7


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: wl.oracle("lookahaed"), "did you mean lookahead"),
        (lambda: wl.oracle("lookahead", ahead=3), "unexpected keyword argument 'ahead'"),
        (lambda: wl.oracle("lookahead", base="nobody"), "no router is called 'nobody'"),
        (lambda: wl.oracle("rollout", ahead=0), "rollout over 0 arrivals"),
        (lambda: wl.oracle("hindsight", starts=[]), "hindsight from 0 routers"),
        (lambda: choices(random_log(0), BUSY, "lookahead", "lookahead"), "share a name"),
        (lambda: choices(random_log(0), BUSY, wl.oracle("lookahead", base="dynamo_kv")),
         "'dynamo_kv' needs prefix"),
        (lambda: choices(log((0, 1, 9), (0, 1, 9)), BUSY, wl.oracle("lookahead", base=undecided)),
         "'undecided' defers request 1"),
        (lambda: choices(log((0, 1, 9), (0, 1, 9)), BUSY, wl.oracle("lookahead", base=divides)),
         "'divides' raised ZeroDivisionError"),
        (lambda: choices(log((0, 1, 9), (0, 1, 9)), BUSY, wl.oracle("lookahead", base=astray)),
         "chose instance 7 for request 1"),
    ],
)  # fmt: skip
def test_mistakes_are_named(ask, said):
    with pytest.raises(wl.WorkloadlabError, match=said):
        ask()


def test_the_shelf_documents_itself():
    for name, make in ORACLES.items():
        oracle = make()
        assert (oracle.name, oracle.family, oracle.needs) == (name, "oracles", {"oracle"})
        assert oracle.formula
        assert oracle.source
    assert not set(ORACLES) & set(SHELF)


@pytest.mark.parametrize("name", ["rollout_8", "lookahead", "hindsight"])
def test_memory_is_estimated_before_anything_is_tried(name):
    trace = random_log(0, requests=20)
    with pytest.raises(
        MachineError, match=r"replay of 2 runs of 20 requests needs about [\d.]+ kB"
    ):
        wl.replay_oracles(trace, cluster(), name, seeds=2, memory_limit=1)
    assert len(wl.replay_oracles(trace, cluster(), name, memory_limit=10**8)) == 1


def test_the_estimate_counts_two_lanes_with_room_for_every_request():
    workload, policy = workload_of(random_log(0, requests=9000)), SHELF["least_requests"]
    two = forked_lane(workload, cluster(), policy, 0)
    taken = sum(two.lane.arrays[name].nbytes for name, row in ARRAYS.items() if row.written)
    assert forked_bytes(workload, cluster(), policy) == pytest.approx(2 * taken, rel=0.05)
