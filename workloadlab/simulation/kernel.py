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

from workloadlab.routing import INSTANCE, REQUEST, signatures
from workloadlab.simulation.reference import ASSUMED_OUTPUT_TOKENS

__all__ = ["ENGINE", "JOB", "RESULT", "SEAT", "SEQUENCE", "STATUS_OK", "run_lane"]

JOB = np.dtype(
    [
        ("arrival_s", "f8"),
        ("input", "i8"),
        ("output", "i8"),
        ("predicted", "i8"),
        ("session", "i8"),
    ],
    align=True,
)
"""What a request asks for."""

RESULT = np.dtype(
    [("dispatch_s", "f8"), ("scheduled_s", "f8"), ("first_token_s", "f8"), ("end_s", "f8"),
     ("instance", "i8"), ("preemptions", "i8")],
    align=True,
)  # fmt: skip
"""What happened to it; times are NaN and the instance -1 until then."""

SEQUENCE = np.dtype(
    [("predicted", "i8"), ("generated", "i8"), ("target", "i8"), ("computed", "i8"),
     ("chunk", "i8"), ("base", "i8"), ("decoding", "i8"), ("next", "i8"), ("previous", "i8")],
    align=True,
)  # fmt: skip
"""A request inside an engine. `computed` holds while prefilling, `base` while decoding; `next` links the
waiting queue, `next` and `previous` the running list in order of admission."""

ENGINE = np.dtype(
    [("kv_blocks", "i8"), ("block_size", "i8"), ("max_num_seqs", "i8"), ("budget", "i8"),
     ("overhead_s", "f8"), ("pool", "i8"),
     ("now_s", "f8"), ("stepping", "i8"), ("steps", "i8"), ("phase", "i8"), ("outside", "i8"),
     ("free", "i8"),
     ("in_flight", "i8"), ("predicted_left", "i8"), ("queued_tokens", "i8"),
     ("decodes", "i8"), ("context", "i8"), ("partial", "i8"), ("chunks", "i8"),
     ("waiting", "i8"), ("wait_head", "i8"), ("wait_tail", "i8"),
     ("running", "i8"), ("run_head", "i8"), ("run_tail", "i8")],
    align=True,
)  # fmt: skip
"""One instance: its limits, then its state. `decodes` and `context` count decoding sequences and their
computed tokens; `phase` is `steps` modulo the block size; `partial` is the sequence amid its prompt;
`chunks` counts the prefills of the current step."""

SEAT = np.dtype([("key", "i8"), ("row", "i8"), ("chunk", "i8")], align=True)
"""Scratch of an instance, one per possible sequence: a heap of decodes (last step, row), and the rows
that prefill in the current step."""

NONE = -1
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
    types.FunctionType(STEP_TIME),
    types.float64[:, ::1],
    types.float64[:, :, :, ::1],
    types.boolean,
    types.FunctionType(SCORE_SIGNATURE),
    types.FunctionType(CHOOSE_SIGNATURE),
    types.boolean,
    types.float64[::1],
    types.float64[::1],
    types.Array(from_dtype(REQUEST), 1, "C"),
    types.Array(from_dtype(INSTANCE), 1, "C"),
    types.uint64,
    types.float64,
)


