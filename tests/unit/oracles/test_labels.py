"""Oracle labels: what a router saw, what it chose, and what each choice would have cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.clusters import uniform_cluster
from support.learning import mixed_trace, two_speeds
from support.workloads import chained

import workloadlab as wl
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.oracles.labels import CostWeights, labels_of
from workloadlab.oracles.look_ahead import follow
from workloadlab.routing import PrefixIndex, resolve, router
from workloadlab.routing.signals import REPORTED_FIELDS
from workloadlab.simulation.workload import workload_of

TRACE = mixed_trace(60)
WORKLOAD = workload_of(TRACE)


def test_following_a_router_changes_nothing():
    labels = wl.oracle_labels(TRACE, two_speeds(), "llmd_latency", share=1.0, ahead=8)
    runs = wl.replay(TRACE, two_speeds(), routers=["llmd_latency"])
    names = runs.outcomes().read("instance_id")["instance_id"].to_list()
    placed = [two_speeds().instance_names.index(name) for name in names]
    assert labels.requests["row"].tolist() == list(range(60))
    assert labels.chosen.tolist() == placed
    assert (labels.regret >= 0).all()
    assert labels.regret.max() > 0


@pytest.mark.parametrize(
    ("weights", "cost"),
    [
        (CostWeights(), lambda out, met: out.end_s - out.arrival_s),
        (
            CostWeights(e2e=0.0, ttft=2.0),
            lambda out, met: 2.0 * (out.first_token_s - out.arrival_s),
        ),
        (CostWeights(e2e=0.0, miss=3.0, ttft_s=0.05), lambda out, met: 3.0 * ~met),
    ],
    ids=["latency", "first token", "misses"],
)
def test_a_cost_is_that_of_the_plan_with_the_choice_in_it(weights, cost):
    """With the whole trace ahead, a trial is a replay of the plan, so differences of costs agree."""
    plan = np.arange(60) % 4
    cluster, policy = two_speeds(), resolve("hra")
    row = 7
    followed = labels_of(
        WORKLOAD, cluster, policy, plan.astype(float), ahead=60, share=1.0, weights=weights
    )
    before = followed.chosen[:row]
    totals = []
    for choice in range(4):
        there = np.concatenate([before, [choice], plan[row + 1 :]])
        out = follow(WORKLOAD, cluster, there, 0)
        totals.append(cost(out, out.first_token_s - out.arrival_s <= 0.05).sum())
    costs = followed.costs[row][:4]
    np.testing.assert_allclose(costs - costs[0], np.array(totals) - totals[0], atol=1e-6)


def test_waiting_costs_nothing_where_it_changes_nothing_and_never_less_than_it_must():
    labels = wl.oracle_labels(TRACE, two_speeds(), "hold_until_fit", share=0.5, ahead=4, seed=2)
    assert 10 < len(labels) < 50
    waits = labels.costs[:, -1]
    idle = labels.instances["in_flight"].sum(axis=1) == 0
    assert np.isnan(waits[idle]).all()
    assert np.isfinite(waits[~idle]).all()


@router(kind="choose")
def fewest(request, instances):
    """Read nothing that an engine reports."""
    best = -1
    for i in range(len(instances)):
        better = best < 0 or instances[i].in_flight < instances[best].in_flight
        if instances[i].fits == 1 and better:
            best = i
    return best


def _reported(instance):
    return (
        instance.context_tokens
        + instance.output_tokens_left
        + 100 * instance.next_decode_s
        + instance.ended_output_tokens
        + instance.running
    )


@router(kind="choose")
def fewest_that_sees(request, instances):
    """Choose alike, but read what the engines report."""
    for i in range(len(instances)):
        if _reported(instances[i]) < 0:
            return -1
    return fewest(request, instances)


@router(kind="choose")
def lightest(request, instances):
    best = -1
    for i in range(len(instances)):
        better = best < 0 or _reported(instances[i]) < _reported(instances[best])
        if instances[i].fits == 1 and better:
            best = i
    return best


def test_who_goes_on_in_a_trial_sees_what_the_router_that_is_followed_does_not_read():
    assert not fewest.sees_decoding
    blind, seeing = (
        wl.oracle_labels(TRACE, two_speeds(), followed, base=lightest, share=1.0, ahead=16)
        for followed in (fewest, fewest_that_sees)
    )
    np.testing.assert_array_equal(blind.chosen, seeing.chosen)
    np.testing.assert_allclose(blind.costs, seeing.costs, atol=1e-9)


def test_labels_show_every_signal_whatever_the_routers_read():
    blind, seeing = (
        wl.oracle_labels(TRACE, two_speeds(), followed, share=1.0, ahead=4)
        for followed in (fewest, fewest_that_sees)
    )
    for name in REPORTED_FIELDS:
        np.testing.assert_allclose(blind.instances[name], seeing.instances[name], err_msg=name)
    assert blind.instances["ended"].any()


def test_who_goes_on_in_a_trial_sees_what_is_cached():
    @router(kind="choose", needs={"prefix"})
    def warmest(request, instances):
        best = 0
        for i in range(len(instances)):
            if instances[i].cached_tokens > instances[best].cached_tokens:
                best = i
        return best

    @router(kind="choose", needs={"prefix"})
    def fewest_of_prefixes(request, instances):
        return fewest(request, instances)

    workload, cluster = chained(60, 16, seed=3), uniform_cluster(3, prefix_caching=True)
    told, untold = (
        labels_of(workload, cluster, followed, warmest, ahead=16, share=1.0)
        for followed in (fewest_of_prefixes, fewest)
    )
    assert told.instances["cached_tokens"].any()
    np.testing.assert_array_equal(told.costs, untold.costs)


def test_who_goes_on_in_a_trial_has_the_memory_of_having_decided_all_before():
    """Taking turns, it sends what comes after row r from r + 1 on, whatever was chosen so far."""
    turns = resolve("round_robin")
    for followed in (fewest, resolve("kubernetes_service")):
        labels = wl.oracle_labels(TRACE, two_speeds(), followed, base=turns, share=1.0, ahead=60)
        plan = (np.arange(60) % 4).astype(float)
        planned = labels_of(WORKLOAD, two_speeds(), followed, plan, ahead=60, share=1.0)
        np.testing.assert_array_equal(labels.costs[:, :-1], planned.costs[:, :-1])


@pytest.mark.parametrize(
    ("followed", "base", "what"),
    [
        ({"needs": {"oracle"}}, {}, "needs the true output lengths"),
        ({}, {"needs": {"oracle"}}, "needs the true output lengths"),
        (
            {"needs": {"prefix"}},
            {"needs": {"prefix"}, "index": PrefixIndex()},
            "keeps a prefix index of its own",
        ),
        ({}, {"overwrites": True}, "forgets what it has sent when a report arrives"),
    ],
)
def test_who_would_have_to_be_shown_something_else_is_refused(followed, base, what):
    one, other = (
        router(fewest.function, kind="choose", name=name, **options)
        for name, options in (("one", followed), ("other", base))
    )
    late = replace(two_speeds(), signal_interval_s=0.1)
    with pytest.raises(UnsupportedError, match=f"'one' with 'other' in the trials: .*{what}"):
        labels_of(WORKLOAD, late, one, other, ahead=4, share=1.0)
    assert len(labels_of(WORKLOAD, late, other, np.zeros(60), ahead=4, share=0.2))


def test_what_cannot_be_followed_is_refused():
    with pytest.raises(UsageError, match="scores, and labels follow one that chooses"):
        wl.oracle_labels(TRACE, two_speeds(), "least_requests")
    with pytest.raises(UsageError, match="a share of 0"):
        wl.oracle_labels(TRACE, two_speeds(), "hra", share=0)
