"""The decoding sequences of an instance: who ends when, and which blocks a run of steps needs.

Decodes are counted, not visited. With S the number of steps in which they advanced, the computed tokens
of a decoding sequence are `base + S`; it ends at a known step, kept in a heap; it needs a new block in
the steps where `base + S` is a multiple of the block size, so the blocks that a step needs are one cell
of a ring of counters.

Output tokens that are predicted and left are counted alike, where a router may ask. Tokens of decodes
beyond their predictions grow by `over` a step, the number of those decodes. A decode that will go beyond
its prediction has the step at which it does in a sorted list, until the tokens are asked for.

A decode whose next block has an id has the step that fills it in a heap, until the cache is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Array,
        Count,
        Flag,
        Index,
        Instance,
        Position,
        Record,
        Request,
        Slot,
    )

__all__ = [
    "add_decode",
    "blocks_of_run",
    "drop_decode",
    "drop_fill",
    "end_overrun",
    "expect_fill",
    "expect_overrun",
    "longest_context",
    "next_fill",
    "overrun",
    "pop_decode",
    "steps_with_blocks",
    "suspend_overrun",
]


@helper
def _earlier(a: Record, b: Record) -> Flag:
    return a.step < b.step or (a.step == b.step and a.order < b.order)


@helper
def _swap(heap: Array, i: Index, a: Position, b: Position) -> None:
    x, y = heap[i, a], heap[i, b]
    step, order, slot = x.step, x.order, x.slot
    x.step, x.order, x.slot = y.step, y.order, y.slot
    y.step, y.order, y.slot = step, order, slot


@helper
def _rise(heap: Array, i: Index, at: Position) -> None:
    while at > 0 and _earlier(heap[i, at], heap[i, (at - 1) >> 1]):
        _swap(heap, i, at, (at - 1) >> 1)
        at = (at - 1) >> 1


@helper
def _remove(heap: Array, i: Index, size: Count, at: Position) -> None:
    """Remove the entry at position `at` from the heap of `size` entries."""
    last = size - 1  # what is swapped in there is no longer part of the heap
    _swap(heap, i, at, last)
    if at == last:
        return
    _rise(heap, i, at)
    while True:
        child = 2 * at + 1
        if child >= last:
            return
        if child + 1 < last and _earlier(heap[i, child + 1], heap[i, child]):
            child += 1
        if not _earlier(heap[i, child], heap[i, at]):
            return
        _swap(heap, i, at, child)
        at = child


@helper
def add_decode(
    e: Instance, s: Request, by_phase: Array, heap: Array, i: Index, q: Slot, left: Count
) -> None:
    """Let a sequence decode its `left` last tokens."""
    s.decoding = 1
    s.base = s.computed - e.steps
    s.phase = -s.base % e.block_size
    by_phase[i, s.phase] += 1
    if e.decodes == 0 or s.base >= e.longest:
        e.longest, e.longest_left = s.base, 0
    entry = heap[i, e.decodes]
    entry.step, entry.order, entry.slot = e.steps + left, s.order, q
    _rise(heap, i, e.decodes)
    e.decodes += 1
    e.context += s.computed


@helper
def _leave(e: Instance, s: Request, by_phase: Array, i: Index) -> Count:
    """Count one decode less; return its computed tokens."""
    computed = s.base + e.steps
    by_phase[i, s.phase] -= 1
    if s.base == e.longest:
        e.longest_left = 1
    e.decodes -= 1
    e.context -= computed
    s.decoding = 0
    return computed


@helper
def pop_decode(
    e: Instance, slots: Array, by_phase: Array, heap: Array, i: Index
) -> tuple[Slot, Count]:
    """Take out the decode that ends first; return its slot and computed tokens."""
    q = heap[i, 0].slot
    _remove(heap, i, e.decodes, np.int64(0))
    return q, _leave(e, slots[q], by_phase, i)


@helper
def drop_decode(e: Instance, s: Request, by_phase: Array, heap: Array, i: Index, q: Slot) -> Count:
    """Take out a decode that is preempted; return its computed tokens."""
    at = 0  # preemptions are rare: the heap is searched from its head
    while heap[i, at].slot != q:
        at += 1
    _remove(heap, i, e.decodes, at)
    return _leave(e, s, by_phase, i)


@helper
def longest_context(e: Instance, slots: Array, heap: Array, i: Index) -> Count:
    """Return the computed tokens of the decode that has most, of which there is one."""
    if e.longest_left == 1:
        e.longest, e.longest_left = slots[heap[i, 0].slot].base, 0
        for k in range(1, e.decodes):
            e.longest = max(e.longest, slots[heap[i, k].slot].base)
    return e.longest + e.steps


@helper
def expect_fill(e: Instance, s: Request, heap: Array, i: Index, q: Slot) -> None:
    """Note when a decode that just began fills its next block, which has an id.

    The batch that fills it caches it; one formed before the token is known leaves it to the next.
    """
    entry = heap[i, e.fills]
    entry.step = (s.cached_blocks + 1) * e.block_size - 1 - s.base + e.overlapped
    entry.order, entry.slot = s.order, q
    _rise(heap, i, e.fills)
    e.fills += 1


@helper
def next_fill(e: Instance, s: Request, heap: Array, i: Index) -> None:
    """Turn from the block that was filled first to the next of the same decode, if that has an id."""
    _remove(heap, i, e.fills, np.int64(0))  # what is removed stands behind the others
    e.fills -= 1
    if s.cached_blocks < s.blocks:
        heap[i, e.fills].step += e.block_size
        _rise(heap, i, e.fills)
        e.fills += 1


@helper
def drop_fill(e: Instance, heap: Array, i: Index, q: Slot) -> None:
    """Forget the next block with an id of a decode that ends or is preempted, if there is one."""
    for at in range(e.fills):
        if heap[i, at].slot == q:
            _remove(heap, i, e.fills, np.int64(at))
            e.fills -= 1
            return


@helper
def overrun(e: Instance, row: Array) -> Count:
    """Return the tokens of an instance's requests beyond their predictions."""
    while e.short > 0 and row[e.short - 1] <= e.steps:
        e.short -= 1
        e.over += 1
        e.over_from += row[e.short]
    return e.over * e.steps - e.over_from


