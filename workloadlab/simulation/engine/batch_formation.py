"""How an instance forms the batch of its next step.

Every running sequence holds at least one token of the budget since its admission, and its share never
grows, but for the last admitted one, whose chunk the budget may have cut. So all running sequences are
served in every step, and with blocks for all of them their order does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper, inline
from workloadlab.simulation.engine.arrays import (
    blocks_by_phase,
    decode_heap,
    engines,
    results,
    short_steps,
    slots,
)
from workloadlab.simulation.engine.decodes import drop_decode, suspend_overrun
from workloadlab.simulation.engine.kv_blocks import (
    available,
    blocks_for,
    enter,
    hits,
    idle_hits,
    release,
    share,
    take,
)
from workloadlab.simulation.engine.lane_record import part
from workloadlab.simulation.engine.linked_list import append, insert, unlink
from workloadlab.simulation.engine.record_types import BATCHINGS, NONE, ORDERS

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Array,
        Count,
        Flag,
        Index,
        Instance,
        Lane,
        Number,
        Request,
        Slot,
    )

__all__: list[str] = []

CHUNKED, STATIC = BATCHINGS.index("chunked"), BATCHINGS.index("static")
FCFS, BIN_PACKING = ORDERS.index("fcfs"), ORDERS.index("bin_packing")
PRIORITY = ORDERS.index("priority")
LEAST_WORK_LEFT = ORDERS.index("least_work_left")


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
def victim(e: Instance, slots: Array) -> Slot:
    """Return who is preempted: the last admitted, or the least important and of those the newest."""
    worst = e.running.tail
    if e.queue_order != PRIORITY:
        return worst
    q = slots[worst].previous
    while q != NONE:
        if before_in_queue(e.queue_order, slots[worst], slots[q]):
            worst = q
        q = slots[q].previous
    return worst


@inline
def _preempt(i: Index, lane: Lane) -> Slot:
    """Move the victim to the head of the queue, to be recomputed; return its slot."""
    e = engines(lane)[i]
    q = victim(e, slots(lane))
    s = slots(lane)[q]
    unlink(e.running, slots(lane), q)
    if s.decoding == 1:
        computed = drop_decode(e, s, blocks_by_phase(lane), decode_heap(lane), i, q)
        s.generated = computed - s.input + 1
        s.target = s.input + s.generated
        e.queued_tokens += s.target
        if lane.tells_left == 1 and s.predicted < s.output:
            suspend_overrun(e, s, short_steps(lane)[i])
    else:
        computed = s.computed
        e.queued_tokens += computed
        e.prefilled -= computed
        _drop_partial(e, decode_heap(lane), i, q)
    release(e, s, lane, i, computed)
    s.computed = 0
    e.blocked = 0
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


@helper
def _next_chunk(e: Instance, s: Request, budget: Count) -> Count:
    """Return how many prompt tokens of a running sequence the next step computes."""
    tokens = min(s.target - s.computed, budget)
    return min(tokens, e.threshold) if e.threshold > 0 else tokens


@helper
def _serve_in_order(i: Index, lane: Lane, budget: Count) -> Flag:
    """Give each running sequence its blocks in order of admission, preempting where they are short.

    Returns whether anybody was preempted.
    """
    e, live = engines(lane)[i], slots(lane)
    preempted = False
    q = e.running.head
    while q != NONE:
        live[q].step_blocks = live[q].chunk = 0
        q = live[q].next
    q = e.running.head
    while q != NONE:
        s = live[q]
        if s.decoding == 1:
            tokens = 1
            needed = 1 if (s.base + e.steps) % e.block_size == 0 else 0
        else:
            tokens = _next_chunk(e, s, budget)
            needed = blocks_for(s.computed + tokens, e.block_size)
            needed -= blocks_for(s.computed, e.block_size)
        last = NONE
        while needed > available(e) and last != q:
            preempted = True
            last = _preempt(i, lane)  # of those already served, too: they lose their chunk
            budget += live[last].chunk
        if last != q:
            take(e, lane, i, needed)
            s.step_blocks, s.chunk = needed, tokens
            budget -= tokens
            if e.caching == 1 and s.decoding == 0:
                enter(e, s, lane, i, s.computed + tokens)
        q = s.next if last == NONE else _after(e, live, s.order)
    return preempted


@inline
def _after(e: Instance, slots: Array, order: Count) -> Slot:
    """Return the first running sequence that was admitted after `order`."""
    q = e.running.head
    while q != NONE and slots[q].order <= order:
        q = slots[q].next
    return q


@helper
def _serve_running(i: Index, lane: Lane) -> tuple[Count, Number, Flag]:
    """Serve all running sequences; return (prefill tokens, its context, whether one was preempted)."""
    e, live, heap = engines(lane)[i], slots(lane), decode_heap(lane)
    budget = e.budget - e.decodes  # each decode has held its token since it was admitted
    # In the step to come, number `steps`, a decode needs a block if its computed tokens, `base + steps`,
    # fill those that it has. It is counted at -base modulo the block size, which is then `phase`.
    needed = blocks_by_phase(lane)[i, e.phase]
    for k in range(e.partials):
        s = live[heap[i, k].chunk]
        s.chunk = _next_chunk(e, s, budget)
        budget -= s.chunk
        needed += blocks_for(s.computed + s.chunk, e.block_size)
        needed -= blocks_for(s.computed, e.block_size)
    preempted = False
    # Evictions and entries into the cache follow the order of admission. All blocks at once, then the
    # entries, is that order as long as at most the last admitted has blocks to enter.
    evicts = e.caching == 1 and needed > e.free
    last_only = e.partials == 0 or (e.partials == 1 and heap[i, 0].chunk == e.running.tail)
    if needed <= available(e) and (last_only or not evicts):
        take(e, lane, i, needed)
        if e.caching == 1:
            for k in range(e.partials):
                s = live[heap[i, k].chunk]
                enter(e, s, lane, i, s.computed + s.chunk)
    else:
        preempted = _serve_in_order(i, lane, e.budget)
    e.chunks = e.partials
    tokens, context = 0, 0.0
    for k in range(e.partials):
        s = live[heap[i, k].chunk]
        tokens += s.chunk
        context += float(s.chunk * s.computed)
    return tokens, context, preempted


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
        if e.threshold > 0:
            tokens = min(tokens, e.threshold)
    needed = blocks_for(cached + tokens, e.block_size) - found
    wanted = blocks_for(s.target, e.block_size) - found if e.reserve == 1 else needed
    spare = e.spare if e.running.count > 0 else 0
    return cached, tokens, needed, wanted + spare <= available(e) - idle


@inline
def _candidate(i: Index, lane: Lane, budget: Count, idle: Flag) -> Slot:
    """Return who is admitted next, -1 if it is nobody's turn or blocks are short for it.

    With asynchronous scheduling a batch is prepared when the step before begins, so who came later is
    not in it; an idle engine prepares at once.
    """
    e, live = engines(lane)[i], slots(lane)
    best = NONE
    q = e.waiting.head
    while q != NONE:
        there = idle or live[q].ready <= e.taken_steps
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
    if e.caching == 1:
        enter(e, s, lane, i, cached + tokens)
    decode_heap(lane)[i, e.chunks].chunk = q
    e.chunks += 1
    result = results(lane)[s.row]
    if np.isnan(result.scheduled_s):
        result.scheduled_s = e.now_s
        result.cached = cached
    return tokens, float(tokens * cached)


@helper
def _admissions(i: Index, lane: Lane, budget: Count) -> tuple[Count, Number]:
    """Admit while budget, max_num_seqs and blocks allow; return (prefill tokens, context)."""
    e = engines(lane)[i]
    prefill, context = 0, 0.0
    idle = e.running.count == 0
    e.blocked = 0
    while e.waiting.count > 0 and budget > 0 and e.running.count < e.max_num_seqs:
        q = _candidate(i, lane, budget, idle)
        if q == NONE:
            # Whoever is not ready yet may be admitted later without a block coming back.
            e.blocked = 1 if e.all_ready <= e.taken_steps else 0
            break
        beside = e.batching != CHUNKED and prefill > 0
        if beside and _blocks_to_admit(e, slots(lane)[q], lane, i, budget)[1] > budget:
            break
        tokens, own = _admit(i, lane, q, budget)
        prefill += tokens
        context += own
        budget -= tokens
    return prefill, context


@part("schedule")
def _schedule(i: Index, lane: Lane) -> tuple[Count, Number, Count]:
    """Form the next batch; return its (prefill tokens, prefill context, decoding sequences).

    chunked: the running first, then admissions with what is left of the budget. prefill_first: whole
    prompts that wait, and only without such the decodes. static: the same, but nobody is admitted
    beside others.
    """
    e = engines(lane)[i]
    e.chunks = e.paused = 0
    if e.batching == CHUNKED:
        prefill, context, preempted = _serve_running(i, lane)
        if not preempted and e.waiting.count > 0:
            more, more_context = _admissions(i, lane, e.budget - e.decodes - prefill)
            prefill += more
            context += more_context
        return prefill, context, e.decodes
    if e.waiting.count > 0 and (e.batching != STATIC or e.running.count == 0):
        prefill, context = _admissions(i, lane, e.budget)
        if prefill > 0:
            e.paused = 1
            return prefill, context, 0
    _serve_running(i, lane)
    return 0, 0.0, e.decodes
