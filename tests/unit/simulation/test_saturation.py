"""The rate that a cluster completes in deep overload."""

from __future__ import annotations

import pytest

import workloadlab as wl

SLOW_S = 0.1
"""Seconds of a step; a request is of 10 steps and four run at a time, so one instance completes 4/s."""


def pool(name, step_s, instances=1):
    model = wl.LatencyModel.linear(constant_s=step_s)
    return wl.Pool(
        name=name, latency=model, instances=instances, step_overhead_s=0.0, max_num_seqs=4,
        async_scheduling=False, prefix_caching=False,
    )  # fmt: skip


@pytest.mark.parametrize("times", [2, 8])
def test_fast_instances_serve_what_they_can_beside_slow_ones(times):
    """A crowd would be shared out evenly before anything has ended, and end with the slow ones."""
    trace = wl.Trace.of([(second, 10, 10) for second in range(2000)])
    cluster = wl.Cluster(pools=[pool("fast", SLOW_S / times), pool("slow", SLOW_S)])
    assert wl.saturation(trace, cluster) == pytest.approx(4 * times + 4, rel=0.03)


def test_equal_instances_serve_as_many_times_as_much_as_one():
    trace = wl.Trace.of([(second, 10, 10) for second in range(1000)])
    rates = [wl.saturation(trace, wl.Cluster(pools=[pool("p", SLOW_S, n)])) for n in (1, 4)]
    assert rates == pytest.approx([4.0, 16.0], rel=0.03)
