"""One compiled instance: a request comes, a step ends, a sequence ends, all are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import entry, helper, inline
from workloadlab.simulation.engine.arrays import (
    blocks_by_phase,
    decode_heap,
    engines,
    fill_heap,
    ledgers,
    results,
    short_steps,
    slots,
)
from workloadlab.simulation.engine.arrivals import note_end, release_next_turn
from workloadlab.simulation.engine.by_address import schedule
from workloadlab.simulation.engine.decodes.counted import (
    add_decode,
    drop_fill,
    end_overrun,
    expect_fill,
    expect_overrun,
    pop_decode,
)
from workloadlab.simulation.engine.kv_blocks import (
    empty,
    enter_filled,
    release,
)
from workloadlab.simulation.engine.linked_list import append, unlink
from workloadlab.simulation.engine.record_types import BATCHINGS, NONE, REPLICA_STREAM

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Count,
        Flag,
        Index,
        Instance,
        Lane,
        Number,
        Position,
        Record,
        Request,
        Row,
        Seconds,
        Slot,
    )

__all__ = [
    "accept",
    "clear",
    "complete",
    "form_batch",
    "in_vain",
    "let_go",
    "replica_of",
    "uniform_draw",
]

STATIC = BATCHINGS.index("static")


@entry()
def uniform_draw(state: Number, count: Count) -> Number:
    """Return the `count`-th uniform number in [0, 1) of a run: splitmix64 of state and count."""
    z = state + np.uint64(count + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@helper
def replica_of(lane: Lane, row: Row) -> Position:
    """Return the number of the replica of the router that a request comes to."""
    if lane.replicas == 1:
        return 0
    stream = lane.seed ^ np.uint64(REPLICA_STREAM)
    return np.int64(uniform_draw(stream, row) * lane.replicas)


@helper
def accept(i: Index, lane: Lane, q: Slot, now: Seconds, predicted: Count) -> None:
    """Put a request that the router placed here at the tail of the queue."""
    e, s = engines(lane)[i], slots(lane)[q]
    if e.stepping == 0 and e.now_s < now:
        e.now_s = now
    s.predicted, s.target = predicted, s.input
    s.generated = s.computed = s.chunk = s.cached_blocks = s.step_blocks = 0
    s.decoding = s.ended = 0
    e.accepted += 1
    s.accepted = e.accepted
    s.ready = e.taken_steps + 1 + e.stepping if e.overlapped == 1 else 0
    e.all_ready = max(e.all_ready, s.ready)
    append(e.waiting, slots(lane), q)
    e.blocked = 0
    e.in_flight += 1
    e.sent += 1
    e.sent_tokens += s.input
    e.predicted_left += predicted
    e.queued_tokens += s.input
    e.backlog += s.input
    s.output = min(s.output, e.most_tokens - s.input)


@inline
def _add_up(e: Instance, s: Request, r: Record) -> None:
    """Add the times of a request that ended to those of its instance."""
    e.ended += 1
    e.ended_input += s.input
    e.ended_output += s.output
    e.prefill_s += r.first_token_s - r.scheduled_s
    e.decode_s += r.end_s - r.first_token_s


@helper
def _finish(i: Index, lane: Lane, q: Slot, computed: Count) -> None:
    """End a sequence whose last token is out: its outcome is written, its blocks go back in time."""
    e, s = engines(lane)[i], slots(lane)[q]
    results(lane)[s.row].end_s = e.now_s
    note_end(lane, s.row)
    release_next_turn(lane, s.row, e.now_s)
    unlink(e.running, slots(lane), q)
    s.step_blocks = 0
    e.in_flight -= 1
    if lane.replicas > 1:
        ledgers(lane)[replica_of(lane, s.row), i].in_flight -= 1
    e.predicted_left -= s.predicted - s.output
    if lane.tells_ended == 1:
        _add_up(e, s, results(lane)[s.row])
    lane.finished_tokens += s.output
    lane.finished += 1
    if e.overlapped == 0:
        _release_ended(i, lane, q, computed)
        return
    append(e.leaving, slots(lane), q)
    s.computed, s.chunk, s.decoding, s.ended = computed, 0, 1, 1
    if s.cached_blocks < s.blocks and not in_vain(e, s):
        drop_fill(e, fill_heap(lane), i, q)


@inline
def in_vain(e: Instance, s: Request) -> Flag:
    """Say whether a sequence that has ended is in the next batch: its engine learns of it too late."""
    return e.vain == 1 and s.computed + 1 < e.most_tokens


@helper
def _release_ended(i: Index, lane: Lane, q: Slot, computed: Count) -> None:
    e = engines(lane)[i]
    release(lane, i, q, computed, computed // e.block_size, np.int64(0))
    slots(lane)[q].next = lane.free_slot
    lane.free_slot = q
    e.blocked = 0


@helper
def let_go(i: Index, lane: Lane) -> None:
    """Give back the seats and the blocks of the sequences that have ended."""
    e, live = engines(lane)[i], slots(lane)
    while e.leaving.count > 0:
        q = e.leaving.head
        unlink(e.leaving, live, q)
        _release_ended(i, lane, q, live[q].computed)


@helper
def _end_decode(i: Index, lane: Lane) -> None:
    q, computed = pop_decode(
        engines(lane)[i], slots(lane), blocks_by_phase(lane), decode_heap(lane), i
    )
    s = slots(lane)[q]
    if lane.tells_left == 1 and s.predicted < s.output:
        end_overrun(engines(lane)[i], s)
    _finish(i, lane, q, computed)


@helper
def complete(i: Index, lane: Lane) -> None:
    """End the current step: every decode and every finished prefill gives a token."""
    e, live, heap = engines(lane)[i], slots(lane), decode_heap(lane)
    e.stepping = 0
    e.taken_steps += 1
    if e.paused == 0:
        e.steps += 1
        e.phase += 1
        if e.phase == e.block_size:
            e.phase = 0
        e.context += e.decodes
        e.predicted_left -= e.decodes
    if e.fills > 0:
        enter_filled(i, lane, e.steps, np.int64(NONE))
    e.partials = e.vain_decodes = e.vain_context = e.vain_longest = 0
    for k in range(e.chunks):
        q = heap[i, k].chunk
        s = live[q]
        # Ends of one step follow the order of admission, in which their blocks become idle.
        while e.decodes > 0 and heap[i, 0].step == e.steps and heap[i, 0].order < s.order:
            _end_decode(i, lane)
        s.computed += s.chunk
        e.prefilled += s.chunk
        e.queued_tokens -= s.chunk
        if s.computed < s.target:
            heap[i, e.partials].chunk = q  # at k or before it: those have been read
            e.partials += 1
            continue
        s.generated += 1
        e.predicted_left -= 1
        e.prefilled -= s.computed
        if np.isnan(results(lane)[s.row].first_token_s):
            results(lane)[s.row].first_token_s = e.now_s
            e.backlog -= s.input
        if s.generated == s.output:
            e.over_from += max(0, s.output - 1 - s.predicted)  # if it was preempted beyond that
            _finish(i, lane, q, s.computed)
        else:
            add_decode(e, s, blocks_by_phase(lane), heap, i, q, s.output - s.generated)
            if e.caching == 1 and s.cached_blocks < s.blocks:
                expect_fill(e, s, fill_heap(lane), i, q)
            if lane.tells_left == 1 and s.predicted < s.output:
                expect_overrun(e, s, short_steps(lane)[i])
    while e.decodes > 0 and heap[i, 0].step == e.steps:
        _end_decode(i, lane)
    e.chunks = 0
    if e.leaving.count > 0 and e.running.count + e.waiting.count == 0:
        q = e.leaving.head
        while q != NONE and not in_vain(e, live[q]):
            q = live[q].next
        if q == NONE:
            let_go(i, lane)


@helper
def clear(i: Index, lane: Lane) -> None:
    """Lose the step in flight and what is cached on an instance whose sequences are lost."""
    e = engines(lane)[i]
    e.now_s = lane.now_s
    e.stepping = e.paused = e.chunks = e.partials = e.blocked = e.all_ready = 0
    e.short = e.over = e.over_from = 0
    e.ended = e.ended_input = e.ended_output = 0
    e.prefill_s = e.decode_s = 0.0
    e.saturated = e.wave = e.backlog = 0
    e.in_flight = e.predicted_left = e.queued_tokens = e.decodes = e.context = e.prefilled = 0
    for r in range(lane.counting_replicas):
        ledgers(lane)[r, i].in_flight = 0
    for phase in range(lane.phases):
        blocks_by_phase(lane)[i, phase] = 0
    empty(e, lane, i)


@inline
def form_batch(i: Index, lane: Lane) -> Count:
    """Schedule the batch of the next step and return its tokens; without any the lane stalls."""
    e = engines(lane)[i]
    e.chunk_tokens, e.chunk_context, e.served = schedule(lane)(i, lane)
    if e.chunk_tokens + e.served == 0:
        lane.stalled = e.running.head if e.running.count > 0 else e.waiting.head
    return e.chunk_tokens + e.served
