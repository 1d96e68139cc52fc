"""Who is preempted where blocks are short, and where it is put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper, inline
from workloadlab.simulation.engine.admission import before_in_queue
from workloadlab.simulation.engine.arrays import (
    blocks_by_phase,
    decode_heap,
    engines,
    results,
    short_steps,
    slots,
)
from workloadlab.simulation.engine.decodes.counted import drop_decode, suspend_overrun
from workloadlab.simulation.engine.kv_blocks import release
from workloadlab.simulation.engine.linked_list import insert, unlink
from workloadlab.simulation.engine.record_types import NONE, ORDERS

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Array,
        Count,
        Index,
        Instance,
        Lane,
        Record,
        Request,
        Slot,
    )

__all__ = ["preempt", "victim"]

PRIORITY = ORDERS.index("priority")


@helper
def _worst(e: Instance, slots: Array, queue: Record, worst: Slot) -> Slot:
    """Return who of a list is preempted, or `worst` if it is nobody of them."""
    q = queue.tail
    while q != NONE:
        if worst == NONE:
            worst = q
        elif e.queue_order == PRIORITY:
            if before_in_queue(e.queue_order, slots[worst], slots[q]):
                worst = q
        elif slots[q].order > slots[worst].order:
            worst = q
        q = slots[q].previous if e.queue_order == PRIORITY else NONE
    return worst


@helper
def victim(e: Instance, slots: Array) -> Slot:
    """Return who is preempted: the last admitted, or the least important and of those the newest."""
    return _worst(e, slots, e.leaving, _worst(e, slots, e.running, np.int64(NONE)))


@helper
def _cached_of(e: Instance, s: Request, computed: Count) -> Count:
    """Count the cached blocks of a sequence, which may have been served in this step.

    A batch formed before the last token of a decode is known has not cached the block that it fills.
    """
    if e.overlapped == 0 or s.decoding == 0:
        return (computed + s.chunk) // e.block_size
    late = 1 if s.chunk == 0 and computed > s.target else 0
    return (computed - late) // e.block_size


@inline
def _preempt_leaving(i: Index, lane: Lane, q: Slot) -> None:
    """Take the blocks of a sequence that has ended; its last token is on its way."""
    e, s = engines(lane)[i], slots(lane)[q]
    unlink(e.leaving, slots(lane), q)
    results(lane)[s.row].preemptions += 1
    release(lane, i, q, s.computed, _cached_of(e, s, s.computed), np.int64(0))
    s.next = lane.free_slot
    lane.free_slot = q


@inline
def preempt(i: Index, lane: Lane) -> Slot:
    """Move the victim to the head of the queue, to be recomputed; return its slot."""
    e = engines(lane)[i]
    e.blocked = 0
    q = victim(e, slots(lane))
    s = slots(lane)[q]
    if s.ended == 1:
        _preempt_leaving(i, lane, q)
        return q
    unlink(e.running, slots(lane), q)
    if s.decoding == 1:
        cached = _cached_of(e, s, s.base + e.steps)
        computed = drop_decode(e, s, blocks_by_phase(lane), decode_heap(lane), i, q)
        s.generated = computed - s.input + 1
        s.target = s.input + s.generated
        e.queued_tokens += s.target
        if lane.tells_left == 1 and s.predicted < s.output:
            suspend_overrun(e, s, short_steps(lane)[i])
    else:
        computed = s.computed
        cached = _cached_of(e, s, computed)
        e.queued_tokens += computed
        e.prefilled -= computed
        _drop_partial(e, decode_heap(lane), i, q)
    release(lane, i, q, computed, cached, np.int64(1))
    s.computed = 0
    insert(e.waiting, slots(lane), q, np.int64(NONE))
    results(lane)[s.row].preemptions += 1
    return q


@inline
def _drop_partial(e: Instance, heap: Array, i: Index, q: Slot) -> None:
    at = 0  # those amid their prompts come first among the chunks, so q is found among them
    while heap[i, at].chunk != q:
        at += 1
    e.partials -= 1
    for k in range(at, e.partials):
        heap[i, k].chunk = heap[i, k + 1].chunk
