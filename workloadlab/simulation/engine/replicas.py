"""The replicas of the router, each with a queue, a memory, a prefix index and counters of its own.

They see the same reports, and each knows only what it sent itself. At one moment they decide one after
the other; `lane.replica` says whose turn it is, and `queue` is its queue. A single replica counts by
what the instances hold; several have a row of `ledgers` each.

Where a decision takes time and there are several, a request comes into the inbox of its replica first,
and from there into the queue. An arrival is taken in ahead of its moment where it may be the next to be
decided on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper, inline
from workloadlab.simulation.engine.arrays import (
    first_blocks,
    inboxes,
    inputs,
    ledgers,
    outputs,
    priorities,
    queues,
    results,
    sent_then,
    settled,
    slots,
    views,
)
from workloadlab.simulation.engine.arrivals import (
    next_arrival,
    note_end,
    pop_arrival,
    release_next_turn,
)
from workloadlab.simulation.engine.instance import replica_of
from workloadlab.simulation.engine.linked_list import append, insert, unlink
from workloadlab.simulation.engine.record_types import NONE, TICK_S

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Flag,
        Index,
        Lane,
        Position,
        Record,
        Request,
        Row,
        Seconds,
        Slot,
    )

__all__ = [
    "arrivals_due",
    "count_sent",
    "drop_overflow",
    "due_s",
    "leave",
    "note_report",
    "queue",
    "reject",
    "reject_head",
    "see_report",
    "show_counts",
    "take_in",
    "takes_in",
    "turn_to",
    "turn_to_waiting",
]


@inline
def queue(lane: Lane) -> Record:
    """Return the queue of the replica whose turn it is."""
    return queues(lane)[lane.replica]


@inline
def turn_to(lane: Lane, replica: Position) -> None:
    """Let it be a replica's turn."""
    lane.replica = replica
    if lane.guesses == 1:
        lane.first_word = replica * lane.prefix_words


@helper
def turn_to_waiting(lane: Lane) -> None:
    """Let it be the turn of the first replica with a request in its queue."""
    replica = 0
    while queues(lane)[replica].count == 0:
        replica += 1
    turn_to(lane, replica)


@inline
def _free_slot(lane: Lane) -> Slot:
    """Return a slot for a live request, -1 if all are taken."""
    q = lane.free_slot
    if q != NONE:
        lane.free_slot = slots(lane)[q].next
    elif lane.used_slots < lane.slot_count:
        q = lane.used_slots
        lane.used_slots += 1
    return q


@inline
def _fill_slot(lane: Lane, s: Request, row: Row) -> None:
    s.row, s.runs = row, NONE
    s.input, s.output = inputs(lane)[row], outputs(lane)[row]
    s.priority = priorities(lane)[row]
    s.first_block = first_blocks(lane)[row]
    s.blocks = first_blocks(lane)[row + 1] - s.first_block


@inline
def _first_due(lane: Lane) -> Position:
    """Return the replica that makes the next decision."""
    first = np.int64(0)
    for r in range(1, lane.replicas):
        if inboxes(lane)[r].due_s < inboxes(lane)[first].due_s:
            first = np.int64(r)
    return first


@inline
def takes_in(lane: Lane) -> Flag:
    """Say whether replicas have inboxes."""
    return lane.decision_s > 0.0 and lane.replicas > 1


@helper
def due_s(lane: Lane) -> Seconds:
    """Return when the next request that is known comes into a queue, inf if there is none."""
    if takes_in(lane):
        return inboxes(lane)[_first_due(lane)].due_s
    at_s = next_arrival(lane)
    if lane.decision_s > 0.0:
        return max(at_s, inboxes(lane)[0].decided_s) + lane.decision_s
    return at_s


@helper
def take_in(lane: Lane, until: Seconds) -> Flag:
    """Take arrivals before `until` into inboxes as long as they may be the next to be decided on.

    Whoever is taken behind another comes before that is decided on, so its own moment need not be kept.
    Nothing that is still unknown may come before `until`. Returns whether there was a slot for each.
    """
    live = slots(lane)
    while True:
        at_s = next_arrival(lane)
        if at_s >= until or at_s + lane.decision_s >= due_s(lane):
            return True
        q = _free_slot(lane)
        if q == NONE:
            return False
        _fill_slot(lane, live[q], pop_arrival(lane))
        own = inboxes(lane)[replica_of(lane, live[q].row)]
        append(own.undecided, live, q)
        if own.undecided.count == 1:
            own.due_s = max(at_s, own.decided_s) + lane.decision_s


