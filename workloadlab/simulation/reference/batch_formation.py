"""How an instance of the readable engine forms the batch of its next step.

With asynchronous scheduling the batch is formed while the step before runs, so it knows nothing of what
that step brings: who comes during it waits for the next batch, who ends in it keeps its seat and its
blocks, and its tokens fill no block yet.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workloadlab.simulation.reference.instance import Engine
    from workloadlab.simulation.reference.kv_blocks import Block, Sequence

__all__ = ["blocks_for", "in_vain", "let_go", "schedule"]


def blocks_for(engine: Engine, tokens: int) -> int:
    """Round tokens up to blocks."""
    return -(-tokens // engine.pool.block_size)


def schedule(engine: Engine) -> None:
    """Form the next batch; what ended in the step before then gives its seat and its blocks back."""
    form(engine, late=False)
    if engine.pool.async_scheduling:
        if not engine.batch:  # nothing was to do before the step in flight had ended
            let_go(engine)
            form(engine, late=True)
        let_go(engine)


def in_vain(engine: Engine, sequence: Sequence) -> bool:
    """Say whether a sequence that has ended is in the next batch: its engine learns of it too late."""
    return engine.pool.decodes_in_vain and sequence.total < engine.pool.most_tokens


def let_go(engine: Engine) -> None:
    """Release the sequences that have ended."""
    for sequence in [s for s in engine.running if s.ended]:
        engine.store.enter(sequence, sequence.computed // engine.pool.block_size)
        engine.store.release(sequence)
        engine.running.remove(sequence)


def form(engine: Engine, *, late: bool) -> None:
    """Fill the batch; if it is formed late, from all that are there by then."""
    pool = engine.pool
    engine.batch = []
    came = [s for s in engine.waiting if late or s.ready <= engine.steps]
    engine.eligible = len(engine.running) + len(came)
    if pool.batching == "chunked":
        fill(engine, came)
        if not engine.batch and engine.holds:  # whom prompts were held for was preempted
            fill(engine, came)
        return
    if pool.batching == "prefill_first" or not engine.running:
        admit(engine, came, pool.max_num_batched_tokens)
    if not engine.batch:
        serve_running(engine, pool.max_num_batched_tokens)


def fill(engine: Engine, came: list[Sequence]) -> None:
    """Serve the running, then admit with what is left of the budget."""
    engine.holds = holds_prompts(engine)
    engine.carries = False
    budget, preempted = serve_running(engine, engine.pool.max_num_batched_tokens)
    if not preempted:
        admit(engine, came, budget)
        if not engine.holds:
            engine.saturated = len(came) > 0
    engine.executed += len(engine.batch) > 0
    if engine.carries:
        engine.last_prefill = engine.executed


def holds_prompts(engine: Engine) -> bool:
    """Say whether prompts wait in this step so that decodes go on alone."""
    interval = engine.pool.prefill_schedule_interval
    if engine.saturated or not any(sequence.decoding for sequence in engine.running):
        return False
    if engine.pool.ranks > 1:
        return engine.wave % interval != 0
    return engine.executed + 1 - engine.last_prefill < interval


def chunk(engine: Engine, tokens: int, budget: int) -> int:
    """Return how many of a prompt's tokens the next step may compute.

    The threshold spares others from a long prompt, so a request that is alone may pass it.
    """
    pool = engine.pool
    if pool.batching != "chunked":
        return tokens
    most = pool.long_prefill_token_threshold
    if most == 0 or engine.eligible <= 1:
        most = tokens
    return min(tokens, most, budget)


def serve_running(engine: Engine, budget: int) -> tuple[int, bool]:
    """Serve the running in order of admission; return the budget left, and whether one had to go."""
    preempted = False
    for sequence in list(engine.running):
        if sequence not in engine.running or (sequence.ended and not in_vain(engine, sequence)):
            continue
        if engine.holds and not sequence.decoding:
            continue
        left = sequence.total - sequence.computed
        tokens = 1 if sequence.decoding else chunk(engine, left, budget)
        needed = blocks_for(engine, sequence.computed + tokens) - len(sequence.blocks)
        while needed > engine.store.available and sequence in engine.running:
            preempted = True
            budget += preempt(engine)
        if sequence in engine.running:
            engine.carries |= not sequence.decoding
            serve(engine, sequence, tokens, needed)
            budget -= tokens
    return budget, preempted


def admit(engine: Engine, came: list[Sequence], budget: int) -> None:
    """Admit from those who came while the budget, the seats and the blocks allow.

    While prompts are held only one that lacks a single token is admitted, and none beside another
    prompt: that one could take the budget from it in the next step.
    """
    pool = engine.pool
    held = engine.holds and any(not sequence.decoding for sequence in engine.running)
    while budget > 0 and len(engine.running) < pool.seats and not held:
        able = [s for s in candidates(engine, came) if admission(engine, s, budget)[3]]
        if not able:
            return
        sequence = able[0]
        found, tokens, needed, _ = admission(engine, sequence, budget)
        if pool.batching != "chunked" and engine.batch and tokens > budget:
            return
        lacking = sequence.total - len(found) * pool.block_size
        if engine.holds and lacking > 1:
            return
        engine.carries |= lacking > 1
        came.remove(sequence)
        engine.waiting.remove(sequence)
        engine.running.append(sequence)
        engine.store.use(sequence, found)
        sequence.computed = len(found) * pool.block_size
        serve(engine, sequence, tokens, needed)
        budget -= tokens
        if math.isnan(engine.outcome.scheduled_s[sequence.row]):
            engine.outcome.scheduled_s[sequence.row] = engine.now
            engine.outcome.cached_tokens[sequence.row] = sequence.computed


def candidates(engine: Engine, came: list[Sequence]) -> list[Sequence]:
    """Return who may be admitted next, first things first; only bin packing looks past it."""
    order = engine.pool.queue_order
    if order == "fcfs":
        return [s for s in came[:1] if s is engine.waiting[0]]
    keys = {
        "priority": lambda s: s.priority,
        "least_work_left": lambda s: s.predicted - s.generated,
        "bin_packing": lambda s: -s.total,
    }
    ranked = sorted(came, key=lambda s: (keys[order](s), s.accepted))
    return ranked if order == "bin_packing" else ranked[:1]


def admission(
    engine: Engine, sequence: Sequence, budget: int
) -> tuple[list[Block], int, int, bool]:
    """Return (cached blocks, first chunk, blocks for it, whether all that is asked for is free)."""
    pool, store = engine.pool, engine.store
    found = store.found(sequence.names((sequence.total - 1) // pool.block_size))
    idle = sum(block.users == 0 for block in found)
    cached = len(found) * pool.block_size
    tokens = chunk(engine, sequence.total - cached, budget)
    needed = wanted = blocks_for(engine, cached + tokens) - len(found)
    if pool.reserve_full_isl:
        wanted = blocks_for(engine, sequence.total) - len(found)
    spare = pool.spare_blocks if engine.running else 0
    return found, tokens, needed, wanted + spare <= store.available - idle


def serve(engine: Engine, sequence: Sequence, tokens: int, needed: int) -> None:
    """Put tokens of a running sequence into the batch, with the blocks they need."""
    engine.store.take(sequence, needed)
    engine.batch.append((sequence, tokens))
    in_flight = sequence.decoding and engine.pool.async_scheduling
    known = min(sequence.computed + tokens, sequence.total - in_flight)
    engine.store.enter(sequence, known // engine.pool.block_size)


def preempt(engine: Engine) -> int:
    """Send one back to the queue; return the tokens that it had in this step's batch."""
    sequence = engine.running[-1]
    if engine.pool.queue_order == "priority":
        sequence = max(engine.running, key=lambda s: (s.priority, s.accepted))
    engine.running.remove(sequence)
    freed = sum(tokens for s, tokens in engine.batch if s is sequence)
    engine.batch = [(s, tokens) for s, tokens in engine.batch if s is not sequence]
    engine.store.release(sequence)
    engine.outcome.preemptions[sequence.row] += 1
    if not sequence.ended:  # else its last token is in flight, and it needs nothing more
        sequence.computed = 0
        sequence.decoding = False
        engine.waiting.insert(0, sequence)
    return freed
