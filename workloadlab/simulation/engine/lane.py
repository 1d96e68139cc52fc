"""A lane of the compiled engine: from decision to decision, with the semantics of `reference`.

`next_decision` runs the instances until the router must place a request, `place` does what it says, and
`run_lane` asks a compiled router in between until the trace is through. All of a lane's state is in its
arrays, so a lane can stop anywhere: for a slower mind to decide, for more room, or to let a record be
read. Arrays in, arrays out; no objects, no files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from workloadlab.jit import entry, helper, inline
from workloadlab.simulation.engine.arrays import (
    decisions,
    memory,
    offers,
    params,
    scores,
    slots,
    views,
)
from workloadlab.simulation.engine.by_address import (
    choose,
    handle_events,
    index_match,
    next_decision,
    place,
    score,
)
from workloadlab.simulation.engine.instances import advance, next_end
from workloadlab.simulation.engine.lane_record import LANES_TYPE, part
from workloadlab.simulation.engine.record_types import NONE, TICK_S
from workloadlab.simulation.engine.replicas import (
    arrivals_due,
    drop_overflow,
    due_s,
    queue,
    reject_head,
    take_in,
    takes_in,
    turn_to,
    turn_to_waiting,
)
from workloadlab.simulation.engine.router_side import (
    fill_offer,
    refresh_own,
    refresh_signals,
    report,
    send,
    tell_cached,
)

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import Flag, Index, Lane, Lanes, Row, Seconds, Status

__all__ = [
    "RUN_LANE",
    "STATUS_ALL_NAN",
    "STATUS_DECIDE",
    "STATUS_DONE",
    "STATUS_NO_INSTANCE",
    "STATUS_RECORD_FULL",
    "STATUS_SLOTS_FULL",
    "STATUS_STALLED",
    "STATUS_STUCK",
    "run_lane",
]

STATUS_DONE, STATUS_DECIDE, STATUS_SLOTS_FULL, STATUS_RECORD_FULL = 0, 1, 2, 3
STATUS_NO_INSTANCE, STATUS_ALL_NAN, STATUS_STUCK, STATUS_STALLED = 4, 5, 6, 7

CHOOSE_MOMENT, REACH_MOMENT, OFFER, DRAIN = 0, 1, 2, 3
"""Stages of a lane: find the next moment; run up to it; offer what waits to the router; run out."""


@inline
def _next_moment(lane: Lane) -> Seconds:
    """Return the next moment at which the router may have to act besides arrivals, inf if none is known.

    From event to event, as long as nothing else can follow from the end of a sequence; where that may
    release a turn, from end to end; where requests wait in the router's queue, from step to step.
    """
    now = lane.event_s
    if lane.held > 0 or lane.closed == 1:
        if lane.lazy == 1:
            advance(lane, lane.reached_s)
        now = min(now, next_end(lane, lane.held > 0))
    return now


@helper
def _reach(lane: Lane) -> Status:
    """Run all instances up to the moment; let happen, then arrive, what is due then."""
    if lane.interval_s > 0.0:
        refresh_signals(lane, lane.now_s)
    if lane.full == 0 and lane.stalled == NONE:
        advance(lane, lane.now_s)
        lane.reached_s = lane.now_s
    if lane.stalled != NONE:
        return STATUS_STALLED
    if lane.full == 1:
        return STATUS_RECORD_FULL
    if lane.event_s <= lane.now_s + TICK_S:
        handle_events(lane)(lane)
    return STATUS_DECIDE if arrivals_due(lane, lane.now_s) else STATUS_SLOTS_FULL


@helper
def _offer(lane: Lane) -> Flag:
    """Offer the first request of a replica's queue that some instance may take; say if there is one."""
    while lane.replica < lane.replicas:
        while queue(lane).count > 0:
            ever, free = refresh_own(lane)
            if not ever:
                reject_head(lane)
                continue
            if not free:
                drop_overflow(lane)
                break
            if lane.shows == 1:
                report(lane)
            if lane.guesses == 1:
                index_match(lane)(lane)
            elif lane.sees_cache == 1:
                tell_cached(lane)
            fill_offer(lane)
            return True
        turn_to(lane, lane.replica + 1)
    turn_to(lane, np.int64(0))
    lane.stage = CHOOSE_MOMENT
    return False


