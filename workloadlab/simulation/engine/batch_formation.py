"""How an instance forms the batch of its next step.

Every running sequence holds at least one token of the budget since its admission, and its share never
grows, but for the last admitted one, whose chunk the budget may have cut. So all running sequences are
served in every step, and with blocks for all of them their order does not matter.

With asynchronous scheduling the batch is formed while the step before runs. What ends in that step is
`leaving`: it keeps its seat and its blocks, and decodes in vain if the engine does not know of the end.
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
from workloadlab.simulation.engine.instance import in_vain, let_go
from workloadlab.simulation.engine.kv_blocks import (
    available,
    blocks_for,
    enter,
    enter_filled,
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
        Record,
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
    release(lane, i, q, s.computed, _cached_of(e, s, s.computed), 0)
    s.next = lane.free_slot
    lane.free_slot = q


@inline
def _preempt(i: Index, lane: Lane) -> Slot:
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
    release(lane, i, q, computed, cached, 1)
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


@helper
def _next_chunk(e: Instance, s: Request, budget: Count) -> Count:
    """Return how many prompt tokens of a running sequence the next step computes."""
    tokens = min(s.target - s.computed, budget)
    return min(tokens, e.most_prompt) if e.most_prompt > 0 else tokens


@helper
def _serve_in_order(i: Index, lane: Lane, budget: Count) -> Flag:
    """Give each running sequence its blocks in order of admission, preempting where they are short.

    Returns whether anybody was preempted.
    """
    e, live = engines(lane)[i], slots(lane)
    preempted = False
    _serve_nobody(e.running, live)
    _serve_nobody(e.leaving, live)
    if e.fills > 0:
        enter_filled(i, lane, e.steps, NONE)
    q = _after(e, live, np.int64(NONE))
    while q != NONE:
        s = live[q]
        if e.holds == 1 and s.decoding == 0:
            q = _after(e, live, s.order)
            continue
        if s.decoding == 1:
            tokens = 1
            computed = s.computed if s.ended == 1 else s.base + e.steps
            needed = 1 if computed % e.block_size == 0 else 0
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
            e.carries |= 1 - s.decoding
            budget -= tokens
            _enter(i, lane, q)
        alone = last == NONE and (e.vain == 0 or e.leaving.count == 0)
        q = s.next if alone else _after(e, live, s.order)
    return preempted


@helper
def _serve_nobody(queue: Record, slots: Array) -> None:
    q = queue.head
    while q != NONE:
        slots[q].step_blocks = slots[q].chunk = 0
        q = slots[q].next


@helper
def _enter(i: Index, lane: Lane, q: Slot) -> None:
    """Cache the blocks with ids that a sequence fills in this step, behind those of its elders."""
    e, s = engines(lane)[i], slots(lane)[q]
    if e.caching == 1:
        if e.fills > 0:
            enter_filled(i, lane, e.steps, s.order + s.decoding)
        if s.decoding == 0:
            enter(e, s, lane, i, s.computed + s.chunk)


@inline
def _after(e: Instance, slots: Array, order: Count) -> Slot:
    """Return the first sequence to be served that was admitted after `order`."""
    q = e.running.head
    while q != NONE and slots[q].order <= order:
        q = slots[q].next
    other = e.leaving.head if e.vain == 1 else NONE
    while other != NONE and (slots[other].order <= order or not in_vain(e, slots[other])):
        other = slots[other].next
    if q == NONE or (other != NONE and slots[other].order < slots[q].order):
        return other
    return q


@inline
def _serve_in_vain(e: Instance, slots: Array) -> Count:
    """Count the sequences that have ended and are served all the same; return the blocks they need."""
    needed, q = 0, e.leaving.head
    while q != NONE:
        s = slots[q]
        if in_vain(e, s):
            s.chunk, s.step_blocks = 1, 1 if s.computed % e.block_size == 0 else 0
            needed += s.step_blocks
            e.vain_decodes += 1
            e.vain_context += s.computed
            e.vain_longest = max(e.vain_longest, s.computed)
        q = s.next
    return needed


@helper
def _serve_running(i: Index, lane: Lane) -> tuple[Count, Number, Flag]:
    """Serve all running sequences; return (prefill tokens, its context, whether one was preempted)."""
    e, live, heap = engines(lane)[i], slots(lane), decode_heap(lane)
    budget = e.budget - e.decodes  # each decode has held its token since it was admitted
    # In the step to come, number `steps`, a decode needs a block if its computed tokens, `base + steps`,
    # fill those that it has. It is counted at -base modulo the block size, which is then `phase`.
    needed = blocks_by_phase(lane)[i, e.phase]
    if e.vain == 1 and e.leaving.count > 0:
        needed += _serve_in_vain(e, live)
        budget -= e.vain_decodes
    for k in range(e.partials):
        s = live[heap[i, k].chunk]
        s.chunk = _next_chunk(e, s, budget) if e.holds == 0 else 0
        budget -= s.chunk
        needed += blocks_for(s.computed + s.chunk, e.block_size)
        needed -= blocks_for(s.computed, e.block_size)
    preempted = False
    # A block that is filled comes behind the other copies of its id, whether those at the head of the
    # list of idle ones were evicted before or will be. So all blocks may be taken at once.
    if needed <= available(e):
        take(e, lane, i, needed)
        if e.partials > 0 and e.holds == 0:
            e.carries = 1
        for k in range(e.partials):
            _enter(i, lane, heap[i, k].chunk)
    else:
        preempted = _serve_in_order(i, lane, e.budget)
        _count_vain(e, live)
    if e.fills > 0:
        enter_filled(i, lane, e.steps + 1, NONE)
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
def _admissions(i: Index, lane: Lane, budget: Count, late: Flag) -> tuple[Count, Number]:
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


@helper
def _count_vain(e: Instance, slots: Array) -> None:
    """Count again who decodes in vain, where some of them lost their blocks."""
    e.vain_decodes = e.vain_context = e.vain_longest = 0
    q = e.leaving.head if e.vain == 1 else NONE
    while q != NONE:
        if in_vain(e, slots[q]):
            e.vain_decodes += 1
            e.vain_context += slots[q].computed
            e.vain_longest = max(e.vain_longest, slots[q].computed)
        q = slots[q].next


@inline
def _alone(e: Instance, slots: Array, late: Flag) -> Flag:
    """Say whether there is one request only, of those that the batch may know of."""
    count, q = e.running.count + e.leaving.count, e.waiting.head
    while q != NONE and count <= 1 and (late == 1 or slots[q].ready <= e.taken_steps):
        count += 1
        q = slots[q].next
    return count <= 1


@helper
def _holds_prompts(e: Instance) -> Flag:
    """Say whether prompts wait in this step so that decodes go on alone."""
    if e.saturated == 1 or e.decodes + e.leaving.count == 0:
        return 0
    if e.ranks > 1:
        return 1 if e.wave % e.interval != 0 else 0
    return 1 if e.executed + 1 - e.last_prefill < e.interval else 0


@helper
def _note_prompts(e: Instance, slots: Array, preempted: Flag, late: Flag, tokens: Count) -> None:
    """Note whether a batch has prompts, and whether requests wait behind it."""
    if not preempted and e.holds == 0:
        e.saturated = 0
        if e.waiting.count > 0 and (late == 1 or slots[e.waiting.head].ready <= e.taken_steps):
            e.saturated = 1
    if tokens > 0:
        e.executed += 1
    if e.carries == 1:
        e.last_prefill = e.executed


@inline
def _form(i: Index, lane: Lane, late: Flag) -> tuple[Count, Number, Count]:
    """Fill the batch; if it is formed late, from all that are there by then."""
    e = engines(lane)[i]
    e.chunks = e.paused = e.vain_decodes = e.vain_context = e.vain_longest = 0
    e.most_prompt = e.threshold
    if e.threshold > 0 and _alone(e, slots(lane), late):
        e.most_prompt = 0
    if e.batching == CHUNKED:
        if e.interval > 1:
            e.holds, e.carries = _holds_prompts(e), 0
        prefill, context, preempted = _serve_running(i, lane)
        if not preempted and e.waiting.count > 0:
            budget = e.budget - e.decodes - e.vain_decodes - prefill
            more, more_context = _admissions(i, lane, budget, late)
            prefill += more
            context += more_context
        decodes = e.decodes + e.vain_decodes
        if e.interval > 1:
            _note_prompts(e, slots(lane), preempted, late, prefill + decodes)
        return prefill, context, decodes
    seated = e.running.count + e.leaving.count
    if e.waiting.count > 0 and (e.batching != STATIC or seated == 0):
        if e.fills > 0:
            enter_filled(i, lane, e.steps, NONE)
        prefill, context = _admissions(i, lane, e.budget, late)
        if prefill > 0:
            e.paused = 1
            return prefill, context, 0
    _serve_running(i, lane)
    return 0, 0.0, e.decodes + e.vain_decodes


@part("schedule")
def _schedule(i: Index, lane: Lane) -> tuple[Count, Number, Count]:
    """Form the next batch; return its (prefill tokens, prefill context, decoding sequences).

    chunked: the running first, then admissions with what is left of the budget. prefill_first: whole
    prompts that wait, and only without such the decodes. static: the same, but nobody is admitted
    beside others. What has ended then gives its seat and its blocks back.
    """
    e = engines(lane)[i]
    prefill, context, decodes = _form(i, lane, 1 - e.overlapped)
    if e.overlapped == 1:
        if prefill + decodes == 0:  # nothing was to do before the step in flight had ended
            let_go(i, lane)
            prefill, context, decodes = _form(i, lane, 1)
        let_go(i, lane)
    return prefill, context, decodes
