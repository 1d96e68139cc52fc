"""One compiled instance: scheduling, steps, preemption. See `kernel` for the ideas that make it fast."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from workloadlab.latency.domain_kernel import inside_domain
from workloadlab.simulation.kernel_blocks import (
    available,
    blocks_for,
    enter,
    hits,
    idle_hits,
    release,
    share,
    take,
)
from workloadlab.simulation.kernel_sessions import release_next_turn
from workloadlab.simulation.kernel_state import JIT, NONE

__all__ = ["accept", "advance", "start"]


@njit(**JIT)
def _earlier(a: Any, b: Any) -> Any:
    return a.step < b.step or (a.step == b.step and a.order < b.order)


@njit(**JIT)
def _swap(seats: Any, i: Any, a: Any, b: Any) -> None:
    x, y = seats[i, a], seats[i, b]
    step, order, row = x.step, x.order, x.row
    x.step, x.order, x.row = y.step, y.order, y.row
    y.step, y.order, y.row = step, order, row


@njit(**JIT)
def _rise(seats: Any, i: Any, at: Any) -> None:
    while at > 0 and _earlier(seats[i, at], seats[i, (at - 1) >> 1]):
        _swap(seats, i, at, (at - 1) >> 1)
        at = (at - 1) >> 1


@njit(**JIT)
def heap_push(seats: Any, i: Any, size: Any, step: Any, order: Any, row: Any) -> None:
    """Add a decode to the heap of `size` entries."""
    seat = seats[i, size]
    seat.step, seat.order, seat.row = step, order, row
    _rise(seats, i, size)


@njit(**JIT)
def heap_remove(seats: Any, i: Any, size: Any, at: Any) -> None:
    """Remove the entry at position `at` from the heap of `size` entries."""
    last = size - 1
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


@njit(**JIT)
def heap_find(seats: Any, i: Any, row: Any) -> Any:
    """Return the position of a row in the heap; only preemption looks for one."""
    at = 0
    while seats[i, at].row != row:
        at += 1
    return at


@njit(**JIT)
def append_running(e: Any, sequences: Any, row: Any) -> None:
    sequences[row].previous = e.run_tail
    sequences[row].next = NONE
    if e.run_tail == NONE:
        e.run_head = row
    else:
        sequences[e.run_tail].next = row
    e.run_tail = row
    e.running += 1
    e.admitted += 1
    sequences[row].order = e.admitted


@njit(**JIT)
def unlink_running(e: Any, sequences: Any, row: Any) -> None:
    before, after = sequences[row].previous, sequences[row].next
    if before == NONE:
        e.run_head = after
    else:
        sequences[before].next = after
    if after == NONE:
        e.run_tail = before
    else:
        sequences[after].previous = before
    e.running -= 1


@njit(**JIT)
def accept(i: Any, lane: Any, row: Any, now: Any, predicted: Any) -> None:
    """Put a new request at the tail of the waiting queue."""
    e, s, job = lane.engines[i], lane.sequences[row], lane.jobs[row]
    if e.stepping == 0 and e.now_s < now:
        e.now_s = now
    s.predicted, s.generated, s.target, s.computed = predicted, 0, job.input, 0
    s.decoding, s.named, s.next = 0, 0, NONE
    if e.wait_tail == NONE:
        e.wait_head = row
    else:
        lane.sequences[e.wait_tail].next = row
    e.wait_tail = row
    e.waiting += 1
    e.in_flight += 1
    e.predicted_left += predicted
    e.queued_tokens += job.input


@njit(**JIT)
def preempt_last(i: Any, lane: Any) -> Any:
    """Move the last admitted sequence to the head of the waiting queue; return its row."""
    e = lane.engines[i]
    row = e.run_tail
    s, job = lane.sequences[row], lane.jobs[row]
    unlink_running(e, lane.sequences, row)
    if s.decoding == 1:
        computed = s.base + e.steps
        s.generated = computed - job.input + 1
        s.target = job.input + s.generated
        s.decoding = 0
        heap_remove(lane.seats, i, e.decodes, heap_find(lane.seats, i, row))
        lane.ring[i, -s.base % e.block_size] -= 1
        e.decodes -= 1
        e.context -= computed
        e.queued_tokens += s.target
    else:
        computed = s.computed
        e.partial = NONE
        e.queued_tokens += computed
    release(e, s, job, lane.cache, lane.block_ids, lane.holds, i, computed)
    s.computed = 0
    s.next = e.wait_head
    e.wait_head = row
    if e.wait_tail == NONE:
        e.wait_tail = row
    e.waiting += 1
    lane.results[row].preemptions += 1
    return row


@njit(**JIT)
def allocate_or_preempt(i: Any, lane: Any) -> None:
    """Give each decode the block it needs, in order of admission, preempting from the end."""
    e = lane.engines[i]
    row = e.run_head
    while row != NONE:
        s = lane.sequences[row]
        if s.decoding == 1 and (s.base + e.steps) % e.block_size == 0:
            while available(e) == 0:
                if preempt_last(i, lane) == row:
                    return
            take(e, lane.cache, i, 1)
        row = s.next


@njit(**JIT)
def add_chunk(i: Any, lane: Any, row: Any, tokens: Any) -> Any:
    """Put `tokens` prompt tokens of a running sequence into the batch; return their context."""
    e, s = lane.engines[i], lane.sequences[row]
    s.chunk = tokens
    lane.seats[i, e.chunks].chunk = row
    e.chunks += 1
    if e.caching == 1:
        enter(e, s, lane.jobs[row], lane.cache, lane.block_ids, lane.holds, i, s.computed + tokens)
    return float(tokens * s.computed)


@njit(**JIT)
def admit(i: Any, lane: Any, budget: Any) -> Any:
    """Admit the head of the waiting queue if blocks allow; return its tokens and context, or 0."""
    e = lane.engines[i]
    row = e.wait_head
    s, job = lane.sequences[row], lane.jobs[row]
    found = idle = 0
    if e.caching == 1:
        found = hits(job, lane.cache, lane.block_ids, i, (s.target - 1) // e.block_size)
        idle = idle_hits(job, lane.cache, lane.block_ids, i, found)
    cached = found * e.block_size
    tokens = min(s.target - cached, budget)
    needed = blocks_for(cached + tokens, e.block_size) - found
    wanted = blocks_for(s.target, e.block_size) - found if e.reserve == 1 else needed
    if wanted + (e.spare if e.running > 0 else 0) > available(e) - idle:
        return 0, 0.0
    if e.caching == 1:
        share(e, s, job, lane.cache, lane.block_ids, lane.holds, i, found)
    take(e, lane.cache, i, needed)
    e.wait_head = s.next
    if e.wait_head == NONE:
        e.wait_tail = NONE
    e.waiting -= 1
    append_running(e, lane.sequences, row)
    s.computed = cached
    e.queued_tokens -= cached
    if cached + tokens < s.target:
        e.partial = row
    result = lane.results[row]
    if np.isnan(result.scheduled_s):
        result.scheduled_s = e.now_s
        result.cached = cached
    return tokens, add_chunk(i, lane, row, tokens)


@njit(**JIT)
def schedule(i: Any, lane: Any) -> Any:
    """Form the next batch; return its prefill tokens and prefill context."""
    e = lane.engines[i]
    e.chunks = 0
    needed = lane.ring[i, e.phase]
    preempted = needed > available(e)
    if preempted:
        allocate_or_preempt(i, lane)
    else:
        take(e, lane.cache, i, needed)
    budget = e.budget - e.decodes
    prefill = 0
    prefill_context = 0.0
    if e.partial != NONE:
        s = lane.sequences[e.partial]
        tokens = min(s.target - s.computed, budget)
        held = blocks_for(s.computed, e.block_size)
        needed = blocks_for(s.computed + tokens, e.block_size) - held
        if needed > available(e):
            preempt_last(i, lane)
            preempted = True
        else:
            take(e, lane.cache, i, needed)
            prefill_context += add_chunk(i, lane, e.partial, tokens)
            prefill += tokens
            budget -= tokens
    if preempted:
        return prefill, prefill_context
    while e.waiting > 0 and budget > 0 and e.running < e.max_num_seqs:
        tokens, context = admit(i, lane, budget)
        if tokens == 0:
            break
        prefill += tokens
        prefill_context += context
        budget -= tokens
    return prefill, prefill_context


@njit(**JIT)
def finish(i: Any, lane: Any, row: Any, computed: Any) -> None:
    """End a request: its blocks go back, its outcome is written."""
    e, s, job = lane.engines[i], lane.sequences[row], lane.jobs[row]
    lane.results[row].end_s = e.now_s
    unlink_running(e, lane.sequences, row)
    release(e, s, job, lane.cache, lane.block_ids, lane.holds, i, computed)
    e.in_flight -= 1
    e.predicted_left -= s.predicted - job.output
    lane.counts[0] += job.output
    lane.counts[1] += 1
    release_next_turn(lane, row, e.now_s)


@njit(**JIT)
def complete(i: Any, lane: Any) -> None:
    """End the current step: every decode and every finished prefill gives a token."""
    e = lane.engines[i]
    e.stepping = 0
    e.steps += 1
    e.phase += 1
    if e.phase == e.block_size:
        e.phase = 0
    e.context += e.decodes
    e.predicted_left -= e.decodes
    while e.decodes > 0 and lane.seats[i, 0].step == e.steps:
        row = lane.seats[i, 0].row
        computed = lane.sequences[row].base + e.steps
        heap_remove(lane.seats, i, e.decodes, 0)
        e.decodes -= 1
        lane.ring[i, -lane.sequences[row].base % e.block_size] -= 1
        e.context -= computed
        finish(i, lane, row, computed)
    for k in range(e.chunks):
        row = lane.seats[i, k].chunk
        s = lane.sequences[row]
        s.computed += s.chunk
        e.queued_tokens -= s.chunk
        if s.computed < s.target:
            continue
        if e.partial == row:
            e.partial = NONE
        s.generated += 1
        e.predicted_left -= 1
        if np.isnan(lane.results[row].first_token_s):
            lane.results[row].first_token_s = e.now_s
        left = lane.jobs[row].output - s.generated
        if left == 0:
            finish(i, lane, row, s.computed)
        else:
            s.decoding = 1
            s.base = s.computed - e.steps
            lane.ring[i, -s.base % e.block_size] += 1
            heap_push(lane.seats, i, e.decodes, e.steps + left, s.order, row)
            e.decodes += 1
            e.context += s.computed
    e.chunks = 0


@njit(**JIT)
def start(i: Any, lane: Any) -> None:
    """Schedule a batch and set the end of its step."""
    e = lane.engines[i]
    prefill, prefill_context = schedule(i, lane)
    p, x, d, c = float(prefill), prefill_context, float(e.decodes), float(e.context)
    if not inside_domain(p, x, d, c, lane.domains[e.pool]):
        e.outside += 1
    model_s = lane.step_time(p, x, d, c, lane.tables[e.pool])
    e.now_s += max(model_s, e.overhead_s) if e.overlapped == 1 else model_s + e.overhead_s
    e.stepping = 1


@njit(**JIT, inline="always")  # a call with the whole bundle costs more than its steps
def run_decodes(i: Any, lane: Any, until: Any) -> None:
    """Take the steps in which a full or queueless batch only decodes and nobody ends.

    Stops before a step that starts at or after `until`, lacks a free block, or is somebody's last; a
    step that ends after `until` is left in flight.
    """
    e = lane.engines[i]
    step_time, ring = lane.step_time, lane.ring
    table, bounds = lane.tables[e.pool], lane.domains[e.pool]
    now, context, phase, free = e.now_s, e.context, e.phase, e.free
    d = float(e.decodes)
    plain = lane.seats[i, 0].step - e.steps - 1
    taken = 0
    while taken < plain and now < until:
        needed = ring[i, phase]
        if needed > free:
            break
        free -= needed
        c = float(context)
        if not inside_domain(0.0, 0.0, d, c, bounds):
            e.outside += 1
        model_s = step_time(0.0, 0.0, d, c, table)
        now += max(model_s, e.overhead_s) if e.overlapped == 1 else model_s + e.overhead_s
        if now > until:
            e.stepping = 1
            break
        taken += 1
        context += e.decodes
        phase += 1
        if phase == e.block_size:
            phase = 0
    e.now_s, e.context, e.phase, e.free = now, context, phase, free
    e.steps += taken
    e.predicted_left -= taken * e.decodes


@njit(**JIT)
def advance(lane: Any, until: Any) -> None:
    """Run every step of every instance that ends by `until`; start none at or after it."""
    for i in range(len(lane.engines)):
        e = lane.engines[i]
        while True:
            if e.stepping == 1:
                if e.now_s > until:
                    break
                complete(i, lane)
            if e.running + e.waiting == 0 or e.now_s >= until:
                break
            if (
                e.decodes > 0
                and e.partial == NONE
                and (e.waiting == 0 or e.running >= e.max_num_seqs)
            ):
                run_decodes(i, lane, until)
                if e.stepping == 1 or e.now_s >= until:
                    break
            start(i, lane)
