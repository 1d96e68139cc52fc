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
from workloadlab.simulation.engine.admission import admissions
from workloadlab.simulation.engine.arrays import (
    blocks_by_phase,
    decode_heap,
    engines,
    slots,
)
from workloadlab.simulation.engine.instance import in_vain, let_go
from workloadlab.simulation.engine.kv_blocks import (
    available,
    blocks_for,
    enter,
    enter_filled,
    take,
)
from workloadlab.simulation.engine.lane_record import part
from workloadlab.simulation.engine.preemption import preempt
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
        enter_filled(i, lane, e.steps, np.int64(NONE))
    q = _after(e, live, np.int64(NONE))
    while q != NONE:
        s = live[q]
        if e.holds == 1 and s.decoding == 0:
            q = _after(e, live, s.order)
            continue
        if s.decoding == 1:
            phase = -s.computed % e.block_size if s.ended == 1 else s.phase - e.phase
            tokens, needed = 1, 1 if phase == 0 else 0
        else:
            tokens = _next_chunk(e, s, budget)
            needed = blocks_for(s.computed + tokens, e.block_size)
            needed -= blocks_for(s.computed, e.block_size)
        last = NONE
        while needed > available(e) and last != q:
            preempted = True
            last = preempt(i, lane)  # of those already served, too: they lose their chunk
            budget += live[last].chunk
        if last != q:
            take(e, lane, i, needed)
            s.step_blocks, s.chunk = needed, tokens
            e.carries |= 1 - s.decoding
            budget -= tokens
            if e.caching == 1:
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
        for k in range(e.partials * e.caching):
            _enter(i, lane, heap[i, k].chunk)
    else:
        preempted = _serve_in_order(i, lane, e.budget)
        _count_vain(e, live)
    if e.fills > 0:
        enter_filled(i, lane, e.steps + 1, np.int64(NONE))
    e.chunks = e.partials
    tokens, context = 0, 0.0
    for k in range(e.partials):
        s = live[heap[i, k].chunk]
        tokens += s.chunk
        context += float(s.chunk * s.computed)
    return tokens, context, preempted


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
def _fill(i: Index, lane: Lane, late: Flag) -> tuple[Count, Number, Count]:
    """Serve the running, then admit with what is left of the budget."""
    e = engines(lane)[i]
    prefill, context, decodes = 0, 0.0, 0
    for _ in range(2):
        if e.interval > 1:
            e.holds, e.carries = _holds_prompts(e), 0
        prefill, context, preempted = _serve_running(i, lane)
        if not preempted and e.waiting.count > 0:
            budget = e.budget - e.decodes - e.vain_decodes - prefill
            more, more_context = admissions(i, lane, budget, late)
            prefill += more
            context += more_context
        decodes = e.decodes + e.vain_decodes
        if e.interval > 1:
            _note_prompts(e, slots(lane), preempted, late, prefill + decodes)
        if prefill + decodes > 0 or e.holds == 0:
            break
        # whom prompts were held for was preempted
    return prefill, context, decodes


@inline
def _form(i: Index, lane: Lane, late: Flag) -> tuple[Count, Number, Count]:
    """Fill the batch; if it is formed late, from all that are there by then."""
    e = engines(lane)[i]
    e.chunks = e.paused = e.vain_decodes = e.vain_context = e.vain_longest = 0
    e.most_prompt = e.threshold
    if e.threshold > 0 and _alone(e, slots(lane), late):
        e.most_prompt = 0
    if e.batching == CHUNKED:
        prefill, context, decodes = _fill(i, lane, late)
        return prefill, context, decodes
    seated = e.running.count + e.leaving.count
    if e.waiting.count > 0 and (e.batching != STATIC or seated == 0):
        if e.fills > 0:
            enter_filled(i, lane, e.steps, np.int64(NONE))
        prefill, context = admissions(i, lane, e.budget, late)
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
    late = 1 - e.overlapped
    while True:
        prefill, context, decodes = _form(i, lane, late)
        if e.overlapped == 1:
            let_go(i, lane)
        if late == 1 or prefill + decodes > 0:
            return prefill, context, decodes
        late = 1  # nothing was to do before the step in flight had ended
