"""Policies that weigh requests by their predicted or true length."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.router import router

__all__ = ["decode_balancer", "least_work_left", "min_min"]

FAMILY = "size-aware"
OWN = 64
"""Where a router's cells for single instances begin in its memory."""


@router(
    kind="choose",
    family=FAMILY,
    uses={"prefix"},
    params={"prefill_token_s": 6e-5, "decode_token_s": 3e-4, "bias": 1, "noise": 0},
    formula="argmin prefill_token_s (queued + sent since report + input - cached) "
    "+ decode_token_s (output_tokens_left + errors of prediction)",
    source="least work left (classic; Harchol-Balter et al. 1999) with predicted lengths",
)
def least_work_left(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Fewest seconds of predicted work, this prompt included; ties to the lowest index.

    Reads queued tokens, predicted output tokens left and the prefix cache. To ask what a worse
    predictor would cost, the router takes each length for predicted x (bias + noise z), z of mean 0
    and variance 1, at least 0; the errors of the requests that end leave an instance in proportion to
    their number.
    """
    best, least = -1, 0.0
    for i in range(len(instances)):
        v = instances[i]
        cell = OWN + 2 * i
        if memory[cell + 1] > v.in_flight:
            memory[cell] *= v.in_flight / memory[cell + 1]
        memory[cell + 1] = v.in_flight
        if v.fits == 1:
            prompt = v.queued_tokens + v.sent_tokens_since_report
            prompt += request.input_tokens - v.cached_tokens
            output = max(0.0, v.output_tokens_left + memory[cell])
            work = params[0] * prompt + params[1] * output
            if best < 0 or work < least:
                best, least = i, work
    seen = params[2] + params[3] * 3.0**0.5 * (2.0 * request.draw - 1.0)
    error = max(0.0, seen) - 1.0
    memory[OWN + 2 * best] += request.predicted_output_tokens * error
    memory[OWN + 2 * best + 1] += 1.0
    return best


@router(
    kind="choose",
    family=FAMILY,
    needs={"oracle"},
    formula="argmin of the output tokens assigned since the start",
    source="decode balancer of Jain et al. 2024; assumes that true lengths are known",
)
def decode_balancer(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Balance the running sum of assigned output tokens, finished or not; ties to the lowest index."""
    best = -1
    for i in range(len(instances)):
        if instances[i].fits == 1 and (best < 0 or memory[OWN + i] < memory[OWN + best]):
            best = i
    memory[OWN + best] += request.output_tokens
    return best


@router(
    kind="choose",
    family=FAMILY,
    params={"prefill_token_s": 3.2e-4, "decode_token_s": 3.5e-2, "small": 256, "medium": 2048,
            "large": 4096},
    formula="argmin of completion = max(ready, now) + prefill_token_s input "
    "+ decode_token_s (upper bound of the predicted length's bucket)",
    source="min-min of Jain et al. 2024, for the head of the queue",
)  # fmt: skip
def min_min(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Earliest completion by a clock of assigned jobs per instance; ties to the lowest index.

    Reads the predicted length only, rounded up to its bucket (256, 2048, 4096 tokens). Min-min also
    orders the queue, shortest job first; a router sees only the head, so what remains here is minimum
    completion time. A clock adds whole jobs, as if an engine ran one at a time.
    """
    longest = params[4]
    if request.predicted_output_tokens <= params[2]:
        longest = params[2]
    elif request.predicted_output_tokens <= params[3]:
        longest = params[3]
    job_s = params[0] * request.input_tokens + params[1] * longest
    best, earliest = -1, 0.0
    for i in range(len(instances)):
        if instances[i].fits == 1:
            done = max(memory[OWN + i], request.now_s) + job_s
            if best < 0 or done < earliest:
                best, earliest = i, done
    memory[OWN + best] = earliest
    return best
