"""Oracle labels: what a router saw, what it chose, and what each choice would have cost."""

from __future__ import annotations

import numpy as np
import pytest
from support.learning import mixed_trace, two_speeds

import workloadlab as wl
from workloadlab.errors import UsageError
from workloadlab.oracles.labels import CostWeights, labels_of
from workloadlab.oracles.look_ahead import follow
from workloadlab.routing import resolve
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


def test_what_cannot_be_followed_is_refused():
    with pytest.raises(UsageError, match="scores, and labels follow one that chooses"):
        wl.oracle_labels(TRACE, two_speeds(), "least_requests")
    with pytest.raises(UsageError, match="a share of 0"):
        wl.oracle_labels(TRACE, two_speeds(), "hra", share=0)
