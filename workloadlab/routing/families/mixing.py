"""Workload mixing: what a newcomer and the requests beside it do to each other."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.prompts import prompts_ahead, requests_ahead, uncached_tokens
from workloadlab.routing.router import router

__all__ = ["mixing_impact", "mixing_seconds"]

FAMILY = "predicted latency"


@router(
    family=FAMILY,
    params={"alpha": 0.5, "prefill_token_s": 3.2e-4, "decode_token_s": 3.3e-5, "threshold_s": 0.5},
    formula="score = -(alpha clip(1 - T / threshold_s, -1, 1) - (1 - alpha) min(1, D)); "
    "T = prefill_token_s input + decode_token_s context, D = decode_token_s n (input + output)",
    source="workload mixing impact of Jain et al. 2024; gradients of its V100, equations reconstructed",
)
def mixing_impact(request: Any, instance: Any, params: Any) -> float:
    """Reward of the founding paper's guidance, largest first; ties to the lowest index.

    Reads context tokens, running + waiting and the predicted output, and counts what was sent since the
    last report as there. The paper's equations are not legible in full: the terms agree with its ranges
    ([-1, 1] and [-1, 0]), alpha and gradients; the threshold is its heavy-prompt mark of 0.5 s.
    """
    present = requests_ahead(instance)
    context = instance.context_tokens + instance.sent_tokens_since_report
    length = request.input_tokens + request.predicted_output_tokens
    prefill_s = params[1] * request.input_tokens + params[2] * context
    prefill = min(1.0, max(-1.0, 1.0 - prefill_s / params[3]))
    decode = min(1.0, params[2] * present * length)
    return float(-(params[0] * prefill - (1.0 - params[0]) * decode))


@router(
    family=FAMILY,
    uses={"prefix"},
    params={"alpha": 0.5, "prefill_token_s": 6e-5, "decode_seq_s": 1e-5, "decode_context_s": 8e-8},
    formula="score = alpha E1 + (1 - alpha)(E2 + E3); E1 = g1 (queued + sent + uncached) + g3 context, "
    "E2 = n g1 uncached, E3 = output n (g2 + g3 (input + output / 2)), n = running + sent",
    source="mixing impact in seconds of delay: own prefill, stall and slow-down inflicted on the batch",
)
def mixing_seconds(request: Any, instance: Any, params: Any) -> float:
    """Seconds that the newcomer waits and makes others wait; ties to the lowest index.

    E1 is its prefill behind the backlog, E2 the stall of the n running requests during its prefill, E3
    what its decoding adds to each of their steps. What was sent since the last report counts as backlog
    and as running. g1, g2, g3 are prefill_token_s, decode_seq_s and decode_context_s of a fitted latency
    model. Preemption is not priced.
    """
    uncached = uncached_tokens(request, instance)
    output = request.predicted_output_tokens
    beside = instance.running + instance.sent_since_report
    own = params[1] * (prompts_ahead(instance) + uncached) + params[3] * instance.context_tokens
    stall = beside * params[1] * uncached
    step = params[2] + params[3] * (request.input_tokens + 0.5 * output)
    return float(params[0] * own + (1.0 - params[0]) * (stall + output * beside * step))
