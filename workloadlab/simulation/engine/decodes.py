"""The decoding sequences of an instance: who ends when, and which blocks a run of steps needs.

Decodes are counted, not visited. With S the number of steps in which they advanced, the computed tokens
of a decoding sequence are `base + S`; it ends at a known step, kept in a heap; it needs a new block in
the steps where `base + S` is a multiple of the block size, so the blocks that a step needs are one cell
of a ring of counters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.jit import helper

__all__ = ["add_decode", "blocks_of_run", "drop_decode", "pop_decode", "steps_with_blocks"]


@helper
def _earlier(a: Any, b: Any) -> Any:
    return a.step < b.step or (a.step == b.step and a.order < b.order)


@helper
def _swap(seats: Any, i: Any, a: Any, b: Any) -> None:
    x, y = seats[i, a], seats[i, b]
    step, order, slot = x.step, x.order, x.slot
    x.step, x.order, x.slot = y.step, y.order, y.slot
    y.step, y.order, y.slot = step, order, slot


@helper
def _rise(seats: Any, i: Any, at: Any) -> None:
    while at > 0 and _earlier(seats[i, at], seats[i, (at - 1) >> 1]):
        _swap(seats, i, at, (at - 1) >> 1)
        at = (at - 1) >> 1


@helper
def _remove(seats: Any, i: Any, size: Any, at: Any) -> None:
    """Remove the entry at position `at` from the heap of `size` entries."""
    last = size - 1  # what is swapped in there is no longer part of the heap
    _swap(seats, i, at, last)
    if at == last:
        return
    _rise(seats, i, at)
    while True:
        child = 2 * at + 1
        if child >= last:
            return
        if child + 1 < last and _earlier(seats[i, child + 1], seats[i, child]):
            child += 1
        if not _earlier(seats[i, child], seats[i, at]):
            return
        _swap(seats, i, at, child)
        at = child


@helper
def add_decode(e: Any, s: Any, ring: Any, seats: Any, i: Any, q: Any, left: Any) -> None:
    """Let a sequence decode its `left` last tokens."""
    s.decoding = 1
    s.base = s.computed - e.steps
    ring[i, -s.base % e.block_size] += 1
    seat = seats[i, e.decodes]
    seat.step, seat.order, seat.slot = e.steps + left, s.order, q
    _rise(seats, i, e.decodes)
    e.decodes += 1
    e.context += s.computed


@helper
def _leave(e: Any, s: Any, ring: Any, i: Any) -> Any:
    """Count one decode less; return its computed tokens."""
    computed = s.base + e.steps
    ring[i, -s.base % e.block_size] -= 1
    e.decodes -= 1
    e.context -= computed
    s.decoding = 0
    return computed


@helper
def pop_decode(e: Any, slots: Any, ring: Any, seats: Any, i: Any) -> Any:
    """Take out the decode that ends first; return its slot and computed tokens."""
    q = seats[i, 0].slot
    _remove(seats, i, e.decodes, np.int64(0))
    return q, _leave(e, slots[q], ring, i)


@helper
def drop_decode(e: Any, s: Any, ring: Any, seats: Any, i: Any, q: Any) -> Any:
    """Take out a decode that is preempted; return its computed tokens."""
    at = 0  # preemptions are rare: the heap is searched from its head
    while seats[i, at].slot != q:
        at += 1
    _remove(seats, i, e.decodes, at)
    return _leave(e, s, ring, i)


@helper
def blocks_of_run(e: Any, ring: Any, i: Any, steps: Any) -> Any:
    """Count the blocks that the decodes need in the next `steps` steps."""
    needed, phase = 0, e.phase
    if steps >= e.block_size:
        rounds = steps // e.block_size
        needed = rounds * e.decodes
        steps -= rounds * e.block_size
    for _ in range(steps):
        needed += ring[i, phase]
        phase += 1
        if phase == e.block_size:
            phase = 0
    return needed


@helper
def steps_with_blocks(e: Any, ring: Any, i: Any, available: Any) -> Any:
    """Count the steps for which `available` blocks last."""
    # In as many steps as a block has tokens each decode needs one, whatever its phase.
    steps = (available // e.decodes) * e.block_size
    needed = (available // e.decodes) * e.decodes
    phase = e.phase
    while needed + ring[i, phase] <= available:
        needed += ring[i, phase]
        steps += 1
        phase += 1
        if phase == e.block_size:
            phase = 0
    return steps
