"""Hindsight: local search over the assignment of a whole trace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workloadlab.arguments import number
from workloadlab.errors import UsageError
from workloadlab.oracles.look_ahead import cost_of, follow, improve, look_ahead
from workloadlab.oracles.oracle import Oracle
from workloadlab.oracles.rollout import AHEAD as ROLLOUT
from workloadlab.routing import resolve
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.event import refuse_events
from workloadlab.simulation.preparation import workload_and_cluster
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster
    from workloadlab.simulation.outcome import Outcome
    from workloadlab.simulation.workload import Workload
    from workloadlab.trace import Trace

__all__ = ["STARTS", "Headroom", "headroom", "hindsight", "plan_of"]

STARTS = ("least_requests", "least_tokens", "round_robin")
TRIALS = 20_000
AHEAD = 256

WINDOW, KICKED = 32, 3
"""Requests that may move after a kick, and those that it sends anywhere."""

MOST_FRUITLESS = 100
"""Kicks in a row that gain nothing before the search ends."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Headroom:
    """How much better a trace could have been served.

    Attributes:
        start: the best of the routers tried.
        start_s, best_s: mean latency of its assignment, and of the best found.
        instance: the best assignment found.
        moved: how many requests it sends elsewhere than the router.
        trials: placements tried, each a simulation.
        outcome: what the best assignment gives.
    """

    start: str
    start_s: float
    best_s: float
    instance: Ints
    moved: int
    trials: int
    outcome: Outcome

    @property
    def share(self) -> float:
        """Share of the mean latency that a better assignment saves, at least."""
        return 1 - self.best_s / self.start_s


def hindsight(
    starts: Iterable[str | Router | Callable[..., Any]] = STARTS,
    *,
    trials: int = TRIALS,
    ahead: int = AHEAD,
) -> Oracle:
    """Place the requests of a trace as the best assignment that a local search finds.

    It starts from the assignment of the best of some routers, or of rollout over it where that is
    better, and goes through the trace: a request moves to another instance if that lowers the summed
    latency of all that is live and of the next `ahead` arrivals, which stay where they are; draws are
    common to all trials. When a pass finds nothing more, a few consecutive requests are sent anywhere,
    and those around them may move. A pass that does not lower the total of the whole trace is undone,
    so the result is never worse than its start. The search ends with its budget, or when 100 such kicks
    in a row gain nothing; what to kick, and what a small budget leaves out, is drawn by the seed.

    Args:
        starts: routers that place every request on arrival.
        trials: how many placements to try.
        ahead: how far a trial looks; at or above the number of requests every trial is exact.

    Raises:
        UsageError: no such router, no start, or a budget below 1.

    Example:
        >>> hindsight(trials=1000).name
        'hindsight'
    """
    routers = tuple(resolve(start) for start in starts)
    if not routers or trials < 1 or ahead < 1:
        raise UsageError(
            f"hindsight from {plural(len(routers), 'router')} with {trials} trials, {ahead} "
            "arrivals ahead",
            fix="name a router to start from, and whole numbers from 1",
        )
    return Oracle(
        name="hindsight",
        solve=partial(_solve, routers, trials, ahead),
        bases=routers,
        options={"trials": trials, "ahead": ahead},
        formula="local search over the assignment of the whole trace, from the best router's",
        source="iterated local search by single-request moves",
    )


