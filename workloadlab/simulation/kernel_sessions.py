"""Closed-loop sessions: a turn arrives when the one before it has ended and its think time is over."""

from __future__ import annotations

from typing import Any

from numba import njit

from workloadlab.simulation.kernel_state import JIT, NONE

__all__ = ["due", "pop_release", "release_next_turn"]


@njit(**JIT)
def _before(a: Any, b: Any) -> Any:
    return a.at_s < b.at_s or (a.at_s == b.at_s and a.row < b.row)


@njit(**JIT)
def release_next_turn(lane: Any, row: Any, now: Any) -> None:
    """Put the turn after `row`, if any, on the heap of releases, ordered by (time, row)."""
    following = lane.jobs[row].next_turn
    if following == NONE:
        return
    lane.jobs[following].arrival_s = now + lane.jobs[following].think_s
    heap, child = lane.releases, lane.counts[2]
    lane.counts[2] += 1
    heap[child].at_s, heap[child].row = lane.jobs[following].arrival_s, following
    while child > 0:
        parent = (child - 1) >> 1
        if not _before(heap[child], heap[parent]):
            break
        _swap(heap, child, parent)
        child = parent


@njit(**JIT)
def _swap(heap: Any, a: Any, b: Any) -> None:
    at_s, row = heap[a].at_s, heap[a].row
    heap[a].at_s, heap[a].row = heap[b].at_s, heap[b].row
    heap[b].at_s, heap[b].row = at_s, row


@njit(**JIT)
def due(lane: Any) -> Any:
    """Return the row of the earliest release, -1 without one."""
    return lane.releases[0].row if lane.counts[2] > 0 else NONE


@njit(**JIT)
def pop_release(lane: Any) -> None:
    """Drop the earliest release."""
    lane.counts[2] -= 1
    heap, size, hole = lane.releases, lane.counts[2], 0
    _swap(heap, 0, size)
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
