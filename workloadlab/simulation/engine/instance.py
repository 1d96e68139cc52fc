"""One compiled instance: steps one by one, and runs of steps in one jump.

Between two events of an instance a batch only grows by a token per decode and step, so the time of a
step is a line over the steps as long as the latency model is one over the context (`decode_line`). A run
of steps is then a sum in closed form, and the last step before a moment is the root of a square.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import entry, helper, inline
from workloadlab.latency.domain_kernel import inside_domain
from workloadlab.latency.step_terms_kernel import LONGEST, captured_tokens, terms_s
from workloadlab.simulation.engine.arrays import (
    blocks_by_phase,
    decode_heap,
    domains,
    engines,
    fill_heap,
    ledgers,
    results,
    short_steps,
    slots,
    steps,
    tables,
    terms,
)
from workloadlab.simulation.engine.arrivals import note_end, release_next_turn
from workloadlab.simulation.engine.by_address import decode_line, schedule, step_time
from workloadlab.simulation.engine.decodes import (
    add_decode,
    blocks_of_run,
    drop_fill,
    end_overrun,
    expect_fill,
    expect_overrun,
    longest_context,
    pop_decode,
    steps_with_blocks,
)
from workloadlab.simulation.engine.kv_blocks import (
    available,
    empty,
    enter_filled,
    release,
    take,
)
from workloadlab.simulation.engine.linked_list import append, unlink
from workloadlab.simulation.engine.record_types import BATCHINGS, NONE, REPLICA_STREAM, TICK_S

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Array,
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
    "begin_step",
    "clear",
    "complete",
    "decode_step_s",
    "form_batch",
    "in_vain",
    "let_go",
    "only_decodes",
    "quiet_until",
    "replica_of",
    "run_decodes",
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


@inline
def _noise(e: Instance, i: Index, seed: Number) -> Number:
    """Return the factor of a step: lognormal of mean 1, `noise` being the deviation of its logarithm."""
    stream = seed ^ (np.uint64(i + 1) * np.uint64(0xD1342543DE82EF95))
    u, v = uniform_draw(stream, 2 * e.taken_steps), uniform_draw(stream, 2 * e.taken_steps + 1)
    normal = np.sqrt(-2.0 * np.log(1.0 - u)) * np.cos(2.0 * np.pi * v)
    return np.exp(e.noise * normal - 0.5 * e.noise * e.noise)


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
    release(lane, i, q, computed, computed // e.block_size, 0)
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
        enter_filled(i, lane, e.steps, NONE)
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


@helper
def _contexts(
    i: Index, lane: Lane, vain: Count, vain_context: Count, vain_longest: Count
) -> tuple[Number, Number, Number]:
    """Return (context tokens that decode attention takes as long as, more after a step, the longest).

    Of the next step, and with one in flight of the step after it; see `Pool.attention_slots`. The
    longest is 0 where it is counted already, or adds nothing. Decodes in vain come to the others.
    """
    e = engines(lane)[i]
    d, wide = float(e.decodes + vain), e.attention_slots
    context = float(e.context + vain_context + e.stepping * e.decodes)
    if d < wide and wide < np.inf:
        uneven = wide / (wide - 0.5 * d)
        return context * uneven, d * uneven, 0.0
    if wide == np.inf and terms(lane)[e.pool, LONGEST] == 0.0:
        return context, d, 0.0
    longest = float(vain_longest)
    if e.decodes > 0:
        own = longest_context(e, slots(lane), decode_heap(lane), i) + e.stepping
        longest = max(longest, float(own))
    if wide == np.inf:
        return context, d, longest
    return context + wide * longest, d + wide, 0.0


@helper
def decode_step_s(lane: Lane, e: Instance, seqs: Count, context: Count) -> Seconds:
    """Return the seconds of a step that only decodes; see `Pool.decode_step_s`."""
    if seqs == 0:
        return 0.0
    d, c = float(seqs), float(context)
    size = captured_tokens(seqs, e.captured)
    seconds = step_time(e)(0.0, 0.0, max(d, float(size)), c, tables(lane)[e.pool])
    seconds = max(0.0, seconds + terms_s(0.0, 0.0, d, c / d, 0.0, size > 0, terms(lane)[e.pool]))
    overhead_s = e.overhead_s + e.sequence_overhead_s * d
    return max(seconds, overhead_s) if e.overlapped == 1 else seconds + overhead_s


@helper
def form_batch(i: Index, lane: Lane) -> Count:
    """Schedule the batch of the next step and return its tokens; without any the lane stalls."""
    e = engines(lane)[i]
    e.chunk_tokens, e.chunk_context, e.served = schedule(lane)(i, lane)
    if e.chunk_tokens + e.served == 0:
        lane.stalled = e.running.head if e.running.count > 0 else e.waiting.head
    return e.chunk_tokens + e.served


@helper
def begin_step(i: Index, lane: Lane, fullest: Count) -> Seconds:
    """Return how long the step of the batch takes, the overhead included.

    Args:
        i: the instance.
        lane: its lane.
        fullest: tokens of the fullest batch among the ranks that step together.
    """
    e = engines(lane)[i]
    p, x, d = float(e.chunk_tokens), e.chunk_context, float(e.served)
    c = attended = longest = 0.0
    if e.served > 0:
        c = float(e.context + e.vain_context)
        attended, _, longest = _contexts(i, lane, e.vain_decodes, e.vain_context, e.vain_longest)
    if not inside_domain(p, x, d, c, domains(lane)[e.pool]):
        e.outside += 1
    size = captured_tokens(fullest, e.captured)
    more = terms_s(
        p, x, d, attended / d if d > 0.0 else 0.0, longest, size > 0, terms(lane)[e.pool]
    )
    padding = max(0.0, float(size) - (p + d))
    if p > 0.0:
        p += padding
    else:
        d += padding
    seconds = max(0.0, step_time(e)(p, x, d, attended, tables(lane)[e.pool]) + more)
    if e.noise > 0.0:
        seconds *= _noise(e, i, lane.seed)
    overhead_s = e.overhead_s + e.sequence_overhead_s * float(
        e.served + e.chunks - e.holds * e.partials
    )
    seconds = max(seconds, overhead_s) if e.overlapped == 1 else seconds + overhead_s
    if lane.room_for_steps > 0:
        _record(i, lane, e.now_s, e.chunk_tokens, x, e.served, c)
    return seconds


@inline
def _record(
    i: Index, lane: Lane, start: Seconds, prefill: Count, x: Number, decodes: Count, c: Number
) -> None:
    e = engines(lane)[i]
    step = steps(lane)[lane.recorded_steps]
    step.instance, step.start_s = i, start
    step.prefill_tokens, step.prefill_context_tokens = prefill, x
    step.decode_seqs, step.decode_context_tokens = decodes, int(c)
    step.waiting = e.waiting.count
    step.kv_blocks_used = e.kv_blocks - available(e)
    lane.recorded_steps += 1


@helper
def only_decodes(e: Instance) -> Flag:
    """Say whether nothing but decoding can happen before a sequence ends or arrives."""
    queue_stands = (
        e.waiting.count == 0
        or e.running.count >= e.max_num_seqs
        or (e.blocked == 1 and e.fills == 0)  # a block that is filled may be a hit of who waits
        or (e.batching == STATIC)
    )
    if e.interval > 1 and e.waiting.count > 0:
        return False
    # Whoever leaves does so behind the first step, which `run_decodes` knows how to do.
    leaves = e.leaving.count > 0 and (e.waiting.count > 0 or e.vain == 1 or e.fills > 0)
    return e.decodes > 0 and e.partials == 0 and queue_stands and not leaves


@helper
def _line(i: Index, lane: Lane, most: Count) -> tuple[Seconds, Seconds, Count]:
    """Return (seconds of a step, more for each later one, for how many steps that holds).

    Of the next step, and with one in flight of the step after it.
    """
    e = engines(lane)[i]
    d = float(e.decodes)
    context, more, longest = _contexts(i, lane, 0, 0, 0)
    size = captured_tokens(e.decodes, e.captured)
    padded = max(d, float(size))
    seconds, slope, edge = decode_line(e)(padded, context, tables(lane)[e.pool])
    # Mean and longest context grow alike, so what they add is the same in all of these steps.
    seconds += terms_s(0.0, 0.0, d, context / d, longest, size > 0, terms(lane)[e.pool])
    overhead_s = e.overhead_s + e.sequence_overhead_s * d
    if seconds <= 0.0:
        return overhead_s, 0.0, 1
    growth = slope * more
    count = most
    if edge < context + more * most:
        count = min(most, max(1, int((edge - context) / more) + 1))
    if e.overlapped == 0:
        return seconds + overhead_s, growth, count
    if seconds >= overhead_s:
        return seconds, growth, count
    if growth * count > overhead_s - seconds:
        count = max(1, int((overhead_s - seconds) / growth))
    return overhead_s, 0.0, count


@helper
def _steps_within(first: Seconds, growth: Seconds, most: Count, span: Seconds) -> Count:
    """Return how many of `most` steps fit into a span: the first lasts `first`, each later one more."""
    if most * first + growth * (0.5 * most * (most - 1)) <= span:
        return most
    if span < first:
        return 0
    b = first - 0.5 * growth
    k = int(2.0 * span / (b + np.sqrt(b * b + 2.0 * growth * span)))
    k = min(max(k, 0), most)
    while k < most and (k + 1) * first + growth * (0.5 * (k + 1) * k) <= span:
        k += 1
    while k > 0 and k * first + growth * (0.5 * k * (k - 1)) > span:
        k -= 1
    return k


@inline
def _outside(d: Count, context: Number, count: Count, bounds: Array) -> Count:
    """Count the steps of a run outside the domain; only their context differs."""
    if count == 0:
        return 0
    last = context + d * (count - 1)
    low, high = bounds[0, 3, 0], bounds[0, 3, 1]
    inside = min(max(low, float(context)), high)
    if not inside_domain(0.0, 0.0, float(d), inside, bounds):
        return count
    below = above = 0
    if context < low:
        below = min(count, int(np.ceil((low - context) / d)))
    if last > high:
        above = min(count, int(np.ceil((last - high) / d)))
    return below + above


@helper
def run_decodes(i: Index, lane: Lane, until: Seconds) -> None:
    """Take the steps in which a full or queueless batch only decodes and nobody ends.

    Stops before a step that starts at or after `until`, lacks a block, or is somebody's last; a step
    that ends after `until` is left in flight.
    """
    e = engines(lane)[i]
    bounds = domains(lane)[e.pool]
    # The head of the heap ends first. Its last step gives blocks back, so that one is not taken here.
    left = decode_heap(lane)[i, 0].step - e.steps - 1
    paid = 0
    while left > 0 and e.now_s < until - TICK_S:
        if (
            e.leaving.count > 0
        ):  # the batch of the first step is formed before they give blocks back
            paid = blocks_by_phase(lane)[i, e.phase]
            if paid > available(e):
                return
            take(e, lane, i, paid)
            let_go(i, lane)
        first, growth, most = _line(i, lane, left)
        taken = _steps_within(first, growth, most, until + TICK_S - e.now_s)
        end = e.now_s + (taken * first + growth * (0.5 * taken * (taken - 1)))
        flies = taken < most and end < until - TICK_S
        # The step in flight has its blocks too; `complete` counts it when it ends.
        needed = blocks_of_run(e, blocks_by_phase(lane), i, taken + flies) - paid
        short = needed > available(e)
        if short:
            most = available(e) + paid
            taken, flies = steps_with_blocks(e, blocks_by_phase(lane), i, most), False
            end = e.now_s + (taken * first + growth * (0.5 * taken * (taken - 1)))
            needed = blocks_of_run(e, blocks_by_phase(lane), i, taken) - paid
        take(e, lane, i, needed)
        paid = 0
        e.outside += _outside(e.decodes, e.context, taken + flies, bounds)
        e.now_s = end
        e.steps += taken
        e.taken_steps += taken
        e.executed += taken + flies
        e.saturated = 0  # nobody waits behind these steps, or the interval is one
        e.phase += taken
        if e.phase >= e.block_size:
            e.phase %= e.block_size
        e.context += taken * e.decodes
        e.predicted_left -= taken * e.decodes
        left -= taken
        if flies:
            e.now_s = end + (first + growth * taken)
            e.stepping = 1
            e.paused = 0
        if short or flies:
            return


@helper
def quiet_until(i: Index, lane: Lane) -> Seconds:
    """Return a moment before which nothing ends on an instance; inf if it is idle.

    Never later than its next end, and later than its next step's where only decodes go on.
    """
    e = engines(lane)[i]
    if e.stepping == 0:
        return e.now_s if e.running.count + e.waiting.count > 0 else np.inf
    if e.chunks > 0 or lane.stepwise == 1 or not only_decodes(e):
        return e.now_s
    left = decode_heap(lane)[i, 0].step - e.steps - 1
    if left == 0:
        return e.now_s
    first, growth, most = _line(i, lane, left)
    # Any lower count will do where blocks are short: the moment may be early, but never late.
    while most > 0 and blocks_of_run(e, blocks_by_phase(lane), i, most + 1) > available(e):
        most >>= 1
    return e.now_s + (most * first + growth * (0.5 * most * (most - 1)))
