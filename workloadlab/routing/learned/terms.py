"""What a learned router knows of a choice: twelve costs in seconds, the same for every instance.

No cost names an instance, so a router that was trained on 4 serves 64. The seconds are those of the
fastest pool; the speed of an instance divides them.
"""

from __future__ import annotations

from typing import Any

from workloadlab.routing.prompts import prompts_ahead, uncached_tokens

__all__ = ["GRADIENTS", "TERMS", "WAIT", "divisor", "terms_of", "used_share"]

GRADIENTS = ("step_s", "prefill_token_s", "decode_seq_s", "decode_context_s")
"""Seconds of a step, and what a prompt token, a sequence and a token of context add: g0 to g3."""

TERMS = {
    "wait": "g1 ahead",
    "prefill": "g1 uncached",
    "context": "g3 context",
    "stall": "running g1 uncached",
    "slow_batch": "output running g2",
    "slow_context": "output running g3 (input + output / 2)",
    "decode": "output g0",
    "decode_beside": "output (g2 (running + waiting) + g3 context)",
    "batch": "g0 (running + waiting)",
    "backlog_times_batch": "g1 (ahead + uncached) (running + waiting)",
    "tokens_left": "g2 output_tokens_left",
    "full_cache": "g1 input used^4 / (1.02 - used)",
}
"""Costs by name, with their formulas. ahead: prompt tokens reported as queued or sent since; uncached:
prompt tokens of the request that the instance does not hold; waiting: in the queue, or sent since the
report; used: share of the KV blocks in use, those that the prompts ahead will take included."""

WAIT = 0
"""The place of the request's own wait among the terms."""


def used_share(instance: Any) -> Any:
    """Return the share of the KV blocks in use, those of the prompts ahead included, at most 1."""
    ahead = prompts_ahead(instance) / instance.block_size
    return min(1.0, (instance.kv_blocks_used + ahead) / instance.kv_blocks)


def terms_of(request: Any, instance: Any, g0: Any, g1: Any, g2: Any, g3: Any) -> Any:
    """Return the costs of `TERMS` of placing the request on the instance."""
    running = float(instance.running)
    batch = running + instance.waiting + instance.sent_since_report
    ahead, uncached = float(prompts_ahead(instance)), float(uncached_tokens(request, instance))
    output, used = float(request.predicted_output_tokens), used_share(instance)
    return (
        g1 * ahead,
        g1 * uncached,
        g3 * instance.context_tokens,
        running * g1 * uncached,
        output * running * g2,
        output * running * g3 * (request.input_tokens + 0.5 * output),
        output * g0,
        output * (g2 * batch + g3 * instance.context_tokens),
        g0 * batch,
        g1 * (ahead + uncached) * batch,
        g2 * instance.output_tokens_left,
        g1 * request.input_tokens * used**4 / (1.02 - used),
    )


def divisor(instance: Any, exponent: Any) -> Any:
    """Return the speed of an instance, 1.0 for the fastest, to a power."""
    if instance.relative_speed == 1.0:
        return 1.0
    return instance.relative_speed**exponent
