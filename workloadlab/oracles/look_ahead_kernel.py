"""Decisions by trying them: a lane is copied for every instance that can serve, and played on.

The copy goes on under a base router, with the next `ahead` arrivals and then none, until all is served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from workloadlab.jit import entry, inline
from workloadlab.oracles.fork_kernel import copy_lane
from workloadlab.simulation.engine.arrays import (
    memory,
    offers,
    params,
    results,
    slots,
    views,
)
from workloadlab.simulation.engine.by_address import choose, next_decision, place
from workloadlab.simulation.engine.lane import (
    RUN_LANE,
    STATUS_DECIDE,
    STATUS_DONE,
    STATUS_STALLED,
)
from workloadlab.simulation.engine.lane_record import LANES_TYPE
from workloadlab.simulation.engine.record_types import NONE, TICK_S

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Array,
        Count,
        Function,
        Index,
        Lane,
        Lanes,
        Row,
        Seconds,
        Status,
    )

__all__ = ["FROM_PLAN", "LOWEST", "OR_WAIT", "look_ahead"]

LOWEST, FROM_PLAN, OR_WAIT = 1, 2, 3
"""How a row is examined: ties to the lowest index, or to what the base chose, which then goes first; or
as the first, and waiting in the router's queue is tried too, last, while something runs."""


@inline
def _cost(lane: Lane, fork: Lane) -> tuple[Count, Seconds]:
    """Return (requests not served, total latency of the others) of those that `lane` has not ended."""
    unserved, total_s = 0, 0.0
    for q in range(lane.used_slots):
        row = slots(lane)[q].row
        if np.isnan(results(lane)[row].end_s):
            r = results(fork)[row]
            if np.isnan(r.end_s):
                unserved += 1
            else:
                total_s += r.end_s - r.arrival_s
    for row in range(lane.arrived, fork.requests):
        r = results(fork)[row]
        if np.isnan(r.end_s):
            unserved += 1
        else:
            total_s += r.end_s - r.arrival_s
    return unserved, total_s


@inline
def _is_busy(lane: Lane) -> bool:
    """Say whether something runs on an instance that could serve, so that waiting comes to an end."""
    busy = 0
    for i in range(lane.instances):
        if views(lane)[i].fits == 1:
            busy += views(lane)[i].in_flight
    return bool(busy > 0)


_LOOK_AHEAD = RUN_LANE.return_type(
    LANES_TYPE,
    LANES_TYPE,
    types.uint64[::1],
    types.uint64[::1],
    types.FunctionType(RUN_LANE),
    types.uint8[::1],
    types.float64[::1],
    types.int64,
)


@entry(_LOOK_AHEAD)
def look_ahead(
    lanes: Lanes,
    forks: Lanes,
    state: Array,
    forked: Array,
    play: Function,
    examined: Array,
    plan: Array,
    ahead: Count,
) -> tuple[Status, Row, Index]:
    """Play one lane, trying every instance for the requests in `examined`.

    Writes the choices into `plan`, which may be what the base follows: then it changes on the way.
    A row that is not examined goes where the base says, which must be one that chooses. Returns
    (status, row, chosen instance).
    """
    lane, fork = lanes[0], forks[0]
    while True:
        status = next_decision(lane)(lane)
        if status == STATUS_STALLED:
            return status, slots(lane)[lane.stalled].row, NONE
        if status != STATUS_DECIDE:
            return status, NONE, NONE
        row = offers(lane)[0].row
        planned = NONE
        if lane.by_score == 0:
            own = memory(lane)[lane.replica]
            planned = choose(lane)(offers(lane)[0], views(lane), params(lane), own)
        chosen = planned
        if examined[row] > 0:
            chosen, fewest, least_s = NONE, 0, np.inf
            for turn in range(-1, lane.instances):
                i = planned if turn < 0 else turn
                out_of_turn = (turn < 0) != (examined[row] == FROM_PLAN and i == planned)
                if out_of_turn or i < 0 or views(lane)[i].fits == 0:
                    continue
                copy_lane(lane, fork, state, forked, ahead)
                place(fork)(fork, i)
                status, failed, said = play(forks)
                if status != STATUS_DONE and status != STATUS_STALLED:
                    return status, failed, said
                unserved, total_s = _cost(lane, fork)
                fewer = chosen < 0 or unserved < fewest
                if fewer or (unserved == fewest and total_s < least_s - TICK_S):
                    chosen, fewest, least_s = i, unserved, total_s
            if examined[row] == OR_WAIT and _is_busy(lane):
                copy_lane(lane, fork, state, forked, ahead)
                place(fork)(fork, NONE)
                status, failed, said = play(forks)
                if status in (STATUS_DONE, STATUS_STALLED):
                    unserved, total_s = _cost(lane, fork)
                    if unserved < fewest or (unserved == fewest and total_s < least_s - TICK_S):
                        chosen = NONE
        plan[row] = chosen
        status = place(lane)(lane, chosen)
        if status != STATUS_DONE:
            return status, row, chosen
