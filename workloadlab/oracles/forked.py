"""A lane and its fork: two lanes laid out alike, so that one can stand where the other does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UnsupportedError
from workloadlab.simulation.engine.arrays import ARRAYS, Fork
from workloadlab.simulation.engine.lane_record import ADDRESSES, LANE, LaneArrays
from workloadlab.simulation.engine.setup import lane_arrays, lane_bytes

if TYPE_CHECKING:
    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster
    from workloadlab.simulation.workload import Workload

__all__ = ["ForkedLane", "forked_bytes", "forked_lane"]

_MOVED = [name for name, row in ARRAYS.items() if row.fork is Fork.WHOLE]
"""Arrays that lie in one block of memory; `fork` copies parts of all else that a lane writes."""


@dataclass(frozen=True)
class ForkedLane:
    """Two lanes at the same moment.

    Attributes:
        lane, fork: the lanes.
        state, forked: what each writes, one block of memory in words of 8 bytes; see `_MOVED`.
    """

    lane: LaneArrays
    fork: LaneArrays
    state: Any
    forked: Any


def _in_one_block(made: LaneArrays) -> Any:
    """Move the record of a lane and what it writes into one block of memory.

    Returns the words of the block behind the addresses, which are a lane's own.
    """
    moved = [LANE.itemsize, *(made.arrays[name].nbytes for name in _MOVED)]
    ends = np.cumsum([-(-size // 8) for size in moved])
    words = np.zeros(ends[-1], np.uint64)
    record = words[: ends[0]].view(np.uint8)[: LANE.itemsize].view(LANE)
    record[:] = made.lane
    made.lane = record
    for name, first, size in zip(_MOVED, ends[:-1], moved[1:], strict=True):
        old = made.arrays[name]
        new = words[first:].view(np.uint8)[:size].view(old.dtype).reshape(old.shape)
        new[...] = old
        made.put(name, new)
    return words[len(ADDRESSES) :]


def forked_bytes(workload: Workload, cluster: Cluster, policy: Router) -> int:
    """Return what a lane and its fork take; lays nothing out."""
    return 2 * lane_bytes(workload, cluster, policy, slots=len(workload))


def forked_lane(
    workload: Workload,
    cluster: Cluster,
    policy: Router,
    seed: int,
    readers: tuple[Router, ...] = (),
) -> ForkedLane:
    """Lay out a lane and its fork, with room for every request to be live.

    Args:
        workload: what to replay.
        cluster: on what.
        policy: the router of both.
        seed: of the run.
        readers: others that read what the router is shown, such as one that goes on in the fork.

    Raises:
        UnsupportedError: turns wait for the one before them, so what arrives depends on the choices; or
            several replicas of the router take their time.
    """
    if workload.closed:
        raise UnsupportedError(
            "an oracle compares choices over the same arrivals, and in a closed loop these depend on "
            "the choices",
            fix="replay it with open sessions",
        )
    if cluster.replicas > 1 and cluster.decision_overhead_s > 0:
        raise UnsupportedError(
            f"an oracle for decision_overhead_s = {cluster.decision_overhead_s:g} with replicas = "
            f"{cluster.replicas}",
            fix="leave one of the two out",
        )
    lane = lane_arrays(workload, cluster, policy, seed, readers=readers, slots=len(workload))
    fork = lane.copy()
    for name, row in ARRAYS.items():
        if row.fork is Fork.NOTES:
            fork.put(name, lane.arrays[name])
    return ForkedLane(lane, fork, _in_one_block(lane), _in_one_block(fork))