@part("next_decision")
def _next_decision(lane: Lane) -> Status:
    """Run until a request must be placed: then `offers` and `views` describe the choice.

    Returns a status: STATUS_DECIDE, STATUS_DONE when the lane is through, or why it cannot go on; after
    more room was made it goes on from where it stood.
    """
    while True:
        if lane.stage == CHOOSE_MOMENT:
            waits = lane.held > 0 or lane.event_s < np.inf
            if not waits and lane.arrived == lane.requests:
                lane.stage = DRAIN
                continue
            now = _next_moment(lane)
            if lane.full == 1:
                return STATUS_RECORD_FULL
            if lane.stalled != NONE:
                return STATUS_STALLED
            if takes_in(lane) and not take_in(lane, now - TICK_S):
                return STATUS_SLOTS_FULL
            now = min(now, due_s(lane))
            if now == np.inf:
                turn_to_waiting(lane)
                return STATUS_STUCK
            lane.now_s = now
            lane.stage = REACH_MOMENT
        if lane.stage == REACH_MOMENT:
            status = _reach(lane)
            if status != STATUS_DECIDE:
                return status
            lane.stage = OFFER
        if lane.stage == OFFER and _offer(lane):
            return STATUS_DECIDE
        if lane.stage == DRAIN:
            advance(lane, np.inf)
            if lane.stalled != NONE:
                return STATUS_STALLED
            return STATUS_RECORD_FULL if lane.full == 1 else STATUS_DONE


@part("place")
def _place(lane: Lane, chosen: Index) -> Status:
    """Do what the router chose; -1 keeps the request waiting until the next moment."""
    if chosen == -1:
        drop_overflow(lane)
        turn_to(lane, lane.replica + 1)
        return STATUS_DONE
    if chosen < 0 or chosen >= lane.instances:
        return STATUS_NO_INSTANCE
    send(lane, chosen)
    return STATUS_DONE


@inline
def _lowest_score(lane: Lane) -> Index:
    """Return the fitting instance of lowest score, ties to the lowest index; -1 if all are NaN."""
    offer, shown = offers(lane)[0], views(lane)
    value_of, settings = score(lane), params(lane)
    best, best_score = -1, np.inf
    for i in range(lane.instances):
        if shown[i].fits == 1:
            value = value_of(offer, shown[i], settings)
            if value < best_score or (best < 0 and value == np.inf):
                best, best_score = i, value
    return best


@inline
def _record(lane: Lane, chosen: Index) -> None:
    """Write a decision down, with the score of every instance that could be chosen."""
    offer, shown, row = offers(lane)[0], views(lane), lane.recorded_decisions
    d = decisions(lane)[row]
    d.row, d.at_s, d.chosen, d.held = offer.row, lane.now_s, chosen, queue(lane).count
    d.view_age_s = offer.report_age_s
    for i in range(lane.instances):
        value = np.nan
        if lane.by_score == 1 and shown[i].fits == 1:
            value = score(lane)(offer, shown[i], params(lane))
        scores(lane)[row, i] = value
    lane.recorded_decisions += 1


RUN_LANE = types.Tuple((types.int64, types.int64, types.int64))(LANES_TYPE)


@entry(RUN_LANE)
def run_lane(lanes: Lanes) -> tuple[Status, Row, Index]:
    """Replay the one lane in place; return (status, row, chosen instance)."""
    lane = lanes[0]
    while True:
        if 0 < lane.room_for_decisions == lane.recorded_decisions:
            return STATUS_RECORD_FULL, NONE, NONE
        status = next_decision(lane)(lane)
        if status == STATUS_STALLED:
            return status, slots(lane)[lane.stalled].row, NONE
        if status == STATUS_STUCK:
            return status, slots(lane)[queue(lane).head].row, NONE
        if status != STATUS_DECIDE:
            return status, NONE, NONE
        if lane.by_score == 1:
            chosen = _lowest_score(lane)
            if chosen < 0:
                return STATUS_ALL_NAN, offers(lane)[0].row, chosen
        else:
            chosen = choose(lane)(
                offers(lane)[0], views(lane), params(lane), memory(lane)[lane.replica]
            )
        if lane.room_for_decisions > 0:
            _record(lane, chosen)
        status = place(lane)(lane, chosen)
        if status != STATUS_DONE:
            return status, offers(lane)[0].row, chosen
