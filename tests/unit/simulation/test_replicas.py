"""Several replicas of the router: each has a queue, a memory, an index and counters of its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from support.traces import prompts_of

import workloadlab as wl
from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.oracles import replay_oracles
from workloadlab.routing import SHELF

RANKS = 8


def cluster(**options):
    model = wl.LatencyModel.linear(constant_s=0.01, prefill_token_s=1e-4, decode_seq_s=1e-4)
    return wl.Cluster.uniform(RANKS, model, **options)


def burst(n=512, every_s=1e-3):
    return wl.Trace.of([(every_s * k, 200, 50) for k in range(n)])


def counts(trace, among, policy):
    """Return how many requests each instance got, all of which ended."""
    outcome = wl.replay(trace, among, routers=[policy]).outcomes().read("instance_id", "e2e_ns")
    assert outcome["e2e_ns"].null_count() == 0
    found = Counter(outcome["instance_id"].to_list())
    return [found[name] for name in among.instance_names]


@wl.router(kind="choose", name="first")
def to_its_first(request, instances, params, memory):
    """Send to the instance after the last one that this memory knows of."""
    memory[0] += 1
    return (int(memory[0]) - 1) % len(instances)


def test_each_replica_takes_the_instances_in_turn_by_its_own_memory():
    alone = counts(burst(), cluster(), to_its_first)
    assert alone == [64] * RANKS
    four = counts(burst(), cluster(replicas=4), to_its_first)
    assert sum(four) == 512
    # each of four begins at the first instance and is at most one turn ahead on any
    assert max(four) - min(four) <= 4
    # eight requests come to 4, 2, 1 and 1 of them, and a replica's n-th goes to instance n
    few = counts(burst(8), cluster(replicas=4), to_its_first)
    assert few == sorted(few, reverse=True)
    assert 1 < few[0] <= 4


def test_requests_come_to_every_replica_equally_often():
    @wl.router(kind="choose", name="counting")
    def counting(request, instances, params, memory):
        """Send the first request that a memory sees to instance 1, all others to instance 0."""
        memory[0] += 1
        return 1 if memory[0] == 1 else 0

    assert counts(burst(200), cluster(replicas=5), counting)[1] == 5


def test_a_replica_counts_only_what_it_sent():
    """Least requests is even while one router counts; four that each see a quarter are less so."""
    spread = {n: np.std(counts(burst(), cluster(replicas=n), "least_requests")) for n in (1, 4, 16)}
    assert spread[1] < 1
    assert spread[1] < spread[4] < spread[16]


def test_a_replica_knows_only_the_prompts_that_it_sent():
    @wl.router(needs={"prefix"}, index=wl.PrefixIndex(), name="follows")
    def follows(request, instance):
        return (request.row * 3 + instance.index) % RANKS - instance.indexed_tokens

    prompts = prompts_of(*[[1, 2, 3, 4]] * 64)
    among = {n: cluster(replicas=n, prefix_caching=True, block_size=16) for n in (1, 4)}
    assert sorted(counts(prompts, among[1], follows)) == [0] * 7 + [64]
    homes = sum(count > 0 for count in counts(prompts, among[4], follows))
    assert 2 <= homes <= 4


def test_each_replica_holds_its_own_queue():
    @wl.router(kind="choose", name="holding")
    def holding(request, instances, params, memory):
        """Hold all but one request at a time for this replica."""
        flying = 0
        for i in range(len(instances)):
            flying += instances[i].in_flight
        return -1 if flying > 0 else 0

    runs = {
        n: wl.replay(burst(60), cluster(replicas=n, max_router_queue=None), routers=[holding])
        for n in (1, 3)
    }
    ends = {n: r.outcomes().read("arrival_ns", "e2e_ns") for n, r in runs.items()}
    span = {n: (f["arrival_ns"] + f["e2e_ns"]).max() for n, f in ends.items()}
    assert 2.2 < span[1] / span[3] < 3.2  # three requests at a time instead of one
    short = wl.replay(burst(60), cluster(replicas=3, max_router_queue=5), routers=[holding])
    assert short.outcomes().read("e2e_ns")["e2e_ns"].is_not_null().sum() == 3 * 6


@wl.router(kind="choose", name="asks")
def asks(request, instances):
    """Send to instance 1 while something is known to be on its way, else to instance 0."""
    sent = 0
    for i in range(len(instances)):
        sent += instances[i].sent_since_report
    return 1 if sent > 0 else 0


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_report_overwrites_what_was_sent_while_it_travelled(replicas):
    """Reports of 0, 0.1, ... are seen at 0.05, 0.15, ...; of 150 requests some were sent in between."""
    late = cluster(signal_interval_s=0.1, signal_delay_s=0.05, replicas=replicas)
    trace = wl.Trace.of([(5e-4 + 1e-3 * k, 20, 5) for k in range(500)])
    assert counts(trace, late, asks)[0] == replicas  # once, before anything was sent
    assert (
        counts(trace, late, replace(asks, overwrites=True))[0] == 6 * replicas
    )  # and five reports
    at_once = cluster(signal_interval_s=0.1, replicas=replicas)
    for policy in (asks, replace(asks, overwrites=True)):
        assert counts(trace, at_once, policy)[0] == 5 * replicas


def test_those_that_count_until_a_report_are_known():
    own = {name for name, policy in SHELF.items() if policy.overwrites}
    assert own == {"vllm_dp_v1", "vllm_dp_v2", "smg_least_load"}


@pytest.mark.parametrize("replicas", [0, -1, 1.5, True, "4", 1001])
def test_a_number_of_replicas_that_is_none_is_refused(replicas):
    with pytest.raises(UsageError, match="replicas"):
        cluster(replicas=replicas)


def test_each_replica_decides_on_one_request_after_the_other():
    """Sixty at once, 10 ms each: four replicas take what comes to the fullest, not what comes to all."""
    at_once = wl.Trace.of([(0.0, 20, 5)] * 60)

    def queues(replicas):
        among = cluster(replicas=replicas, decision_overhead_s=0.01)
        frame = (
            wl.replay(at_once, among, routers=["round_robin"])
            .outcomes()
            .read("queue_ns", "dispatch_ns")
        )
        return sorted(frame["dispatch_ns"].to_numpy() / 1e9)

    assert queues(1) == pytest.approx(0.01 * np.arange(1, 61))
    moments, often = np.unique(np.round(queues(4), 6), return_counts=True)
    assert moments == pytest.approx(0.01 * np.arange(1, len(moments) + 1))
    assert often[0] == 4
    assert (np.diff(often) <= 0).all()
    assert 15 <= len(moments) <= 30


@pytest.mark.parametrize("name", ["lookahead", "rollout", "hindsight"])
def test_an_oracle_refuses_replicas_that_take_their_time(name):
    among = cluster(replicas=2, decision_overhead_s=0.01)
    with pytest.raises(UnsupportedError, match="with replicas = 2"):
        replay_oracles(burst(8), among, [name])


def test_a_cluster_file_says_how_many(tmp_path):
    path = tmp_path / "cluster.toml"
    pool = '[[pool]]\nlatency = "rtxpro6000-llama-3.1-8b"\n'
    path.write_text(f"replicas = 4\n{pool}")
    assert wl.Cluster.load(path).replicas == 4
    assert wl.Cluster.load(path).to_dict()["replicas"] == 4
    path.write_text(f"replicas = 0\n{pool}")
    with pytest.raises(DataError, match="replicas"):
        wl.Cluster.load(path)
