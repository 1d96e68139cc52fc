"""The router's side: what it sees and when, its queue, and what a choice does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import from_dtype

from workloadlab.jit import inline
from workloadlab.routing.signals import INSTANCE, REPORTED_FIELDS
from workloadlab.simulation.engine.arrays import (
    copier,
    engines,
    models,
    offers,
    predictions,
    prefix_keys,
    results,
    serves,
    sessions,
    short_steps,
    slo_classes,
    slots,
    snapshots,
    tenants,
    views,
)
from workloadlab.simulation.engine.blocks.told import tell_indexed, whole_blocks
from workloadlab.simulation.engine.by_address import index_insert
from workloadlab.simulation.engine.decodes.counted import overrun
from workloadlab.simulation.engine.instance import accept, uniform_draw
from workloadlab.simulation.engine.instances import advance, catch_up
from workloadlab.simulation.engine.kv_blocks import (
    available,
    blocks_for,
    enter_filled,
    hits,
)
from workloadlab.simulation.engine.record_types import (
    ASSUMED_OUTPUT_TOKENS,
    GONE,
    NONE,
    TICK_S,
)
from workloadlab.simulation.engine.replicas import (
    count_sent,
    leave,
    note_report,
    queue,
    reject,
    see_report,
    show_counts,
)
from workloadlab.simulation.engine.step_times import decode_step_s

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Array,
        Flag,
        Index,
        Lane,
        Seconds,
        View,
    )

__all__ = [
    "fill_offer",
    "refresh_own",
    "refresh_signals",
    "report",
    "send",
    "tell_cached",
]


_copy_report = copier(from_dtype(INSTANCE), REPORTED_FIELDS)


@inline
def _read(i: Index, lane: Lane, v: View) -> None:
    """Write what an engine reports about itself."""
    e = engines(lane)[i]
    v.running = e.running.count
    v.waiting = e.waiting.count
    v.queued_tokens = e.queued_tokens
    v.output_tokens_left = e.predicted_left
    if lane.tells_left == 1:
        v.output_tokens_left += overrun(e, short_steps(lane)[i])
    v.context_tokens = e.context + e.prefilled
    v.kv_blocks_used = e.kv_blocks - available(e)
    if lane.foresees == 1:
        v.next_decode_s = decode_step_s(lane, e, v.running, v.context_tokens)
    if lane.tells_ended == 1:
        v.ended, v.ended_input_tokens, v.ended_output_tokens = (
            e.ended,
            e.ended_input,
            e.ended_output,
        )
        v.prefill_total_s, v.decode_total_s = e.prefill_s, e.decode_s
    v.sent_since_report = e.sent
    v.sent_tokens_since_report = e.sent_tokens


@inline
def report(lane: Lane) -> None:
    """Show the router the instances as they are."""
    shown = views(lane)
    for i in range(lane.instances):
        _read(i, lane, shown[i])
        shown[i].sent_since_report = 0
        shown[i].sent_tokens_since_report = 0


@inline
def _show(lane: Lane, seen: Array) -> None:
    """Show the router a snapshot, with what it has sent since, unless the snapshot overwrites that."""
    for i in range(lane.instances):
        e, s, v = engines(lane)[i], seen[i], views(lane)[i]
        _copy_report(v, s)
        v.sent_since_report = v.sent_tokens_since_report = 0
        if lane.overwrites == 0:
            v.sent_since_report = e.sent - s.sent_since_report
            v.sent_tokens_since_report = e.sent_tokens - s.sent_tokens_since_report


@inline
def refresh_signals(lane: Lane, now: Seconds) -> None:
    """Take the snapshots that fall due until `now`, and show the newest that has arrived.

    Snapshot k is taken at k intervals and seen `delay_s` later; `snapshots` is a ring of as many as can
    be on their way. Stops early where the record of steps is full.
    """
    newest = int(np.floor((now + TICK_S) / lane.interval_s))
    visible = int(np.floor((now - lane.delay_s + TICK_S) / lane.interval_s))
    for tick in range(max(lane.last_tick + 1, visible), newest + 1):
        advance(lane, tick * lane.interval_s)
        if lane.full == 1 or lane.stalled != NONE:
            return
        for i in range(lane.instances):
            _read(i, lane, snapshots(lane)[tick % lane.depth, i])
        note_report(lane, tick % lane.depth)
        lane.last_tick = tick
    if visible > lane.seen_tick:
        lane.seen_tick = visible
        _show(lane, snapshots(lane)[visible % lane.depth])
        see_report(lane, visible % lane.depth)


@inline
def refresh_own(lane: Lane) -> tuple[Flag, Flag]:
    """Update what the router knows by itself about the first request in its queue.

    Returns (whether any instance could ever serve it, whether any may take it now).
    """
    s = slots(lane)[queue(lane).head]
    column = models(lane)[s.row] + 1
    ever = free = served = False
    pool = NONE
    for i in range(lane.instances):
        e, v = engines(lane)[i], views(lane)[i]
        if e.pool != pool:
            pool = e.pool
            needed = blocks_for(min(s.input + s.output, e.most_tokens) - 1, e.block_size)
            served = needed <= e.kv_blocks and s.input < e.most_tokens
            served = served and serves(lane)[pool, column] == 1
        ever = ever or (served and e.most_now != GONE)
        able = served and e.in_flight < e.most_now
        free = free or able
        v.in_flight = e.in_flight
        v.fits = 1 if able else 0
    show_counts(lane)
    return ever, free


@inline
def tell_cached(lane: Lane) -> None:
    """Tell the router what every instance has cached of the first request: never its last token."""
    s, shown = slots(lane)[queue(lane).head], views(lane)
    for i in range(lane.instances):
        e = engines(lane)[i]
        if e.fills > 0:  # a step in flight has filled its blocks
            ahead = 1 if e.stepping == 1 and e.paused == 0 else 0
            enter_filled(i, lane, e.steps + ahead, np.int64(NONE))
    if lane.keeps_bits == 1:
        tell_indexed(lane, s, s.input - 1)
    else:
        limit = whole_blocks(lane, s, s.input - 1)
        for i in range(lane.instances):
            shown[i].indexed_tokens = hits(s, lane, i, limit) * lane.block_tokens
    for i in range(lane.instances):
        shown[i].cached_tokens = shown[i].indexed_tokens


@inline
def fill_offer(lane: Lane) -> None:
    """Describe the first request in the queue to the router."""
    r, s = offers(lane)[0], slots(lane)[queue(lane).head]
    row = s.row
    predicted = s.output if lane.oracle == 1 else predictions(lane)[row]
    if predicted < 0:
        predicted = ASSUMED_OUTPUT_TOKENS
        if lane.finished > 0:
            predicted = lane.finished_tokens // lane.finished
    r.row, r.arrival_s, r.now_s = row, results(lane)[row].arrival_s, lane.now_s
    r.input_tokens, r.predicted_output_tokens = s.input, predicted
    r.output_tokens = s.output if lane.oracle == 1 else 0
    r.prefix_key = prefix_keys(lane)[row] if lane.prefix == 1 else NONE
    r.session, r.model, r.tenant = sessions(lane)[row], models(lane)[row], tenants(lane)[row]
    r.slo_class, r.priority = slo_classes(lane)[row], s.priority
    r.queue_length = queue(lane).count
    r.report_age_s = 0.0
    if lane.interval_s > 0.0:
        r.report_age_s = lane.now_s - max(0, lane.seen_tick) * lane.interval_s
    r.draw = uniform_draw(lane.seed, lane.decided)
    lane.decided += 1


@inline
def _full(chosen: Index, lane: Lane) -> Flag:
    """Say whether an engine has as many requests, or prompt tokens, as it takes."""
    e = engines(lane)[chosen]
    requests, tokens = e.in_flight, e.backlog
    if e.ranks > 1:
        requests = tokens = 0
        for i in range(lane.instances):
            other = engines(lane)[i]
            if other.pool == e.pool:
                requests += other.in_flight
                tokens += other.backlog
    return requests >= e.most_requests or tokens >= e.most_backlog


@inline
def send(lane: Lane, chosen: Index) -> None:
    """Place the first request in the queue on an instance, or reject it if it cannot go there."""
    q = queue(lane).head
    leave(lane, q)
    s, v = slots(lane)[q], views(lane)[chosen]
    result = results(lane)[s.row]
    result.dispatch_s = lane.now_s
    if v.fits == 0:
        reject(lane, q)
        return
    catch_up(chosen, lane)
    if _full(chosen, lane):
        reject(lane, q)
        return
    result.instance = chosen
    accept(chosen, lane, q, lane.now_s, offers(lane)[0].predicted_output_tokens)
    if lane.guesses == 1:
        index_insert(lane)(lane, s, chosen)
    count_sent(lane, s, chosen)
    v.sent_since_report += 1
    v.sent_tokens_since_report += s.input
