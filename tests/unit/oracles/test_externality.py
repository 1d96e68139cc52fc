"""What a request inflicts on the others: equal to two replays of a plan, one of them without it."""

from __future__ import annotations

import numpy as np
import pytest
from support.learning import mixed_trace, two_speeds

import workloadlab as wl
from workloadlab.errors import UsageError
from workloadlab.oracles.externality import _ranks, agreement, externality
from workloadlab.oracles.labels import labels_of
from workloadlab.oracles.look_ahead import follow
from workloadlab.routing import resolve
from workloadlab.simulation.workload import workload_of

WORKLOAD = workload_of(mixed_trace(40))


def without(row):
    """The same requests but one."""
    rows = mixed_trace(40).frame.collect()
    kept = np.arange(len(rows)) != row
    return workload_of(wl.Trace.from_frame(rows.filter(kept))), kept


def test_it_is_what_the_others_take_longer():
    """With the whole trace ahead a trial is a replay of the plan, with the request or without it."""
    cluster, row = two_speeds(), 11
    plan = np.arange(len(WORKLOAD)) % 4
    labels = labels_of(
        WORKLOAD, cluster, resolve("hra"), plan.astype(float),
        ahead=len(WORKLOAD), share=1.0, inflicted=True,
    )  # fmt: skip
    earlier = labels.chosen[:row]
    rest, kept = without(row)
    there = np.concatenate([earlier, plan[row:]])
    alone = follow(rest, cluster, there[kept], 0)
    for choice in range(4):
        there[row] = choice
        whole = follow(WORKLOAD, cluster, there, 0)
        longer = (whole.end_s - whole.arrival_s)[kept] - (alone.end_s - alone.arrival_s)
        assert labels.inflicted[row, choice] == pytest.approx(longer.sum(), abs=1e-6)


def test_an_idle_cluster_has_nobody_to_inflict_anything_on():
    labels = externality(WORKLOAD, two_speeds(), resolve("hra"), share=1.0)
    idle = labels.instances["in_flight"].sum(axis=1) == 0
    assert idle.any()
    np.testing.assert_allclose(labels.inflicted[idle], 0.0, atol=1e-9)
    assert (labels.inflicted[~idle] > 0).any()
    np.testing.assert_allclose(labels.inflicted[labels.instances["in_flight"] == 0], 0.0, atol=1e-9)


def test_without_asking_nothing_is_measured():
    assert len(wl.oracle_labels(mixed_trace(40), two_speeds(), "hra").inflicted) == 0


def test_agreement_of_the_truth_itself_and_of_a_constant_factor():
    """On requests of one length alone beside one decode, the seconds are proportional to the others."""
    labels = externality(WORKLOAD, two_speeds(), resolve("hra"), share=1.0)
    [found] = agreement(labels, [resolve("mixing_seconds").with_params(alpha=0.0)])
    assert found.placements == np.isfinite(labels.inflicted).sum()
    assert found.mean_s == pytest.approx(np.nanmean(labels.inflicted))
    assert 0 < found.chance <= found.least <= 1
    assert 0.2 < found.correlation < 1
    ranks = _ranks(np.array([3.0, 1.0, 3.0, 2.0]))
    assert ranks.tolist() == [3.5, 1.0, 3.5, 2.0]
    with pytest.raises(UsageError, match="gives no scores"):
        agreement(labels, [resolve("hra")])
