"""What each choice would have cost, at some of the decisions of a lane that goes its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import from_dtype, types

from workloadlab.jit import entry, inline
from workloadlab.oracles.fork_kernel import copy_lane
from workloadlab.routing.signals import INSTANCE, REQUEST
from workloadlab.simulation.engine.arrays import (
    memory,
    offers,
    outputs,
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
from workloadlab.simulation.engine.record_types import NONE
from workloadlab.simulation.engine.replicas import reject_head

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

__all__ = ["label_decisions"]

_UNSERVED_S = 1e6
"""What a request costs that goes unserved in a trial."""


@inline
def _cost_of(fork: Lane, row: Row, weights: Array) -> Seconds:
    """Return the weighted seconds of one request in a trial, and its miss of the targets."""
    r = results(fork)[row]
    if np.isnan(r.end_s):
        return _UNSERVED_S
    ttft_s, e2e_s = r.first_token_s - r.arrival_s, r.end_s - r.arrival_s
    later_s = r.end_s - r.first_token_s
    late = ttft_s > weights[3] or later_s > weights[4] * (outputs(fork)[row] - 1)
    return weights[0] * e2e_s + weights[1] * ttft_s + (weights[2] if late else 0.0)


@inline
def _cost(lane: Lane, fork: Lane, weights: Array) -> Seconds:
    """Return the cost of all requests in a trial that `lane` has not ended."""
    total_s = 0.0
    for q in range(lane.used_slots):
        row = slots(lane)[q].row
        if np.isnan(results(lane)[row].end_s):
            total_s += _cost_of(fork, row, weights)
    for row in range(lane.arrived, fork.requests):
        total_s += _cost_of(fork, row, weights)
    return total_s


@inline
def _stand_there(
    lane: Lane, fork: Lane, state: Array, forked: Array, remembered: Array, ahead: Count
) -> None:
    """Make the fork stand where its lane does, with the memory of its own router."""
    copy_lane(lane, fork, state, forked, ahead)
    for replica in range(lane.replicas):
        for cell in range(lane.memory_cells):
            memory(fork)[replica, cell] = remembered[replica, cell]


_LABEL = RUN_LANE.return_type(
    LANES_TYPE,
    LANES_TYPE,
    types.uint64[::1],
    types.uint64[::1],
    types.FunctionType(RUN_LANE),
    types.int64[::1],
    types.Array(from_dtype(REQUEST), 1, "C"),
    types.Array(from_dtype(INSTANCE), 2, "C"),
    types.float64[:, ::1],
    types.float64[:, ::1],
    types.int64[::1],
    types.float64[:, ::1],
    types.float64[::1],
    types.int64,
)


@entry(_LABEL)
def label_decisions(
    lanes: Lanes,
    forks: Lanes,
    state: Array,
    forked: Array,
    play: Function,
    label: Array,
    asked: Array,
    seen: Array,
    costs: Array,
    inflicted: Array,
    chosen: Array,
    remembered: Array,
    weights: Array,
    ahead: Count,
) -> tuple[Status, Row, Index]:
    """Play one lane as its router says, and try every choice for the rows that have a label.

    `label` is by row the place of its label, or -1. A label is the request and the instances as the
    router saw them when the request was first offered, what it chose, and the cost of each choice:
    first of every instance, NaN where the request cannot go, then of waiting. In a trial the router of
    the fork goes on, with the memory that it had if it had decided all before: `remembered`, by replica
    of the router. `inflicted`, if it has rows, gets of every instance what the others cost more than
    in a trial without the request. Returns (status, row, chosen instance).
    """
    lane, fork = lanes[0], forks[0]
    while True:
        status = next_decision(lane)(lane)
        if status == STATUS_STALLED:
            return status, slots(lane)[lane.stalled].row, NONE
        if status != STATUS_DECIDE:
            return status, NONE, NONE
        row = offers(lane)[0].row
        mine = memory(lane)[lane.replica]
        own = choose(lane)(offers(lane)[0], views(lane), params(lane), mine)
        choose(fork)(offers(lane)[0], views(lane), params(fork), remembered[lane.replica])
        at = label[row]
        if at >= 0:
            label[row] = NONE
            asked[at] = offers(lane)[0]
            chosen[at] = own
            busy = 0
            for i in range(lane.instances + 1):
                costs[at, i] = np.nan
                if i < lane.instances:
                    seen[at, i] = views(lane)[i]
                    busy += views(lane)[i].in_flight
                    if views(lane)[i].fits == 0:
                        continue
                elif busy == 0:
                    continue
                _stand_there(lane, fork, state, forked, remembered, ahead)
                place(fork)(fork, i if i < lane.instances else NONE)
                status, failed, said = play(forks)
                if status in (STATUS_DONE, STATUS_STALLED):
                    costs[at, i] = _cost(lane, fork, weights)
                    if i < lane.instances and len(inflicted) > 0:
                        inflicted[at, i] = costs[at, i] - _cost_of(fork, row, weights)
                elif i < lane.instances:
                    return status, failed, said
            if len(inflicted) > 0:
                _stand_there(lane, fork, state, forked, remembered, ahead)
                reject_head(fork)
                status, failed, said = play(forks)
                if status not in (STATUS_DONE, STATUS_STALLED):
                    return status, failed, said
                alone = _cost(lane, fork, weights) - _cost_of(fork, row, weights)
                for i in range(lane.instances):
                    inflicted[at, i] -= alone
        status = place(lane)(lane, own)
        if status != STATUS_DONE:
            return status, row, own
