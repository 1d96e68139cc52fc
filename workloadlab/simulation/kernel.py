"""The compiled engine: the semantics of `reference.py` with work per step that ignores the batch size.

Decodes are counted, not visited. A decoding sequence gains one token per step, so with S the number
of steps an instance has completed:

- its computed tokens are `base + S`, with `base` fixed when it starts to decode;
- it ends at a known step, kept in a heap;
- it needs a new block in the steps where `base + S` is a multiple of the block size, so the blocks that
  a step needs are one cell of a ring of counters.

At most one running sequence is in the middle of its prompt, the last admitted: the budget was spent on
it, so nothing was admitted behind it. Every running sequence holds at least one token of the budget, so
all of them are served in every step. Arrays in, arrays out; no objects, no files.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import from_dtype, njit, types

from workloadlab.compiled import digest_of
from workloadlab.latency import domain_kernel
from workloadlab.routing import INSTANCE, REQUEST, signatures
from workloadlab.simulation import (
    kernel_blocks,
    kernel_engine,
    kernel_index,
    kernel_sessions,
    kernel_state,
    reference,
)
from workloadlab.simulation.kernel_blocks import blocks_for, hits
from workloadlab.simulation.kernel_engine import accept, advance, start
from workloadlab.simulation.kernel_index import TYPES, Index, index_insert, index_match
from workloadlab.simulation.kernel_sessions import due, pop_release, release_next_turn
from workloadlab.simulation.kernel_state import (
    CACHED,
    ENGINE,
    JIT,
    JOB,
    NONE,
    RELEASE,
    RESULT,
    SEAT,
    SEQUENCE,
    Lane,
)
from workloadlab.simulation.reference import ASSUMED_OUTPUT_TOKENS

__all__ = ["STATUS_ALL_NAN", "STATUS_NO_INSTANCE", "STATUS_OK", "STATUS_STUCK", "run_lane"]

STATUS_OK, STATUS_NO_INSTANCE, STATUS_ALL_NAN, STATUS_STUCK = 0, 1, 2, 3

SCORE_SIGNATURE, CHOOSE_SIGNATURE = signatures()
STEP_TIME = types.float64(
    types.float64, types.float64, types.float64, types.float64, types.float64[::1]
)
SIGNATURE = types.Tuple((types.int64, types.int64, types.int64))(
    types.Array(from_dtype(JOB), 1, "C"),
    types.Array(from_dtype(RESULT), 1, "C"),
    types.Array(from_dtype(SEQUENCE), 1, "C"),
    types.Array(from_dtype(ENGINE), 1, "C"),
    types.int64[:, ::1],
    types.Array(from_dtype(SEAT), 2, "C"),
    types.Array(from_dtype(CACHED), 2, "C"),
    types.int32[::1],
    types.uint8[::1],
    types.FunctionType(STEP_TIME),
    types.float64[:, ::1],
    types.float64[:, :, :, ::1],
    types.uint8[:, ::1],
    types.Array(from_dtype(RELEASE), 1, "C"),
    types.int64[::1],
    types.int64[::1],
    types.int64[::1],
    types.boolean,
    types.FunctionType(SCORE_SIGNATURE),
    types.FunctionType(CHOOSE_SIGNATURE),
    types.boolean,
    types.boolean,
    *TYPES,
    types.float64[::1],
    types.float64[::1],
    types.Array(from_dtype(REQUEST), 1, "C"),
    types.Array(from_dtype(INSTANCE), 1, "C"),
    types.uint64,
    types.float64,
)


@njit(**JIT)
def uniform_draw(state: Any, count: Any) -> Any:
    """Return the `count`-th uniform number in [0, 1) of a run: splitmix64 of state and count."""
    z = state + np.uint64(count + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@njit(**JIT)
def next_step_end(lane: Any) -> Any:
    """Start every instance that has work and return the earliest end of a step, inf if all idle."""
    earliest = np.inf
    for i in range(len(lane.engines)):
        e = lane.engines[i]
        if e.stepping == 0 and e.running + e.waiting > 0:
            start(i, lane)
        if e.stepping == 1:
            earliest = min(earliest, e.now_s)
    return earliest


@njit(**JIT)
def report(lane: Any, views: Any) -> None:
    """Copy what the engines report about themselves into the router's view."""
    for i in range(len(lane.engines)):
        e = lane.engines[i]
        v = views[i]
        v.running = e.running
        v.waiting = e.waiting
        v.queued_tokens = e.queued_tokens
        v.output_tokens_left = e.predicted_left
        v.context_tokens = e.context
        for k in range(e.chunks):
            v.context_tokens += lane.sequences[lane.seats[i, k].chunk].computed
        if e.chunks == 0 and e.partial != NONE:
            v.context_tokens += lane.sequences[e.partial].computed
        v.kv_blocks_used = e.kv_blocks - e.free - e.idle
        v.sent_since_report = 0
        v.sent_tokens_since_report = 0


