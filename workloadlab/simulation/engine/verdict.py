"""How a lane ended: the outcomes of its requests, or the error that stopped it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.simulation.outcome import Outcome

if TYPE_CHECKING:
    from workloadlab.routing import Router
    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.engine.lane_record import LaneArrays

__all__ = ["SHOWN", "lane_problem", "outcome_of"]

SHOWN = ("results", "memory")
"""Arrays of a lane of which its outcome is a view."""


def outcome_of(made: LaneArrays, request_overhead_s: float) -> Outcome:
    """Return what became of the requests of a lane."""
    results, engines, memory = (made.arrays[name] for name in ("results", "engines", "memory"))
    replicas = int(made.lane["replicas"][0])
    return Outcome(
        arrival_s=results["arrival_s"] - request_overhead_s,
        instance=results["instance"],
        dispatch_s=results["dispatch_s"],
        scheduled_s=results["scheduled_s"],
        first_token_s=results["first_token_s"],
        end_s=results["end_s"],
        preemptions=results["preemptions"],
        cached_tokens=results["cached"],
        steps=int(engines["taken_steps"].sum()),
        steps_outside=int(engines["outside"].sum()),
        memory=memory.reshape(replicas, memory.size // replicas),
    )


def lane_problem(
    status: int, row: int, chosen: int, policy: Router, made: LaneArrays, cluster: Cluster
) -> UsageError:
    """Return the error of a lane that stopped for another reason than its end."""
    from workloadlab.simulation.engine import lane

    count = len(made.arrays["views"])
    if status == lane.STATUS_STALLED:
        instance = int(made.arrays["results"]["instance"][row])
        s = made.arrays["slots"][int(made.lane["stalled"][0])]
        return UsageError(
            f"{cluster.instance_names[instance]} can never schedule request {row} "
            f"({s['input']:,} prompt and {s['output']:,} output tokens): it waits for KV blocks that "
            "nothing will free",
            fix="give the pool more kv_blocks, or a smaller watermark",
        )
    said = {
        lane.STATUS_NO_INSTANCE: (
            f"chose instance {chosen} for request {row}; the cluster has 0 to {count - 1}",
            "return an index into `instances`, or -1 to defer",
        ),
        lane.STATUS_ALL_NAN: (
            f"scores every instance NaN for request {row}",
            "return a number; guard divisions of zero by zero",
        ),
        lane.STATUS_STUCK: (
            f"defers request {row} although every instance is idle and nothing else will arrive",
            "place a request when an instance is idle",
        ),
    }
    what, fix = said[status]
    return UsageError(f"router {policy.name!r} {what}", where=policy.location, fix=fix)
