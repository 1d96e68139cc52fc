"""Arrivals: by the clock, released by the turn before in a closed loop, or back from an instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper, inline
from workloadlab.simulation.engine.arrays import (
    arrivals,
    next_turns,
    releases,
    results,
    starts,
    thinks,
)
from workloadlab.simulation.engine.record_types import NONE, TICK_S

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Array,
        Flag,
        Lane,
        Position,
        Record,
        Row,
        Seconds,
    )

__all__ = [
    "next_arrival",
    "note_end",
    "pop_arrival",
    "release",
    "release_next_turn",
]


@helper
def _before(a: Record, b: Record) -> Flag:
    if a.at_s < b.at_s - TICK_S or b.at_s < a.at_s - TICK_S:
        return a.at_s < b.at_s
    return a.row < b.row


@helper
def _swap(heap: Array, a: Position, b: Position) -> None:
    at_s, row = heap[a].at_s, heap[a].row
    heap[a].at_s, heap[a].row = heap[b].at_s, heap[b].row
    heap[b].at_s, heap[b].row = at_s, row


@helper
def release_next_turn(lane: Lane, row: Row, now: Seconds) -> None:
    """Let the turn after `row`, if any, come once its think time is over."""
    following = next_turns(lane)[row] if lane.closed == 1 else NONE
    if following != NONE:
        release(lane, following, now + thinks(lane)[following])


@helper
def release(lane: Lane, row: Row, at_s: Seconds) -> None:
    """Let a request come to the router at a moment: a heap of releases, ordered by (time, row)."""
    heap = releases(lane)
    child = lane.released
    lane.released += 1
    heap[child].at_s, heap[child].row = at_s, row
    while child > 0:
        parent = (child - 1) >> 1
        if not _before(heap[child], heap[parent]):
            break
        _swap(heap, child, parent)
        child = parent


@inline
def note_end(lane: Lane, row: Row) -> None:
    """Put a request that ended or was rejected in front of those before it."""
    results(lane)[row].ended_before = lane.last_ended
    lane.last_ended = row


@helper
def _pop_release(lane: Lane) -> None:
    """Drop the earliest release."""
    heap = releases(lane)
    lane.released -= 1
    size, hole = lane.released, np.int64(0)
    _swap(heap, hole, size)
    while True:
        child = 2 * hole + 1
        if child >= size:
            return
        if child + 1 < size and _before(heap[child + 1], heap[child]):
            child += 1
        if not _before(heap[child], heap[hole]):
            return
        _swap(heap, hole, child)
        hole = child


@helper
def next_arrival(lane: Lane) -> Seconds:
    """Return when the next request comes, inf if none is known."""
    at_s = np.inf
    if lane.started < lane.start_count:
        at_s = arrivals(lane)[starts(lane)[lane.started]]
    if lane.released > 0:
        at_s = min(at_s, releases(lane)[0].at_s)
    return at_s


@inline
def pop_arrival(lane: Lane) -> Row:
    """Take the request that comes next, of one moment the first in the trace; return its row."""
    row, at_s = NONE, np.inf
    if lane.started < lane.start_count:
        row = starts(lane)[lane.started]
        at_s = arrivals(lane)[row]
    if lane.released > 0:
        r = releases(lane)[0]
        if r.at_s < at_s - TICK_S or (r.at_s <= at_s + TICK_S and r.row < row):
            row, at_s = r.row, r.at_s
            _pop_release(lane)
            if np.isnan(results(lane)[row].arrival_s):
                results(lane)[row].arrival_s = at_s
            return row
    lane.started += 1
    results(lane)[row].arrival_s = at_s
    return row