@njit(**JIT)
def refresh_own(lane: Any, views: Any, row: Any, told: Any) -> Any:
    """Update what the router knows by itself; return whether any instance fits the request."""
    job = lane.jobs[row]
    slots = job.input + job.output - 1
    any_fits = False
    for i in range(len(lane.engines)):
        e = lane.engines[i]
        fits = (
            blocks_for(slots, e.block_size) <= e.kv_blocks and lane.serves[e.pool, job.model] == 1
        )
        views[i].in_flight = e.in_flight
        views[i].fits = 1 if fits else 0
        any_fits |= fits
        if told and e.caching == 1:
            found = hits(job, lane.cache, lane.block_ids, i, (job.input - 1) // e.block_size)
            views[i].cached_tokens = found * e.block_size
            views[i].indexed_tokens = found * e.block_size
    return any_fits


@njit(**JIT)
def lowest_score(score: Any, offer: Any, views: Any, params: Any) -> Any:
    """Return the fitting instance of lowest score, ties to the lowest index; -1 if all are NaN."""
    best, best_score = -1, np.inf
    for i in range(len(views)):
        if views[i].fits == 1:
            value = score(offer[0], views[i], params)
            if value < best_score or (best < 0 and value == np.inf):
                best, best_score = i, value
    return best


def _lane_of(sources: str) -> Any:
    """Return the function, bound to the digest of the sources that it is compiled from."""

    def run_lane(
        jobs: Any,
        results: Any,
        sequences: Any,
        engines: Any,
        ring: Any,
        seats: Any,
        cache: Any,
        block_ids: Any,
        holds: Any,
        step_time: Any,
        tables: Any,
        domains: Any,
        serves: Any,
        releases: Any,
        counts: Any,
        starts: Any,
        prefix_keys: Any,
        scores: Any,
        score: Any,
        choose: Any,
        oracle: Any,
        prefix: Any,
        rules: Any,
        table: Any,
        nodes: Any,
        index_tokens: Any,
        params: Any,
        memory: Any,
        offer: Any,
        views: Any,
        seed: Any,
        interval: Any,
    ) -> Any:
        """Replay one lane in place; return (status, row, chosen instance).

        With turns that are released by the end of others, or with requests held by the router,
        anything may follow from the end of a step, so the lane goes from step end to step end; else
        from arrival to arrival.
        """
        if len(sources) == 0:
            return STATUS_OK, NONE, NONE
        n = len(jobs)
        lane = Lane(
            engines, jobs, results, sequences, ring, seats, cache, block_ids, holds, step_time, tables,
            domains, serves, releases, counts,
        )  # fmt: skip
        index = Index(rules, table, nodes, index_tokens)
        guesses = len(nodes) > 0
        closed = len(starts) < n
        arrived = started = decisions = held = 0
        last_tick = -1.0
        head = tail = NONE
        while arrived < n or held > 0:
            now = jobs[starts[started]].arrival_s if started < len(starts) else np.inf
            if due(lane) != NONE:
                now = min(now, releases[0].at_s)
            if held > 0 or closed:
                now = min(now, next_step_end(lane))
                if now == np.inf:
                    return STATUS_STUCK, head, NONE
            if interval > 0.0 and np.floor(now / interval) > last_tick:
                last_tick = np.floor(now / interval)
                advance(lane, last_tick * interval)
                report(lane, views)
            advance(lane, now)
            while True:
                row = NONE
                if started < len(starts) and jobs[starts[started]].arrival_s == now:
                    row = starts[started]
                if (
                    due(lane) != NONE
                    and releases[0].at_s == now
                    and (row == NONE or due(lane) < row)
                ):
                    row = due(lane)
                    pop_release(lane)
                elif row != NONE:
                    started += 1
                else:
                    break
                sequences[row].next = NONE
                if held == 0:
                    head = row
                else:
                    sequences[tail].next = row
                tail = row
                held += 1
                arrived += 1
            while held > 0:
                row = head
                job = jobs[row]
                following = sequences[row].next
                if not refresh_own(lane, views, row, prefix and not guesses):
                    head = following
                    held -= 1
                    release_next_turn(lane, row, now)
                    continue
                if interval == 0.0:
                    report(lane, views)
                if guesses:
                    index_match(index, lane, views, row, now)
                predicted = job.output if oracle else job.predicted
                if predicted < 0:
                    predicted = ASSUMED_OUTPUT_TOKENS
                    if counts[1] > 0:
                        predicted = counts[0] // counts[1]
                request = offer[0]
                request.row = row
                request.arrival_s = job.arrival_s
                request.now_s = now
                request.input_tokens = job.input
                request.predicted_output_tokens = predicted
                request.output_tokens = job.output if oracle else 0
                request.prefix_key = prefix_keys[row] if prefix else NONE
                request.session = job.session
                request.draw = uniform_draw(seed, decisions)
                decisions += 1
                if scores:
                    chosen = lowest_score(score, offer, views, params)
                    if chosen < 0:
                        return STATUS_ALL_NAN, row, chosen
                else:
                    chosen = choose(request, views, params, memory)
                    if chosen == -1:
                        break
                    if chosen < 0 or chosen >= len(engines):
                        return STATUS_NO_INSTANCE, row, chosen
                head = following
                held -= 1
                results[row].dispatch_s = now
                if views[chosen].fits == 1:
                    results[row].instance = chosen
                    accept(chosen, lane, row, now, predicted)
                    if guesses:
                        index_insert(index, lane, row, chosen, now)
                    views[chosen].sent_since_report += 1
                    views[chosen].sent_tokens_since_report += job.input
                else:
                    release_next_turn(lane, row, now)
        advance(lane, np.inf)
        return STATUS_OK, NONE, NONE

    return run_lane


run_lane = njit(SIGNATURE, **JIT)(
    _lane_of(
        digest_of(
            domain_kernel,
            kernel_blocks,
            kernel_engine,
            kernel_index,
            kernel_sessions,
            kernel_state,
            reference,
        )
    )
)
"""Replay one lane in place: see the function inside `_lane_of`."""