@njit(cache=True, nogil=True)
def uniform_draw(state: Any, count: Any) -> Any:
    z = state + np.uint64(count + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@njit(cache=True, nogil=True)
def blocks_for(tokens: Any, block_size: Any) -> Any:
    return (tokens + block_size - 1) // block_size


@njit(cache=True, nogil=True)
def heap_push(seats: Any, i: Any, size: Any, key: Any, row: Any) -> None:
    child = size
    while child > 0:
        parent = (child - 1) >> 1
        if seats[i, parent].key <= key:
            break
        seats[i, child].key, seats[i, child].row = seats[i, parent].key, seats[i, parent].row
        child = parent
    seats[i, child].key, seats[i, child].row = key, row


@njit(cache=True, nogil=True)
def heap_sift(seats: Any, i: Any, size: Any, hole: Any, key: Any, row: Any) -> None:
    """Put (key, row) at `hole` or, where a child is smaller, below it."""
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        if child + 1 < size and seats[i, child + 1].key < seats[i, child].key:
            child += 1
        if seats[i, child].key >= key:
            break
        seats[i, hole].key, seats[i, hole].row = seats[i, child].key, seats[i, child].row
        hole = child
    seats[i, hole].key, seats[i, hole].row = key, row


@njit(cache=True, nogil=True)
def heap_remove(seats: Any, i: Any, size: Any, row: Any) -> None:
    """Remove a row from the heap of `size` entries; only preemption does this."""
    hole = 0
    while seats[i, hole].row != row:
        hole += 1
    last = size - 1
    key, moved = seats[i, last].key, seats[i, last].row
    if hole == last:
        return
    while hole > 0 and seats[i, (hole - 1) >> 1].key > key:
        parent = (hole - 1) >> 1
        seats[i, hole].key, seats[i, hole].row = seats[i, parent].key, seats[i, parent].row
        hole = parent
    heap_sift(seats, i, last, hole, key, moved)


@njit(cache=True, nogil=True)
def append_running(e: Any, sequences: Any, row: Any) -> None:
    sequences[row].previous = e.run_tail
    sequences[row].next = NONE
    if e.run_tail == NONE:
        e.run_head = row
    else:
        sequences[e.run_tail].next = row
    e.run_tail = row
    e.running += 1


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def accept(e: Any, sequences: Any, job: Any, row: Any, now: Any, predicted: Any) -> None:
    """Put a new request at the tail of the waiting queue."""
    if e.stepping == 0 and e.now_s < now:
        e.now_s = now
    s = sequences[row]
    s.predicted, s.generated, s.target, s.computed, s.decoding = predicted, 0, job.input, 0, 0
    s.next = NONE
    if e.wait_tail == NONE:
        e.wait_head = row
    else:
        sequences[e.wait_tail].next = row
    e.wait_tail = row
    e.waiting += 1
    e.in_flight += 1
    e.predicted_left += predicted
    e.queued_tokens += job.input


@njit(cache=True, nogil=True)
def preempt_last(
    i: Any, engines: Any, jobs: Any, results: Any, sequences: Any, ring: Any, seats: Any
) -> Any:
    """Move the last admitted sequence to the head of the waiting queue; return its row."""
    e = engines[i]
    row = e.run_tail
    s = sequences[row]
    unlink_running(e, sequences, row)
    if s.decoding == 1:
        computed = s.base + e.steps
        s.generated = computed - jobs[row].input + 1
        s.target = jobs[row].input + s.generated
        s.decoding = 0
        heap_remove(seats, i, e.decodes, row)
        ring[i, -s.base % e.block_size] -= 1
        e.decodes -= 1
        e.context -= computed
        e.queued_tokens += s.target
    else:
        computed = s.computed
        e.partial = NONE
        e.queued_tokens += computed
    e.free += blocks_for(computed, e.block_size)
    s.computed = 0
    s.next = e.wait_head
    e.wait_head = row
    if e.wait_tail == NONE:
        e.wait_tail = row
    e.waiting += 1
    results[row].preemptions += 1
    return row


@njit(cache=True, nogil=True)
def allocate_or_preempt(
    i: Any, engines: Any, jobs: Any, results: Any, sequences: Any, ring: Any, seats: Any
) -> None:
    """Give each decode the block it needs, in order of admission, preempting from the end."""
    e = engines[i]
    row = e.run_head
    while row != NONE:
        s = sequences[row]
        if s.decoding == 1 and (s.base + e.steps) % e.block_size == 0:
            while e.free == 0:
                if preempt_last(i, engines, jobs, results, sequences, ring, seats) == row:
                    return
            e.free -= 1
        row = s.next


@njit(cache=True, nogil=True)
def schedule(
    i: Any, engines: Any, jobs: Any, results: Any, sequences: Any, ring: Any, seats: Any
) -> Any:
    """Form the next batch; return its prefill tokens and prefill context."""
    e = engines[i]
    preempted = False
    needed = ring[i, e.phase]
    if needed <= e.free:
        e.free -= needed
    else:
        allocate_or_preempt(i, engines, jobs, results, sequences, ring, seats)
        preempted = True
    budget = e.budget - e.decodes
    e.chunks = 0
    prefill = 0
    prefill_context = 0.0
    if e.partial != NONE:
        s = sequences[e.partial]
        tokens = min(s.target - s.computed, budget)
        held = blocks_for(s.computed, e.block_size)
        needed = blocks_for(s.computed + tokens, e.block_size) - held
        if needed > e.free:
            preempt_last(i, engines, jobs, results, sequences, ring, seats)
            preempted = True
        else:
            e.free -= needed
            s.chunk = tokens
            seats[i, 0].chunk = e.partial
            e.chunks = 1
            budget -= tokens
            prefill += tokens
            prefill_context += tokens * s.computed
    if preempted:
        return prefill, prefill_context
    while e.waiting > 0 and budget > 0 and e.running < e.max_num_seqs:
        row = e.wait_head
        s = sequences[row]
        tokens = min(s.target, budget)
        needed = blocks_for(tokens, e.block_size)
        if needed > e.free:
            break
        e.free -= needed
        e.wait_head = s.next
        if e.wait_head == NONE:
            e.wait_tail = NONE
        e.waiting -= 1
        append_running(e, sequences, row)
        s.chunk = tokens
        seats[i, e.chunks].chunk = row
        e.chunks += 1
        if tokens < s.target:
            e.partial = row
        budget -= tokens
        prefill += tokens
        if np.isnan(results[row].scheduled_s):
            results[row].scheduled_s = e.now_s
    return prefill, prefill_context


@njit(cache=True, nogil=True)
def finish(
    e: Any, jobs: Any, results: Any, sequences: Any, row: Any, computed: Any, lengths: Any
) -> None:
    results[row].end_s = e.now_s
    unlink_running(e, sequences, row)
    e.free += blocks_for(computed, e.block_size)
    e.in_flight -= 1
    e.predicted_left -= sequences[row].predicted - jobs[row].output
    lengths[0] += jobs[row].output
    lengths[1] += 1


@njit(cache=True, nogil=True)
def complete(
    i: Any,
    engines: Any,
    jobs: Any,
    results: Any,
    sequences: Any,
    ring: Any,
    seats: Any,
    lengths: Any,
) -> None:
    """End the current step: every decode and every finished prefill gives a token."""
    e = engines[i]
    e.stepping = 0
    e.steps += 1
    e.phase += 1
    if e.phase == e.block_size:
        e.phase = 0
    e.context += e.decodes
    e.predicted_left -= e.decodes
    while e.decodes > 0 and seats[i, 0].key == e.steps:
        row = seats[i, 0].row
        computed = sequences[row].base + e.steps
        last = seats[i, e.decodes - 1]
        e.decodes -= 1
        heap_sift(seats, i, e.decodes, 0, last.key, last.row)
        ring[i, -sequences[row].base % e.block_size] -= 1
        e.context -= computed
        finish(e, jobs, results, sequences, row, computed, lengths)
    for k in range(e.chunks):
        row = seats[i, k].chunk
        s = sequences[row]
        s.computed += s.chunk
        e.queued_tokens -= s.chunk
        if s.computed < s.target:
            continue
        if e.partial == row:
            e.partial = NONE
        s.generated += 1
        e.predicted_left -= 1
        if np.isnan(results[row].first_token_s):
            results[row].first_token_s = e.now_s
        left = jobs[row].output - s.generated
        if left == 0:
            finish(e, jobs, results, sequences, row, s.computed, lengths)
        else:
            s.decoding = 1
            s.base = s.computed - e.steps
            ring[i, -s.base % e.block_size] += 1
            heap_push(seats, i, e.decodes, e.steps + left, row)
            e.decodes += 1
            e.context += s.computed
    e.chunks = 0


@njit(cache=True, nogil=True)
def inside(domains: Any, k: Any, p: Any, x: Any, d: Any, c: Any) -> Any:
    """Say whether a step lies in the box of its kind: decode 0, prefill 1, mixed 2."""
    kind = 0
    if p > 0.0:
        kind = 2 if d > 0.0 else 1
    within = domains[k, kind, 0, 0] <= p <= domains[k, kind, 0, 1]
    within &= domains[k, kind, 1, 0] <= x <= domains[k, kind, 1, 1]
    within &= domains[k, kind, 2, 0] <= d <= domains[k, kind, 2, 1]
    within &= domains[k, kind, 3, 0] <= c <= domains[k, kind, 3, 1]
    return within and domains[k, kind, 4, 0] <= p + d <= domains[k, kind, 4, 1]


@njit(cache=True, nogil=True)
def start(
    i: Any,
    engines: Any,
    jobs: Any,
    results: Any,
    sequences: Any,
    ring: Any,
    seats: Any,
    step_time: Any,
    tables: Any,
    domains: Any,
) -> None:
    """Schedule a batch and set the end of its step."""
    e = engines[i]
    prefill, prefill_context = schedule(i, engines, jobs, results, sequences, ring, seats)
    p, x, d, c = float(prefill), prefill_context, float(e.decodes), float(e.context)
    k = e.pool
    if not inside(domains, k, p, x, d, c):
        e.outside += 1
    e.now_s += step_time(p, x, d, c, tables[k]) + e.overhead_s
    e.stepping = 1


@njit(cache=True, nogil=True)
def run_decodes(
    i: Any,
    until: Any,
    engines: Any,
    ring: Any,
    seats: Any,
    step_time: Any,
    tables: Any,
    domains: Any,
) -> None:
    """Take the steps in which a full or queueless batch only decodes and nobody ends.

    Stops before a step that starts at or after `until`, lacks a block, or is somebody's last; a step
    that ends after `until` is left in flight.
    """
    e = engines[i]
    k = e.pool
    table = tables[k]
    now, context, phase, free = e.now_s, e.context, e.phase, e.free
    d = float(e.decodes)
    plain = seats[i, 0].key - e.steps - 1
    taken = 0
    while taken < plain and now < until:
        needed = ring[i, phase]
        if needed > free:
            break
        free -= needed
        c = float(context)
        if not inside(domains, k, 0.0, 0.0, d, c):
            e.outside += 1
        now += step_time(0.0, 0.0, d, c, table) + e.overhead_s
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


@njit(cache=True, nogil=True)
def advance(
    until: Any,
    engines: Any,
    jobs: Any,
    results: Any,
    sequences: Any,
    ring: Any,
    seats: Any,
    step_time: Any,
    tables: Any,
    domains: Any,
    lengths: Any,
) -> None:
    """Run every step of every instance that ends by `until`; start none at or after it."""
    for i in range(len(engines)):
        e = engines[i]
        while True:
            if e.stepping == 1:
                if e.now_s > until:
                    break
                complete(i, engines, jobs, results, sequences, ring, seats, lengths)
            if e.running + e.waiting == 0 or e.now_s >= until:
                break
            if (
                e.decodes > 0
                and e.partial == NONE
                and (e.waiting == 0 or e.running >= e.max_num_seqs)
            ):
                run_decodes(i, until, engines, ring, seats, step_time, tables, domains)
                if e.stepping == 1 or e.now_s >= until:
                    break
            start(
                i, engines, jobs, results, sequences, ring, seats, step_time, tables, domains
            )  # fmt: skip


@njit(cache=True, nogil=True)
def report(engines: Any, sequences: Any, views: Any) -> None:
    """Copy what the engines report about themselves into the router's view."""
    for i in range(len(engines)):
        e = engines[i]
        v = views[i]
        v.running = e.running
        v.waiting = e.waiting
        v.queued_tokens = e.queued_tokens
        v.output_tokens_left = e.predicted_left
        held = sequences[e.partial].computed if e.partial != NONE else 0
        v.context_tokens = e.context + held
        v.kv_blocks_used = e.kv_blocks - e.free


@njit(cache=True, nogil=True)
def refresh_own(engines: Any, views: Any, slots: Any) -> Any:
    """Update what the router knows by itself; return whether any instance fits the request."""
    any_fits = False
    for i in range(len(engines)):
        fits = blocks_for(slots, engines[i].block_size) <= engines[i].kv_blocks
        views[i].in_flight = engines[i].in_flight
        views[i].fits = 1 if fits else 0
        any_fits |= fits
    return any_fits


@njit(cache=True, nogil=True)
def lowest_score(score: Any, offer: Any, views: Any, params: Any) -> Any:
    """Return the fitting instance of lowest score, ties to the lowest index; -1 if all are NaN."""
    best, best_score = -1, np.inf
    for i in range(len(views)):
        if views[i].fits == 1:
            value = score(offer[0], views[i], params)
            if value < best_score or (best < 0 and value == np.inf):
                best, best_score = i, value
    return best


@njit(SIGNATURE, cache=True, nogil=True)
def run_lane(
    jobs: Any,
    results: Any,
    sequences: Any,
    engines: Any,
    ring: Any,
    seats: Any,
    step_time: Any,
    tables: Any,
    domains: Any,
    scores: Any,
    score: Any,
    choose: Any,
    oracle: Any,
    params: Any,
    memory: Any,
    offer: Any,
    views: Any,
    seed: Any,
    interval: Any,
) -> Any:
    """Replay one lane in place; return (status, row, chosen instance)."""
    n = len(jobs)
    lengths = np.zeros(2, np.int64)
    arrived = decisions = held = 0
    last_tick = -1.0
    head = tail = NONE
    while arrived < n or held > 0:
        now = jobs[arrived].arrival_s if arrived < n else np.inf
        if held > 0:
            for i in range(len(engines)):
                e = engines[i]
                if e.stepping == 0 and e.running + e.waiting > 0:
                    start(
                        i, engines, jobs, results, sequences, ring, seats,
                        step_time, tables, domains,
                    )  # fmt: skip
                if e.stepping == 1:
                    now = min(now, e.now_s)
            if now == np.inf:
                return STATUS_STUCK, head, NONE
        if interval > 0.0 and np.floor(now / interval) > last_tick:
            last_tick = np.floor(now / interval)
            advance(
                last_tick * interval, engines, jobs, results, sequences, ring, seats,
                step_time, tables, domains, lengths,
            )  # fmt: skip
            report(engines, sequences, views)
        advance(
            now, engines, jobs, results, sequences, ring, seats,
            step_time, tables, domains, lengths,
        )  # fmt: skip
        while arrived < n and jobs[arrived].arrival_s == now:
            sequences[arrived].next = NONE
            if held == 0:
                head = arrived
            else:
                sequences[tail].next = arrived
            tail = arrived
            held += 1
            arrived += 1
        while held > 0:
            row = head
            job = jobs[row]
            following = sequences[row].next
            slots = job.input + job.output - 1
            if not refresh_own(engines, views, slots):
                head = following
                held -= 1
                continue
            if interval == 0.0:
                report(engines, sequences, views)
            predicted = job.predicted
            if predicted < 0:
                predicted = ASSUMED_OUTPUT_TOKENS
                if lengths[1] > 0:
                    predicted = lengths[0] // lengths[1]
            request = offer[0]
            request.row = row
            request.arrival_s = job.arrival_s
            request.now_s = now
            request.input_tokens = job.input
            request.predicted_output_tokens = predicted
            request.output_tokens = job.output if oracle else 0
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
                accept(engines[chosen], sequences, job, row, now, predicted)
    advance(
        np.inf, engines, jobs, results, sequences, ring, seats,
        step_time, tables, domains, lengths,
    )  # fmt: skip
    return STATUS_OK, NONE, NONE
