"""Saturation: the rate at which a cluster completes the requests of a trace when it never idles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.routing import resolve
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.preparation import workload_and_cluster
from workloadlab.simulation.windows import Window, cut
from workloadlab.words import plural

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.routing import Router
    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.workload import Workload
    from workloadlab.trace import AnyTrace

    Floats = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["saturation", "saturation_rps"]

MOST = 5_000
FIRST, LAST = 0.1, 0.8
"""Shares of the completions between which a crowd's rate is taken: without the ramp and the drain."""

OFFERED, RAMP = 2.0, 0.3
"""A stream offers so many times the rate found so far; this share of its time only fills the cluster."""

ROUNDS, GAIN = 8, 1.02
"""Streams that are tried at most, and what each must serve relative to the rate found so far."""


def saturation(trace: AnyTrace, cluster: Cluster | str | Path) -> float:
    """Return the requests/s that the cluster completes in deep overload: load 1.0.

    The first 5,000 requests arrive at once; the rate is that between the 10th and the 80th hundredth of
    the completions. A router that places a crowd before anything has ended gives slow instances as much
    as fast ones, so the requests then also arrive evenly at twice the rate found so far, while that
    serves 2 % more: the highest rate counts. The router is `least_requests`, or `lmetric` where prefixes
    are cached. A replay at load 0.9 is one at the rate scale 0.9 saturation / the trace's own rate.

    Raises:
        UnsupportedError: the trace lacks what the replay needs.
        UsageError: fewer than 20 requests come to an end, or all at once.

    Example:
        >>> from workloadlab import Cluster, LatencyModel, Trace
        >>> trace = Trace.of([(second, 10, 10) for second in range(100)])
        >>> model = LatencyModel.linear(constant_s=0.1)
        >>> cluster = Cluster.uniform(2, model, step_overhead_s=0.0, max_num_seqs=4)
        >>> round(saturation(trace, cluster), 3)
        8.0
    """
    workload, simulated = workload_and_cluster(trace, cluster, (), "open")
    return saturation_rps(workload, simulated)


def saturation_rps(workload: Workload, cluster: Cluster) -> float:
    """Return the same of a workload and a cluster that are made to fit each other."""
    caching = any(pool.prefix_caching for pool in cluster.pools)
    policy = resolve("lmetric" if caching else "least_requests")
    first = Window(0, min(MOST, len(workload)), float(workload.arrival_s[0]))
    requests = cut(workload, first)
    found = _crowd_rps(requests, cluster, policy)
    for _ in range(ROUNDS):
        served = _stream_rps(requests, cluster, policy, OFFERED * found)
        if served <= GAIN * found:
            break
        found = served
    return found


def _crowd_rps(requests: Workload, cluster: Cluster, policy: Router) -> float:
    """Return the rate of completions when all requests arrive at once."""
    ends = _ends(requests, np.zeros(len(requests)), cluster, policy)
    if len(ends) < 20:
        raise UsageError(
            f"{plural(len(ends), 'request comes', 'requests come')} to an end, too few for a rate",
            fix="use a trace of at least 20 requests that the cluster can serve",
        )
    first_s, last_s = ends[int(FIRST * len(ends))], ends[int(LAST * len(ends))]
    if first_s == last_s:
        raise UsageError(
            f"{len(ends):,} requests end at once, which is no rate",
            fix="use a longer trace, or fewer instances",
        )
    return _rate(ends, first_s, last_s)


def _stream_rps(requests: Workload, cluster: Cluster, policy: Router, offered_rps: float) -> float:
    """Return the rate of completions while requests arrive evenly, behind the ramp."""
    arrivals = np.arange(len(requests)) / offered_rps
    ends = _ends(requests, arrivals, cluster, policy)
    return _rate(ends, RAMP * arrivals[-1], arrivals[-1])


def _ends(requests: Workload, arrivals: Floats, cluster: Cluster, policy: Router) -> Floats:
    ends = replay_lane(replace(requests, arrival_s=arrivals), cluster, policy, 0).end_s
    return np.sort(ends[np.isfinite(ends)])


def _rate(ends: Floats, first_s: float, last_s: float) -> float:
    return float(((ends > first_s) & (ends <= last_s)).sum() / (last_s - first_s))