@inline
def _take_out(lane: Lane) -> Slot:
    """Take the next request that is decided on out of its inbox."""
    own = inboxes(lane)[_first_due(lane)]
    q = own.undecided.head
    unlink(own.undecided, slots(lane), q)
    own.decided_s = own.due_s
    own.due_s = np.inf if own.undecided.count == 0 else own.decided_s + lane.decision_s
    return q


@inline
def arrivals_due(lane: Lane, now: Seconds) -> Flag:
    """Move the requests that are due by `now` into the router's queues, of one moment in order of row.

    Returns whether there was a slot for each of them.
    """
    live = slots(lane)
    _settle(lane)
    moment_s = now + TICK_S
    while True:
        if takes_in(lane) and not take_in(lane, moment_s - lane.decision_s):
            return False
        decided_s = due_s(lane)
        if decided_s > moment_s:
            return True
        if takes_in(lane):
            q = _take_out(lane)
        else:
            q = _free_slot(lane)
            if q == NONE:
                return False
            inboxes(lane)[0].decided_s = decided_s
            _fill_slot(lane, live[q], pop_arrival(lane))
        if lane.decision_s > 0.0:
            _settle(lane)
        lane.now_s = max(lane.now_s, results(lane)[live[q].row].arrival_s)
        _enqueue(lane, q)
        lane.arrived += 1


@inline
def _settle(lane: Lane) -> None:
    """Note where the queues end before the arrivals of a moment."""
    for r in range(lane.replicas):
        settled(lane)[r] = queues(lane)[r].tail


@inline
def _enqueue(lane: Lane, q: Slot) -> None:
    """Put an arrival into the queue of its replica, of one moment in order of row."""
    live = slots(lane)
    r = replica_of(lane, live[q].row)
    before = queues(lane)[r].tail
    while before != settled(lane)[r] and live[before].row > live[q].row:
        before = live[before].previous
    insert(queues(lane)[r], live, q, before)
    lane.held += 1


@inline
def leave(lane: Lane, q: Slot) -> None:
    """Take a request out of the queue of the replica whose turn it is."""
    unlink(queue(lane), slots(lane), q)
    lane.held -= 1


@helper
def reject(lane: Lane, q: Slot) -> None:
    """End a request without service."""
    row = slots(lane)[q].row
    note_end(lane, row)
    release_next_turn(lane, row, lane.now_s)
    slots(lane)[q].next = lane.free_slot
    lane.free_slot = q


@helper
def reject_head(lane: Lane) -> None:
    """Reject the first request in the queue: no instance could ever serve it."""
    q = queue(lane).head
    leave(lane, q)
    reject(lane, q)


@helper
def drop_overflow(lane: Lane) -> None:
    """Reject the newest requests of a queue that is longer than allowed."""
    while queue(lane).count > lane.most_held:
        q = queue(lane).tail
        leave(lane, q)
        reject(lane, q)


@inline
def count_sent(lane: Lane, s: Request, i: Index) -> None:
    """Count a request that goes to an instance; `instance` counts it out again when it ends."""
    if lane.replicas > 1:
        own = ledgers(lane)[lane.replica, i]
        own.in_flight += 1
        own.sent += 1
        own.sent_tokens += s.input


@inline
def note_report(lane: Lane, place: Position) -> None:
    """Note what each of several replicas had sent when a report is taken."""
    for r in range(lane.counting_replicas):
        for i in range(lane.instances):
            own = ledgers(lane)[r, i]
            sent_then(lane)[place, r, i, 0] = own.sent
            sent_then(lane)[place, r, i, 1] = own.sent_tokens


@inline
def see_report(lane: Lane, place: Position) -> None:
    """Let each of several replicas take a report to know what it had sent when that was taken.

    One that overwrites takes it to know all that it has sent by now.
    """
    for r in range(lane.counting_replicas):
        for i in range(lane.instances):
            own = ledgers(lane)[r, i]
            own.reported, own.reported_tokens = own.sent, own.sent_tokens
            if lane.overwrites == 0:
                own.reported = sent_then(lane)[place, r, i, 0]
                own.reported_tokens = sent_then(lane)[place, r, i, 1]


@inline
def show_counts(lane: Lane) -> None:
    """Show the replica whose turn it is what it counts itself, if there are several."""
    if lane.replicas > 1:
        for i in range(lane.instances):
            own, v = ledgers(lane)[lane.replica, i], views(lane)[i]
            v.in_flight = own.in_flight
            v.sent_since_report = own.sent - own.reported
            v.sent_tokens_since_report = own.sent_tokens - own.reported_tokens
