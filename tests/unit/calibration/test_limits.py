"""Limits of an engine that its queue shows, and cluster files that contradict them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.calibrations import simulated

from workloadlab.calibration.held_out import card_of
from workloadlab.calibration.limits import likely_causes, occupancy_of
from workloadlab.calibration.observe import observe

FULL = {"requests": 300, "rate": 12.0, "longest": 1500}


def measured(**pool):
    log, cluster = simulated(**FULL, **pool)
    return occupancy_of(observe(log, cluster, routed=False), 16), cluster.pools[0]


@pytest.fixture(scope="module")
def few_sequences():
    return measured(max_num_seqs=24, kv_blocks=100_000)


@pytest.fixture(scope="module")
def small_cache():
    return measured(max_num_seqs=256, kv_blocks=1200)


def test_a_queue_before_running_sequences_that_stand_still(few_sequences):
    found, pool = few_sequences
    assert found.limited_by == "max_num_seqs"
    assert found.seqs == 24
    assert likely_causes(found, pool) == []
    (more,) = likely_causes(found, replace(pool, max_num_seqs=128))
    assert "max_num_seqs is likely 24, and the cluster has 128" in more
    (less,) = likely_causes(found, replace(pool, max_num_seqs=12))
    assert "ran 24 sequences at once, and the cluster has max_num_seqs = 12" in less


def test_a_queue_before_a_cache_that_is_full(small_cache):
    found, pool = small_cache
    assert found.limited_by == "kv_blocks"
    assert found.most_blocks == pytest.approx(1200, rel=0.06)
    assert likely_causes(found, pool) == []
    (more,) = likely_causes(found, replace(pool, kv_blocks=9000))
    assert "kv_blocks is likely that, and the cluster has kv_blocks = 9,000" in more
    (less,) = likely_causes(found, replace(pool, kv_blocks=600))
    assert "and the cluster has kv_blocks = 600" in less


def test_without_a_queue_nothing_is_said():
    log, cluster = simulated(60, 0.5)
    found = occupancy_of(observe(log, cluster, routed=False), 16)
    assert found.limited_by == ""
    assert likely_causes(found, cluster.pools[0]) == []


def test_the_card_names_the_cause_and_judges_by_the_worst_cut():
    def cut(share, error):
        facts = {"requests": 10, "mean_error": error, "p99_error": error, "mape": abs(error),
                 "bias": error, "p95": abs(error)}  # fmt: skip
        return {"share": share, "fitted": round(20 * share), "held_out": {"ttft_s": facts}}

    card = card_of([cut(0.3, 0.01), cut(0.5, -2.71), cut(0.7, 0.02)], ["max_num_seqs is likely 24"])
    assert card.overall.bias == -2.71
    assert "likely cause: max_num_seqs is likely 24" in str(card)
    assert card.fitted_rows == 6
