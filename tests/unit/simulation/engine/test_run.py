"""A lane that is laid out once is replayed again and again."""

from __future__ import annotations

from support.outcomes import assert_equal
from support.workloads import crowd

from workloadlab.latency import LatencyModel
from workloadlab.routing import SHELF
from workloadlab.simulation import Cluster
from workloadlab.simulation.engine.run import Retold, replay_lane
from workloadlab.simulation.engine.setup import FIRST_SLOTS


def test_a_replay_that_needs_more_slots_leaves_the_next_one_as_it_was():
    workload = crowd(FIRST_SLOTS + 500, seed=0)
    slow, fast = (LatencyModel.linear(constant_s=s) for s in (10.0, 1e-6))
    cluster = Cluster.uniform(1, slow, prefix_caching=False)
    retold = Retold(workload, cluster, SHELF["round_robin"], 0)
    told = [retold.replay(model, 0.0) for model in (slow, slow, fast)]
    once = replay_lane(workload, cluster, SHELF["round_robin"], 0)
    assert_equal(told[0], once)
    assert_equal(told[1], once)
    assert told[2].end_s.max() < once.end_s.max()
