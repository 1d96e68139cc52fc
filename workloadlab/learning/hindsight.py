"""Hindsight: local search over the assignment of a whole trace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workloadlab.errors import UsageError
from workloadlab.learning.foresight import cost_of, follow, improve
from workloadlab.learning.oracle import Oracle
from workloadlab.routing import resolve
from workloadlab.simulation.engine import replay_lane
from workloadlab.simulation.played import check_needs, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster
    from workloadlab.simulation.workload import Outcome, Workload
    from workloadlab.trace import Trace

__all__ = ["STARTS", "Headroom", "headroom", "hindsight"]

STARTS = ("least_requests", "round_robin", "least_tokens", "clairvoyant_least_work")
TRIALS = 50_000
AHEAD = 256


@dataclass(frozen=True)
class Headroom:
    """How much better a trace could have been served.

    Attributes:
        start: the router whose assignment the search began with: the best of those tried.
        start_s, best_s: mean latency of that assignment, and of the best found.
        instance: the best assignment found.
        moved: how many requests it sends elsewhere than the start.
        trials: placements tried, each a simulation.
        outcome: what the best assignment gives.
    """

    start: str
    start_s: float
    best_s: float
    instance: npt.NDArray[np.int64]
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

    It starts from the assignment of the best of some routers and goes through the trace: a request
    moves to another instance if that lowers the summed latency of all that is live and of the next
    `ahead` arrivals, which stay where they are; draws are common to all trials. A pass that did not
    lower the total of the whole trace is undone, so the result is never worse than its start. The
    search ends when a pass over all requests finds nothing, or with the budget; where the budget does
    not reach for all requests, a pass takes a random part of them, drawn from the seed.

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
            f"hindsight from {len(routers)} routers with {trials} trials, {ahead} arrivals ahead",
            fix="name a router to start from, and whole numbers from 1",
        )
    return Oracle(
        name="hindsight",
        solve=partial(_solve, routers, trials, ahead),
        bases=routers,
        options={"trials": trials, "ahead": ahead},
        formula="local search over the assignment of the whole trace, from the best router's",
        source="hill climbing by single-request moves",
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
        UnsupportedError: the trace lacks what the replay or a router needs.
        UsageError: as `hindsight`.

    Example:
        >>> import polars as pl
        >>> from workloadlab import Cluster, LatencyModel, Trace
        >>> trace = Trace.from_frame(pl.DataFrame({"arrival_ns": [0, 0, 1],
        ...     "input_tokens": [10] * 3, "output_tokens": [20, 2, 20]}))
        >>> model = LatencyModel.linear(constant_s=0.1)
        >>> cluster = Cluster.uniform(2, model, step_overhead_s=0.0, max_num_seqs=1)
        >>> found = headroom(trace, cluster, starts=["round_robin"])
        >>> found.instance.tolist(), round(found.start_s, 2), round(found.best_s, 2)
        ([0, 1, 1], 2.07, 1.47)
    """
    routers = hindsight(starts, trials=trials, ahead=ahead).bases
    for policy in routers:
        check_needs(policy, trace, cluster)
    workload, simulated = prepare(trace, cluster, "open")
    return _search(routers, trials, ahead, workload.scaled(rate_scale), simulated, seed)


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
    requests, others = len(workload), len(cluster.instance_names) - 1
    rng = np.random.default_rng(seed)
    plan, best = first, started
    tried = 0
    while (part := min((trials - tried) // max(others, 1), requests)) > 0 and others > 0:
        rows = np.arange(requests)
        if part < requests:
            rows = rng.choice(requests, part, replace=False)
        tried += part * others
        outcome, changed = improve(workload, cluster, plan, seed, ahead=ahead, rows=rows)
        if cost_of(outcome) < cost_of(best):
            plan, best = changed, outcome
        elif part == requests:
            break
    return Headroom(
        start=start,
        start_s=_mean_s(started),
        best_s=_mean_s(best),
        instance=plan,
        moved=int((plan != first).sum()),
        trials=tried,
        outcome=best,
    )


def _best_start(
    routers: tuple[Router, ...], workload: Workload, cluster: Cluster, seed: int
) -> tuple[str, npt.NDArray[np.int64], Outcome]:
    """Return the router whose assignment serves best, the assignment and its outcome."""
    found = []
    for policy in routers:
        plan = np.maximum(replay_lane(workload, cluster, policy, seed).instance, 0)
        found.append((policy.name, plan.astype(np.int64), follow(workload, cluster, plan, seed)))
    return min(found, key=lambda start: cost_of(start[2]))


def _mean_s(outcome: Outcome) -> float:
    return float(np.nanmean(outcome.end_s - outcome.arrival_s))