@helper
def expect_overrun(e: Instance, s: Request, row: Array) -> None:
    """Note when a decode that just began, its prediction too short, goes beyond it."""
    left = s.predicted - s.generated
    if left > 0:
        overrun(e, row)  # makes room: of the others each is of a decode that goes on
        at = e.short
        while at > 0 and row[at - 1] < e.steps + left:  # the next step stands last
            row[at] = row[at - 1]
            at -= 1
        row[at] = e.steps + left
        e.short += 1
        return
    e.over += 1  # tokens that it gave before a preemption are counted already, this one is not
    e.over_from += e.steps if left == 0 else e.steps - 1


@helper
def end_overrun(e: Instance, s: Request) -> None:
    """Forget the tokens beyond its prediction of a decode that ended, noted or still to be noted."""
    e.over -= 1
    e.over_from -= e.steps - (s.output - s.predicted)


@helper
def suspend_overrun(e: Instance, s: Request, row: Array) -> None:
    """Let the tokens beyond its prediction of a decode that is preempted stand as they are."""
    overrun(e, row)
    left = s.predicted - s.generated
    if left <= 0:
        e.over -= 1
        e.over_from -= e.steps
        return
    at = 0
    while row[at] != e.steps + left:  # whose step it is does not matter
        at += 1
    e.short -= 1
    for k in range(at, e.short):
        row[k] = row[k + 1]


@helper
def blocks_of_run(e: Instance, by_phase: Array, i: Index, steps: Count) -> Count:
    """Count the blocks that the decodes need in the next `steps` steps."""
    needed, phase = 0, e.phase
    if steps >= e.block_size:
        rounds = steps // e.block_size
        needed = rounds * e.decodes
        steps -= rounds * e.block_size
    for _ in range(steps):
        needed += by_phase[i, phase]
        phase += 1
        if phase == e.block_size:
            phase = 0
    return needed


@helper
def steps_with_blocks(e: Instance, by_phase: Array, i: Index, available: Count) -> Count:
    """Count the steps for which `available` blocks last."""
    # In as many steps as a block has tokens each decode needs one, whatever its phase.
    steps = (available // e.decodes) * e.block_size
    needed = (available // e.decodes) * e.decodes
    phase = e.phase
    while needed + by_phase[i, phase] <= available:
        needed += by_phase[i, phase]
        steps += 1
        phase += 1
        if phase == e.block_size:
            phase = 0
    return steps
