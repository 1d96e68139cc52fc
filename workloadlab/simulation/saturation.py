"""Saturation: the rate at which a cluster completes the requests of a trace when it never idles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.routing import resolve
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.preparation import workload_and_cluster
from workloadlab.simulation.windows import Window, cut

if TYPE_CHECKING:
    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.workload import Workload
    from workloadlab.trace import Trace

__all__ = ["saturation", "saturation_rps"]

MOST = 5_000
FIRST, LAST = 0.1, 0.8
"""Shares of the completions between which the rate is taken: without the ramp and the drain."""


def saturation(trace: Trace, cluster: Cluster) -> float:
    """Return the requests/s that the cluster completes in deep overload: load 1.0.

    The first 5,000 requests arrive at once. The router is `least_requests`, or `lmetric` where prefixes
    are cached. The rate is that between the 10th and the 80th hundredth of the completions. A replay at
    load 0.9 is one at the rate scale 0.9 saturation / the trace's own rate.

    Raises:
        UnsupportedError: the trace lacks what the replay needs.
        UsageError: fewer than 20 requests come to an end.

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
    crowd = cut(workload, first)
    crowd = replace(crowd, arrival_s=np.zeros(len(crowd)))
    outcome = replay_lane(crowd, cluster, policy, 0)
    ends = np.sort(outcome.end_s[np.isfinite(outcome.end_s)])
    if len(ends) < 20:
        raise UsageError(
            f"{len(ends)} requests come to an end, too few for a rate",
            fix="use a trace of at least 20 requests that the cluster can serve",
        )
    first_s, last_s = ends[int(FIRST * len(ends))], ends[int(LAST * len(ends))]
    return float(((ends > first_s) & (ends <= last_s)).sum() / (last_s - first_s))
