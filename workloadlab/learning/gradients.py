"""The seconds that learned routers count in, read off the latency model of the fastest pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workloadlab.simulation import Cluster

__all__ = ["gradients_of"]

SEQS, CONTEXT, PROMPT = 32, 32_768, 1_024
"""The step at which the gradients are taken: the one by which pools are compared, with a prompt."""


def gradients_of(cluster: Cluster) -> tuple[float, float, float, float]:
    """Return g0 to g3: seconds of a step, of a prompt token, a sequence and a token of context.

    Differences of the latency model around a decode step of 32 requests over 32,768 tokens, at least
    1e-12 each, so that no cost vanishes.

    Example:
        >>> from workloadlab import Cluster, LatencyModel
        >>> model = LatencyModel.linear(constant_s=0.01, prefill_token_s=1e-4, decode_context_s=1e-7)
        >>> cluster = Cluster.uniform(2, model, step_overhead_s=0.0)
        >>> [round(seconds, 9) for seconds in gradients_of(cluster)]
        [0.01, 0.0001, 0.0, 1e-07]
    """
    pool = cluster.pools[cluster.relative_speeds.index(1.0)]

    def step_s(prompt: float, seqs: float, context: float) -> float:
        return pool.latency.step_time_s(
            prefill_tokens=prompt, decode_seqs=seqs, decode_context_tokens=context
        )

    base = step_s(0, SEQS, CONTEXT)
    g1 = (step_s(PROMPT, SEQS, CONTEXT) - base) / PROMPT
    g2 = (step_s(0, 2 * SEQS, CONTEXT) - base) / SEQS
    g3 = (step_s(0, SEQS, 2 * CONTEXT) - base) / CONTEXT
    g0 = base + pool.added_overhead_s - SEQS * g2 - CONTEXT * g3
    return max(g0, 1e-12), max(g1, 1e-12), max(g2, 1e-12), max(g3, 1e-12)
