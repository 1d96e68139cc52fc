"""How long a step of a batch takes, its overhead and noise included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper, inline
from workloadlab.latency.domain_kernel import inside_domain
from workloadlab.latency.step_terms_kernel import LONGEST, captured_tokens, terms_s
from workloadlab.simulation.engine.arrays import (
    decode_heap,
    domains,
    engines,
    slots,
    steps,
    tables,
    terms,
)
from workloadlab.simulation.engine.by_address import step_time
from workloadlab.simulation.engine.decodes.counted import longest_context
from workloadlab.simulation.engine.instance import uniform_draw
from workloadlab.simulation.engine.kv_blocks import available

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Count,
        Index,
        Instance,
        Lane,
        Number,
        Seconds,
    )

__all__ = ["begin_step", "contexts", "decode_step_s"]


@inline
def _noise(e: Instance, i: Index, seed: Number) -> Number:
    """Return the factor of a step: lognormal of mean 1, `noise` being the deviation of its logarithm."""
    stream = seed ^ (np.uint64(i + 1) * np.uint64(0xD1342543DE82EF95))
    u, v = uniform_draw(stream, 2 * e.taken_steps), uniform_draw(stream, 2 * e.taken_steps + 1)
    normal = np.sqrt(-2.0 * np.log(1.0 - u)) * np.cos(2.0 * np.pi * v)
    return np.exp(e.noise * normal - 0.5 * e.noise * e.noise)


@helper
def contexts(
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


@inline
def begin_step(i: Index, lane: Lane, fullest: Count) -> Seconds:
    """Return how long the step of the batch takes, the overhead included.

    Args:
        i: the instance.
        lane: its lane.
        fullest: tokens of the fullest batch among the ranks that step together.
    """
    e = engines(lane)[i]
    p, x, d = float(e.chunk_tokens), e.chunk_context, float(e.served)
    c = float(e.context + e.vain_context) if e.served > 0 else 0.0
    if e.bounded == 1 and not inside_domain(p, x, d, c, domains(lane)[e.pool]):
        e.outside += 1
    attended, more = c, 0.0
    if e.plain == 0:
        longest = 0.0
        if e.served > 0:
            attended, _, longest = contexts(i, lane, e.vain_decodes, e.vain_context, e.vain_longest)
        size = captured_tokens(fullest, e.captured)
        mean = attended / d if d > 0.0 else 0.0
        more = terms_s(p, x, d, mean, longest, size > 0, terms(lane)[e.pool])
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
