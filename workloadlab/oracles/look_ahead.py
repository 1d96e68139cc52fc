"""Play a lane whose decisions are made by trying them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.routing import router
from workloadlab.simulation.engine.run import blame
from workloadlab.simulation.engine.verdict import lane_problem, outcome_of

if TYPE_CHECKING:
    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster
    from workloadlab.simulation.outcome import Outcome
    from workloadlab.simulation.workload import Workload

__all__ = ["cost_of", "follow", "improve", "look_ahead", "planned"]


@router(kind="choose", family="oracles", formula="as planned", source="an oracle's plan")
def planned(request: Any, instances: Any, params: Any, memory: Any) -> int:  # noqa: ARG001
    """Where the plan sends the request; where that is not possible, the first instance that fits."""
    chosen = int(params[request.row])
    if instances[chosen].fits == 1:
        return chosen
    for i in range(len(instances)):
        if instances[i].fits == 1:
            return i
    return chosen


def _play(
    workload: Workload,
    cluster: Cluster,
    base: Router,
    seed: int,
    ahead: int,
    examined: Any,
    plan: Any | None = None,
) -> Outcome:
    from workloadlab.oracles import look_ahead_kernel
    from workloadlab.oracles.forked import forked_lane
    from workloadlab.simulation.engine.lane import STATUS_DONE, run_lane

    two = forked_lane(workload, cluster, base, seed)
    lane, fork = two.lane, two.fork
    if plan is None:
        plan = np.zeros(len(workload))
    else:
        lane.put_params(plan)
        fork.put_params(plan)
    with blame(base):
        status, row, chosen = look_ahead_kernel.look_ahead(
            lane.lane, fork.lane, two.state, two.forked, run_lane, examined, plan,
            min(ahead, len(workload)),
        )  # fmt: skip
    if status != STATUS_DONE:
        raise lane_problem(status, row, chosen, base, lane, cluster)
    return outcome_of(lane, cluster.request_overhead_s)


def look_ahead(
    workload: Workload,
    cluster: Cluster,
    base: Router,
    seed: int,
    *,
    ahead: int,
    may_wait: bool = False,
) -> Outcome:
    """Replay a lane, sending every request where all that is live then ends soonest.

    At a decision, each instance that can serve the request is tried: the request goes there, the next
    `ahead` arrivals follow under the base router, and all run to their end. The least sum of their
    latencies wins, after the fewest that are not served; ties go to the lowest index.

    Args:
        workload: what to replay.
        cluster: on what.
        base: places whatever else waits or arrives in a trial.
        seed: of the run; trials of one decision share its draws.
        ahead: arrivals in a trial after the request itself.
        may_wait: whether to wait in the router's queue until the next event is tried too; it must be
            better than every instance. In its trial the base is asked at that event.
    """
    from workloadlab.oracles.look_ahead_kernel import LOWEST, OR_WAIT

    examined = np.full(len(workload), OR_WAIT if may_wait else LOWEST, np.uint8)
    return _play(workload, cluster, base, seed, ahead, examined)


def follow(workload: Workload, cluster: Cluster, plan: Any, seed: int) -> Outcome:
    """Replay a lane by a plan: one instance for each request."""
    return improve(workload, cluster, plan, seed, ahead=0, rows=())[0]


def improve(
    workload: Workload, cluster: Cluster, plan: Any, seed: int, *, ahead: int, rows: Any
) -> tuple[Outcome, Any]:
    """Go through a plan once, and move each request of `rows` where that lowers the total latency.

    Args:
        workload: what to replay.
        cluster: on what.
        plan: an instance for each request.
        seed: of the run.
        ahead: arrivals in a trial after the request itself; the plan says where they go.
        rows: which requests may move.

    Returns:
        The outcome and the new plan.
    """
    from workloadlab.oracles.look_ahead_kernel import FROM_PLAN

    changed = np.array(plan, float)
    examined = np.zeros(len(workload), np.uint8)
    examined[list(rows)] = FROM_PLAN
    outcome = _play(workload, cluster, planned, seed, ahead, examined, changed)
    return outcome, changed.astype(np.int64)


def cost_of(outcome: Outcome) -> tuple[int, float]:
    """Return (requests not served, total latency of the others in seconds): what oracles minimize."""
    latency_s = outcome.end_s - outcome.arrival_s
    return int(np.isnan(latency_s).sum()), float(np.nansum(latency_s))
