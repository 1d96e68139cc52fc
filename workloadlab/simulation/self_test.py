"""A replay of two seconds by both engines, to see on any machine that they agree."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from workloadlab.latency import LatencyModel
from workloadlab.routing import router
from workloadlab.simulation.cluster import Cluster
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.reference.lane import replay_by_steps
from workloadlab.simulation.workload import workload_of
from workloadlab.trace import Trace

__all__ = ["SelfTest", "self_test"]

REQUESTS = 300


@dataclass(frozen=True)
class SelfTest:
    """What the test found.

    Attributes:
        agree: whether every time of every request is the same, to a nanosecond.
        requests: replayed.
        compiled_s: seconds of the compiled engine, its compilation included.
        readable_s: seconds of the readable one.
    """

    agree: bool
    requests: int
    compiled_s: float
    readable_s: float


def self_test() -> SelfTest:
    """Replay the same requests with the compiled and with the readable engine."""
    draw = np.random.default_rng(0)
    arrival_s = np.cumsum(draw.exponential(0.05, REQUESTS))
    lengths = draw.integers(10, 2000, REQUESTS), draw.integers(1, 200, REQUESTS)
    rows = zip(arrival_s.tolist(), *(each.tolist() for each in lengths), strict=True)
    workload = workload_of(Trace.of(rows))
    cluster = Cluster.uniform(3, LatencyModel.linear(constant_s=0.01, prefill_token_s=2e-5))
    policy = router("least_requests")
    start = perf_counter()
    compiled = replay_lane(workload, cluster, policy, 0)
    middle = perf_counter()
    readable = replay_by_steps(workload, cluster, policy, 0)
    end = perf_counter()
    names = ("arrival_s", "dispatch_s", "scheduled_s", "first_token_s", "end_s", "instance")
    pairs = ((getattr(compiled, name), getattr(readable, name)) for name in names)
    agree = all(np.allclose(a, b, rtol=0, atol=1e-9, equal_nan=True) for a, b in pairs)
    return SelfTest(agree, REQUESTS, middle - start, end - middle)
