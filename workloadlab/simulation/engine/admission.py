"""Who is admitted next, and what of its prompt the batch takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper, inline
from workloadlab.simulation.engine.arrays import decode_heap, engines, results, slots
from workloadlab.simulation.engine.kv_blocks import (
    available,
    blocks_for,
    enter,
    hits,
    idle_hits,
    share,
    take,
)
from workloadlab.simulation.engine.linked_list import append, unlink
from workloadlab.simulation.engine.record_types import BATCHINGS, NONE, ORDERS

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Count,
        Flag,
        Index,
        Instance,
        Lane,
        Number,
        Request,
        Slot,
    )

__all__ = ["admissions", "before_in_queue"]

CHUNKED = BATCHINGS.index("chunked")
FCFS, BIN_PACKING = ORDERS.index("fcfs"), ORDERS.index("bin_packing")
PRIORITY, LEAST_WORK_LEFT = ORDERS.index("priority"), ORDERS.index("least_work_left")


@helper
def before_in_queue(order: Count, a: Request, b: Request) -> Flag:
    """Say whether `a` is served before `b`; in equal standing the one accepted earlier."""
    if order == PRIORITY:
        x, y = a.priority, b.priority
    elif order == LEAST_WORK_LEFT:
        x, y = a.predicted - a.generated, b.predicted - b.generated
    else:  # bin packing: the largest first
        x, y = -a.target, -b.target
    return x < y or (x == y and a.accepted < b.accepted)


@helper
def _blocks_to_admit(
    e: Instance, s: Request, lane: Lane, i: Index, budget: Count
) -> tuple[Count, Count, Count, Flag]:
    """Return (cached tokens, first chunk, its blocks, whether all that is needed is free)."""
    found = idle = 0
    if e.caching == 1:
        found = hits(s, lane, i, (s.target - 1) // e.block_size)
        idle = idle_hits(s, lane, i, found)
    cached = found * e.block_size
    tokens = s.target - cached
    if e.batching == CHUNKED:
        tokens = min(tokens, budget)
        if e.most_prompt > 0:
            tokens = min(tokens, e.most_prompt)
    needed = blocks_for(cached + tokens, e.block_size) - found
    wanted = blocks_for(s.target, e.block_size) - found if e.reserve == 1 else needed
    headroom = e.headroom if e.running.count + e.leaving.count > 0 else 0
    return cached, tokens, needed, wanted + headroom <= available(e) - idle


@inline
def _candidate(i: Index, lane: Lane, budget: Count, late: Flag) -> Slot:
    """Return who is admitted next, -1 if it is nobody's turn or blocks are short for it.

    With asynchronous scheduling a batch is formed when the step before begins, so who came later is
    not in it, unless it is formed late.
    """
    e, live = engines(lane)[i], slots(lane)
    best = NONE
    q = e.waiting.head
    while q != NONE:
        there = late == 1 or live[q].ready <= e.taken_steps
        first = best == NONE or before_in_queue(e.queue_order, live[q], live[best])
        packs = e.queue_order == BIN_PACKING
        if there and first and (not packs or _blocks_to_admit(e, live[q], lane, i, budget)[3]):
            best = q
        if e.queue_order == FCFS:
            break  # the list is in this order; the others are looked for
        q = live[q].next
    if best == NONE or _blocks_to_admit(e, live[best], lane, i, budget)[3]:
        return best
    return NONE


@inline
def _admit(i: Index, lane: Lane, q: Slot, budget: Count) -> tuple[Count, Number]:
    """Let a waiting sequence run; return its first chunk's tokens and context."""
    e, s = engines(lane)[i], slots(lane)[q]
    cached, tokens, needed, _ = _blocks_to_admit(e, s, lane, i, budget)
    found = cached // e.block_size
    if e.caching == 1:
        share(e, s, lane, i, found)
    take(e, lane, i, needed)
    unlink(e.waiting, slots(lane), q)
    append(e.running, slots(lane), q)
    e.admitted += 1
    s.order = e.admitted
    s.computed, s.chunk, s.step_blocks = cached, tokens, 0
    e.queued_tokens -= cached
    e.prefilled += cached
    if s.target - cached > 1:
        e.carries = 1
    if e.caching == 1:
        enter(e, s, lane, i, cached + tokens)
    decode_heap(lane)[i, e.chunks].chunk = q
    e.chunks += 1
    result = results(lane)[s.row]
    if np.isnan(result.scheduled_s):
        result.scheduled_s = e.now_s
        result.cached = cached
    return tokens, float(tokens * cached)


@inline
def _lacks(i: Index, lane: Lane, q: Slot, budget: Count) -> Count:
    """Count the tokens that a waiting sequence has to compute."""
    e, s = engines(lane)[i], slots(lane)[q]
    return s.target - _blocks_to_admit(e, s, lane, i, budget)[0]


@helper
def admissions(i: Index, lane: Lane, budget: Count, late: Flag) -> tuple[Count, Number]:
    """Admit while budget, max_num_seqs and blocks allow; return (prefill tokens, context)."""
    e = engines(lane)[i]
    prefill, context = 0, 0.0
    e.blocked = 0
    if e.holds == 1 and e.partials > 0:
        return prefill, context
    seats = e.max_num_seqs - e.leaving.count
    while e.waiting.count > 0 and budget > 0 and e.running.count < seats:
        q = _candidate(i, lane, budget, late)
        if q == NONE:
            # Whoever is not ready yet may be admitted later without a block coming back.
            e.blocked = 1 if e.all_ready <= e.taken_steps else 0
            break
        if e.holds == 1 and _lacks(i, lane, q, budget) > 1:
            break
        beside = e.batching != CHUNKED and prefill > 0
        if beside and _blocks_to_admit(e, slots(lane)[q], lane, i, budget)[1] > budget:
            break
        tokens, own = _admit(i, lane, q, budget)
        prefill += tokens
        context += own
        budget -= tokens
    return prefill, context
