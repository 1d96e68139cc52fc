"""Exhaustive search: every assignment of a small trace to the instances."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import perm, prod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from workloadlab import arguments
from workloadlab.errors import UsageError
from workloadlab.oracles.look_ahead import follow, planned
from workloadlab.oracles.oracle import Oracle
from workloadlab.simulation.engine.verdict import lane_problem
from workloadlab.simulation.event import refuse_events
from workloadlab.simulation.preparation import workload_and_cluster
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.simulation import Cluster, Pool
    from workloadlab.simulation.outcome import Outcome
    from workloadlab.simulation.workload import Workload
    from workloadlab.trace import Trace

__all__ = ["Assignments", "all_assignments", "exhaustive"]

MOST_ASSIGNMENTS = 200_000

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Assignments:
    """Every way to place the requests of a trace, each served at once on the instance that it names.

    Attributes:
        instance: assignments x requests; of those that differ by the names of identical instances one.
        count: how many each stands for.
        total_s: summed latency of the requests.
    """

    instance: Ints
    count: Ints
    total_s: Floats

    @property
    def best(self) -> Ints:
        """The assignment of least total latency; the first of equals."""
        row: Ints = self.instance[int(self.total_s.argmin())]
        return row

    @property
    def best_s(self) -> float:
        """Total latency of the best assignment."""
        return float(self.total_s.min())

    @property
    def worst_s(self) -> float:
        """Total latency of the worst."""
        return float(self.total_s.max())

    @property
    def mean_s(self) -> float:
        """Mean total latency of all: what random placement gives."""
        return float(np.average(self.total_s, weights=self.count))


def exhaustive() -> Oracle:
    """Place the requests of a toy as the best of all assignments does.

    Every assignment is simulated, but for those that only rename identical instances. The least total
    latency wins; the first of equals, in lexicographic order. No router that places every request on
    arrival does better.

    Example:
        >>> exhaustive().name
        'exhaustive'
    """
    return Oracle(
        name="exhaustive",
        solve=_solve,
        formula=f"best of all assignments, at most {MOST_ASSIGNMENTS:,} that differ",
        source="enumeration",
    )


def all_assignments(
    trace: Trace, cluster: Cluster, *, rate_scale: float = 1.0, seed: int = 0
) -> Assignments:
    """Replay a small trace under every assignment of its requests to instances.

    Args:
        trace: at most 200,000 assignments that differ: 18 requests on 2 identical instances, 12 on 3.
        cluster: on what.
        rate_scale: arrival rate relative to the trace.
        seed: of the runs.

    Raises:
        UnsupportedError: the cluster has events.
        UsageError: more assignments, or no assignment serves every request.

    Example:
        >>> from workloadlab import Cluster, LatencyModel, Trace
        >>> trace = Trace.of([(0, 10, 2), (0, 10, 2)])
        >>> model = LatencyModel.linear(constant_s=0.5, decode_seq_s=0.1)
        >>> every = all_assignments(trace, Cluster.uniform(2, model, step_overhead_s=0.0))
        >>> every.instance.tolist(), every.best.tolist(), round(every.best_s, 3)
        ([[0, 0], [0, 1]], [0, 1], 2.2)
    """
    refuse_events(cluster.events, "an oracle")
    workload, simulated = workload_and_cluster(trace, cluster, (), "open")
    return _enumerate(workload.scaled(arguments.number("rate_scale", rate_scale)), simulated, seed)


def _solve(workload: Workload, cluster: Cluster, seed: int) -> Outcome:
    return follow(workload, cluster, _enumerate(workload, cluster, seed).best, seed)


def _enumerate(workload: Workload, cluster: Cluster, seed: int) -> Assignments:
    if _plan_count(cluster, len(workload)) > MOST_ASSIGNMENTS:
        raise UsageError(
            f"{plural(len(workload), 'request has', 'requests have')} more than "
            f"{MOST_ASSIGNMENTS:,} assignments to "
            f"{plural(len(cluster.instance_names), 'instance')}",
            fix="take a window of a few requests, or ask lookahead, rollout or hindsight",
        )
    plans = list(_plans(cluster, len(workload), (), (0,) * len(cluster.pools)))
    instance = np.array([plan for plan, _ in plans])
    totals = _totals(workload, cluster, instance.astype(float), seed)
    served = np.isfinite(totals)
    if not served.any():
        raise UsageError(
            "no assignment serves every request",
            fix="drop the requests that no instance can serve, or raise the limits of the cluster",
        )
    return Assignments(
        instance[served],
        np.array([count for _, count in plans])[served],
        totals[served],
    )


def _alike(pool: Pool) -> bool:
    """Say whether renaming the instances of a pool changes nothing."""
    return pool.step_noise == 0


def _next(cluster: Cluster, used: tuple[int, ...]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield the instances that the next request may go to, and how many each pool has then used.

    Alike instances of a pool are used in order of their index.
    """
    first = 0
    for number, pool in enumerate(cluster.pools):
        reach = min(used[number] + 1, pool.instances) if _alike(pool) else pool.instances
        for own in range(reach):
            among = max(used[number], own + 1)
            yield first + own, (*used[:number], among, *used[number + 1 :])
        first += pool.instances


def _plan_count(cluster: Cluster, requests: int) -> int:
    """Count the assignments that differ, up to the first count that is too many."""
    ways = Counter({(0,) * len(cluster.pools): 1})
    for _ in range(requests):
        following: Counter[tuple[int, ...]] = Counter()
        for used, count in ways.items():
            for _, then in _next(cluster, used):
                following[then] += count
        ways = following
        if ways.total() > MOST_ASSIGNMENTS:
            break
    return ways.total()


def _plans(
    cluster: Cluster, requests: int, plan: tuple[int, ...], used: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], int]]:
    """Yield the assignments that begin with `plan`, and how many each stands for by renaming."""
    if len(plan) == requests:
        pools = zip(cluster.pools, used, strict=True)
        yield plan, prod(perm(pool.instances, among) for pool, among in pools if _alike(pool))
        return
    for instance, then in _next(cluster, used):
        yield from _plans(cluster, requests, (*plan, instance), then)


def _totals(workload: Workload, cluster: Cluster, plans: Floats, seed: int) -> Floats:
    """Return the total latency under each plan, NaN if it cannot be carried out as it is."""
    from workloadlab.oracles.assignments_kernel import play_plans
    from workloadlab.oracles.forked import forked_lane
    from workloadlab.simulation.engine.lane import STATUS_DONE, run_lane

    two = forked_lane(workload, cluster, planned, seed)
    lane, totals = two.lane, np.zeros(len(plans))
    two.fork.put_params(plans)
    status, row, chosen = play_plans(
        lane.lane, two.fork.lane, two.state, two.forked, run_lane, plans, totals
    )  # fmt: skip
    if status != STATUS_DONE:
        raise lane_problem(status, row, chosen, planned, two.fork, cluster)
    return totals
