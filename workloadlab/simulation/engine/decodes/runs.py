"""Runs of steps that only decode, taken in one jump.

Between two events of an instance a batch only grows by a token per decode and step, so the time of a
step is a line over the steps as long as the latency model is one over the context (`decode_line`). A run
of steps is then a sum in closed form, and the last step before a moment is the root of a square.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper, inline
from workloadlab.latency.domain_kernel import inside_domain
from workloadlab.latency.step_terms_kernel import captured_tokens, terms_s
from workloadlab.simulation.engine.arrays import (
    blocks_by_phase,
    decode_heap,
    domains,
    engines,
    tables,
    terms,
)
from workloadlab.simulation.engine.by_address import decode_line
from workloadlab.simulation.engine.decodes.counted import blocks_of_run, steps_with_blocks
from workloadlab.simulation.engine.instance import let_go
from workloadlab.simulation.engine.kv_blocks import available, take
from workloadlab.simulation.engine.record_types import BATCHINGS, TICK_S
from workloadlab.simulation.engine.step_times import contexts

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Array,
        Count,
        Flag,
        Index,
        Instance,
        Lane,
        Number,
        Seconds,
    )

__all__ = ["only_decodes", "quiet_until", "run_decodes"]

STATIC = BATCHINGS.index("static")


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
    d, size, nobody = float(e.decodes), 0, np.int64(0)
    context, more, longest = float(e.context + e.stepping * e.decodes), d, 0.0
    if e.plain == 0:
        context, more, longest = contexts(i, lane, nobody, nobody, nobody)
        size = captured_tokens(e.decodes, e.captured)
    seconds, slope, edge = decode_line(e)(max(d, float(size)), context, tables(lane)[e.pool])
    if e.plain == 0:
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


@inline
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
        if e.bounded == 1:
            e.outside += _outside(e.decodes, e.context, taken + flies, domains(lane)[e.pool])
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
