"""Policies that weigh requests by their predicted or true length."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.choices import least, least_cell
from workloadlab.routing.memory import memory_slots, per_instance
from workloadlab.routing.prompts import prompts_ahead, uncached_tokens
from workloadlab.routing.router import router

__all__ = ["decode_balancer", "least_work_left", "min_min"]

FAMILY = "size-aware"
ERRORS = memory_slots(error_tokens="instance", counted="instance")
"""Of `least_work_left`: the errors of its predictions, and the requests in flight that they are of."""
ASSIGNED = memory_slots(assigned="instance")
CLOCKS = memory_slots(ready_s="instance")


def _work_s(instance: Any, request: Any, params: Any, errors: Any) -> float:
    prompt = prompts_ahead(instance) + uncached_tokens(request, instance)
    output = max(0.0, instance.output_tokens_left + errors[instance.index])
    return float(params[0] * prompt + params[1] * output)


_least_work = least(_work_s)


@router(
    kind="choose",
    family=FAMILY,
    uses={"prefix"},
    memory=ERRORS,
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
    errors = memory[per_instance(ERRORS.error_tokens, instances)]
    counted = memory[per_instance(ERRORS.counted, instances)]
    for i in range(len(instances)):
        if counted[i] > instances[i].in_flight:
            errors[i] *= instances[i].in_flight / counted[i]
        counted[i] = instances[i].in_flight
    best = _least_work(instances, request, params, errors)
    seen = params[2] + params[3] * 3.0**0.5 * (2.0 * request.draw - 1.0)
    error = max(0.0, seen) - 1.0
    errors[best] += request.predicted_output_tokens * error
    counted[best] += 1.0
    return best


@router(
    kind="choose",
    family=FAMILY,
    needs={"oracle"},
    memory=ASSIGNED,
    formula="argmin of the output tokens assigned since the start",
    source="decode balancer of Jain et al. 2024; assumes that true lengths are known",
)
def decode_balancer(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Balance the running sum of assigned output tokens, finished or not; ties to the lowest index."""
    assigned = memory[per_instance(ASSIGNED.assigned, instances)]
    best = least_cell(instances, assigned)
    assigned[best] += request.output_tokens
    return best


def _done_s(instance: Any, ready_s: Any, now_s: Any, job_s: Any) -> Any:
    return max(ready_s[instance.index], now_s) + job_s


_earliest = least(_done_s)


@router(
    kind="choose",
    family=FAMILY,
    memory=CLOCKS,
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
    ready_s = memory[per_instance(CLOCKS.ready_s, instances)]
    best = _earliest(instances, ready_s, request.now_s, job_s)
    ready_s[best] = _done_s(instances[best], ready_s, request.now_s, job_s)
    return best