def headroom(
    trace: Trace,
    cluster: Cluster,
    *,
    starts: Iterable[str | Router | Callable[..., Any]] = STARTS,
    trials: int = TRIALS,
    ahead: int = AHEAD,
    rate_scale: float = 1.0,
    seed: int = 0,
) -> Headroom:
    """Search for a better assignment of a trace and report what it saves; see `hindsight`.

    Raises:
        UnsupportedError: the trace lacks what the replay or a router needs, or the cluster has events.
        UsageError: as `hindsight`.

    Example:
        >>> from workloadlab import Cluster, LatencyModel, Trace
        >>> trace = Trace.of([(0, 10, 20), (0, 10, 2), (0.001, 10, 20)])
        >>> model = LatencyModel.linear(constant_s=0.1)
        >>> cluster = Cluster.uniform(2, model, step_overhead_s=0.0, max_num_seqs=1)
        >>> found = headroom(trace, cluster, starts=["round_robin"])
        >>> found.instance.tolist(), round(found.start_s, 2), round(found.best_s, 2)
        ([0, 1, 1], 2.07, 1.47)
    """
    refuse_events(cluster.events, "an oracle")
    routers = hindsight(starts, trials=trials, ahead=ahead).bases
    workload, simulated = workload_and_cluster(trace, cluster, routers, "open")
    return _search(
        routers, trials, ahead, workload.scaled(number("rate_scale", rate_scale)), simulated, seed
    )


def _solve(
    routers: tuple[Router, ...],
    trials: int,
    ahead: int,
    workload: Workload,
    cluster: Cluster,
    seed: int,
) -> Outcome:
    return _search(routers, trials, ahead, workload, cluster, seed).outcome


def _search(
    routers: tuple[Router, ...],
    trials: int,
    ahead: int,
    workload: Workload,
    cluster: Cluster,
    seed: int,
) -> Headroom:
    start, first, started = _best_start(routers, workload, cluster, seed)
    improved = look_ahead(workload, cluster, start, seed, ahead=ROLLOUT)
    plan, best = first, started
    if cost_of(improved) < cost_of(started):
        plan, best = improved.instance.astype(np.int64).clip(0), improved
    requests, instances = len(workload), len(cluster.instance_names)
    rng = np.random.default_rng(seed)
    tried = fruitless = 0
    while instances > 1 and fruitless <= MOST_FRUITLESS:
        part = (trials - tried) // (instances - 1)
        if part == 0:
            break
        if fruitless:
            rows, begun = _kick(plan, min(part, WINDOW), instances, rng)
        else:
            rows = np.sort(rng.choice(requests, min(part, requests), replace=False))
            begun = plan
        tried += len(rows) * (instances - 1)
        outcome, changed = improve(workload, cluster, begun, seed, ahead=ahead, rows=rows)
        if cost_of(outcome) < cost_of(best):
            plan, best, fruitless = changed, outcome, min(fruitless, 1)
        else:
            fruitless += 1
    return Headroom(
        start=start.name,
        start_s=_mean_s(started),
        best_s=_mean_s(best),
        instance=plan,
        moved=int((plan != first).sum()),
        trials=tried,
        outcome=best,
    )


def plan_of(
    starts: Sequence[Router],
    workload: Workload,
    cluster: Cluster,
    trials: int,
    ahead: int,
    seed: int,
) -> Ints:
    """Return the best assignment that the search finds, an instance for each request."""
    return _search(tuple(starts), trials, ahead, workload, cluster, seed).instance


def _kick(plan: Ints, window: int, instances: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Send some of a few consecutive requests anywhere; return which may move, and the plan."""
    begin = int(rng.integers(max(len(plan) - window, 0) + 1))
    rows = np.arange(begin, min(begin + window, len(plan)))
    kicked = plan.copy()
    moved = rng.choice(rows, min(KICKED, len(rows)), replace=False)
    kicked[moved] = rng.integers(instances, size=len(moved))
    return rows, kicked


def _best_start(
    routers: tuple[Router, ...], workload: Workload, cluster: Cluster, seed: int
) -> tuple[Router, Ints, Outcome]:
    """Return the router whose assignment serves best, the assignment and what it gives."""
    found = []
    for policy in routers:
        plan = replay_lane(workload, cluster, policy, seed).instance.astype(np.int64).clip(0)
        found.append((policy, plan, follow(workload, cluster, plan, seed)))
    return min(found, key=lambda start: cost_of(start[2]))


def _mean_s(outcome: Outcome) -> float:
    return float(np.nanmean(outcome.end_s - outcome.arrival_s))
