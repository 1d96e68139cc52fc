"""The replicas of the router, each with a queue, a memory, a prefix index and counters of its own.

They see the same reports, and each knows only what it sent itself. At one moment they decide one after
the other; `lane.replica` says whose turn it is, and `queue` is its queue. A single replica counts by
what the instances hold; several have a row of `ledgers` each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.jit import helper, inline
from workloadlab.simulation.engine.arrays import (
    ledgers,
    queues,
    sent_then,
    settled,
    slots,
    views,
)
from workloadlab.simulation.engine.arrivals import note_end, release_next_turn
from workloadlab.simulation.engine.instance import replica_of
from workloadlab.simulation.engine.linked_list import insert, unlink

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import Index, Lane, Position, Record, Request, Slot

__all__ = [
    "count_sent",
    "drop_overflow",
    "enqueue",
    "leave",
    "note_report",
    "queue",
    "reject",
    "reject_head",
    "see_report",
    "settle",
    "show_counts",
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
def settle(lane: Lane) -> None:
    """Note where the queues end before the arrivals of a moment."""
    for r in range(lane.replicas):
        settled(lane)[r] = queues(lane)[r].tail


@inline
def enqueue(lane: Lane, q: Slot) -> None:
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
