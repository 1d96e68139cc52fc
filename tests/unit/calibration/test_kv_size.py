"""The KV size of an engine that nobody wrote down: found with an interval, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from support.calibrations import crowded, means_alone

from workloadlab.calibration import calibrate, describe
from workloadlab.calibration.kv_size import kv_sentence, kv_size
from workloadlab.calibration.observe import observe
from workloadlab.calibration.task import Task
from workloadlab.routing import SHELF


def found_near(seed, blocks, load):
    """What a log shows of its KV size, after a short search at the true one."""
    log, cluster = crowded(seed, blocks, load, requests=120)
    observed = observe(log, cluster, routed=False)
    task = Task(observed, cluster, SHELF["round_robin"], None)
    everything = np.ones(len(observed), bool)
    found = task.fitted(everything, kv_blocks=blocks, trials=0)
    return kv_size(found.problem, found.target, found.fit, task.most_blocks)


@pytest.mark.parametrize(("seed", "blocks"), [(1, 900), (2, 1600), (3, 2400)])
def test_the_interval_is_narrow_where_the_cache_is_full(seed, blocks):
    found = found_near(seed, blocks, 1.3)
    assert found["low"] <= blocks <= found["high"]
    assert found["high"] < 1.2 * found["low"]


def test_a_calibration_finds_it_and_says_so():
    log, cluster = crowded(0, 1461, 1.1)
    with means_alone():
        model = calibrate(log, cluster)
    found = model.system["calibration"]["kv_size"]
    assert found["low"] <= 1461 <= found["high"]
    assert found["high"] - found["low"] < 0.1 * 1461
    assert model.system["kv_blocks"] == found["estimate"]
    assert f"(95 %: {found['low']:,} to {found['high']:,})" in " ".join(describe(model).split())


@pytest.mark.parametrize("seed", range(3))
def test_a_cache_that_was_never_full_shows_only_what_it_held(seed):
    log, cluster = crowded(seed, 3000, 0.3)
    observed = observe(log, cluster, routed=False)
    task = Task(observed, cluster, SHELF["round_robin"], None)
    everything = np.ones(len(observed), bool)
    found = task.fitted(everything, trials=0)
    size = kv_size(found.problem, found.target, found.fit, task.most_blocks)
    assert size["estimate"] is size["high"] is None
    assert 100 < size["low"] <= 3000
    assert "cannot tell the KV size" in kv_sentence(size, 16)


def test_a_size_that_the_cluster_states_is_not_sought():
    log, cluster = crowded(0, 1461, 0.3, requests=60)
    known = type(cluster).uniform(
        1, cluster.pools[0].latency, kv_blocks=1461, async_scheduling=False
    )
    with means_alone():
        model = calibrate(log, known, start=cluster.pools[0].latency)
    assert model.system["calibration"]["kv_size"] is None
    assert "KV size" not in describe(model)
