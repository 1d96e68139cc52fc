"""Policies that predict latency, by default from a linear step model whose coefficients are parameters.

TTFT = constant_s + prefill_token_s (queued + sent since report + input - indexed);
TPOT = constant_s + decode_seq_s (running + waiting + sent + 1) + decode_context_s (context + input).
The coefficients are those of `LatencyModel.linear`; the defaults are an 8B model on one large GPU. Waits
for a place in a full batch and preemptions are not predicted. `router(name, model=...)` predicts with a
fitted model instead (`model_predictions`).

A policy's own parameters come first; the numbers of the prediction follow. A choosing policy writes TTFT
and TPOT of instance i to memory[2 i] and memory[2 i + 1], and decides on them.
"""

from __future__ import annotations

import math
from typing import Any

from workloadlab.routing.families.scorers import LLMD_INDEX
from workloadlab.routing.router import router

__all__ = ["llmd_latency", "polyserve", "predicted_latency"]

FAMILY = "predicted latency"
STEP = {"constant_s": 6e-3, "prefill_token_s": 6e-5, "decode_seq_s": 3e-5, "decode_context_s": 8e-8}
TARGETS = {"ttft_slo_s": 1.0, "tpot_slo_s": 0.05}


def _ttft(request: Any, instance: Any, numbers: Any) -> float:
    pending = instance.queued_tokens + instance.sent_tokens_since_report
    uncached = request.input_tokens - instance.indexed_tokens
    return float(numbers[0] + numbers[1] * (pending + uncached))


def _tpot(request: Any, instance: Any, numbers: Any) -> float:
    batch = instance.running + instance.waiting + instance.sent_since_report + 1
    context = instance.context_tokens + request.input_tokens
    return float(numbers[0] + numbers[2] * batch + numbers[3] * context)


def predict(request: Any, instances: Any, numbers: Any, memory: Any) -> None:
    """Write TTFT and TPOT of every instance to `memory`."""
    for i in range(len(instances)):
        memory[2 * i] = _ttft(request, instances[i], numbers)
        memory[2 * i + 1] = _tpot(request, instances[i], numbers)


def headroom(instances: Any, params: Any, memory: Any) -> int:
    """Choice of `llmd_latency` by what `memory` predicts."""
    low_t, high_t, low_p, high_p = math.inf, -math.inf, math.inf, -math.inf
    tier = 0
    for i in range(len(instances)):
        v = instances[i]
        if v.fits == 1:
            t, p = params[0] - memory[2 * i], params[1] - memory[2 * i + 1]
            rank = 2 if t >= 0.0 and p >= 0.0 else (1 if v.in_flight == 0 else 0)
            if rank > tier:
                tier = rank
                low_t, high_t, low_p, high_p = math.inf, -math.inf, math.inf, -math.inf
            if rank == tier:
                low_t, high_t = min(low_t, abs(t)), max(high_t, abs(t))
                low_p, high_p = min(low_p, abs(p)), max(high_p, abs(p))
    best, least = -1, 0.0
    for i in range(len(instances)):
        v = instances[i]
        if v.fits == 0:
            continue
        t, p = params[0] - memory[2 * i], params[1] - memory[2 * i + 1]
        rank = 2 if t >= 0.0 and p >= 0.0 else (1 if v.in_flight == 0 else 0)
        if rank < tier:
            continue
        blend = 0.8 * (abs(t) - low_t) / (high_t - low_t) if high_t > low_t else 0.0
        blend += 0.2 * (abs(p) - low_p) / (high_p - low_p) if high_p > low_p else 0.0
        if tier == 2 and params[2] > 0.0:
            blend = -blend
        if best < 0 or blend < least:
            best, least = i, blend
    return best


def load_gradient(instances: Any, params: Any, memory: Any) -> int:
    """Choice of `polyserve` by what `memory` predicts."""
    best, quickest = -1, -1
    for i in range(len(instances)):
        v = instances[i]
        if v.fits == 0:
            continue
        if quickest < 0 or memory[2 * i] < memory[2 * quickest]:
            quickest = i
        meets = memory[2 * i] <= params[0] and memory[2 * i + 1] <= params[1]
        if meets and (best < 0 or v.in_flight > instances[best].in_flight):
            best = i
    return best if best >= 0 else quickest


@router(
    family=FAMILY,
    uses={"prefix"},
    params=STEP,
    formula="score = TTFT + predicted output x TPOT of a linear step model, or of model=",
    source="predict and take the least, as Block (2025) does by simulation",
)
def predicted_latency(request: Any, instance: Any, params: Any) -> float:
    """Least predicted end-to-end latency of the request itself; ties to the lowest index."""
    tokens = request.predicted_output_tokens
    return float(_ttft(request, instance, params) + tokens * _tpot(request, instance, params))


@router(
    kind="choose",
    family=FAMILY,
    uses={"prefix"},
    params={**TARGETS, "most": 0, **STEP},
    index=LLMD_INDEX,
    formula="instances that meet both targets: least (or most) headroom 0.8 TTFT + 0.2 TPOT, each "
    "scaled min to max; if none does: idle ones, then the smallest violation",
    source="latency scorer of the llm-d router, its best pick where llm-d draws by weight",
)
def llmd_latency(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Pack where both targets still hold (most = 1: spread); ties to the lowest index.

    The prediction is the linear model above, where llm-d trains trees at the 0.9 quantile; a
    `RequestModel` as `model` does that too. Index: llm-d's approximate one, as in llmd_default.
    """
    predict(request, instances, params[3:], memory)
    return headroom(instances, params, memory)


@router(
    kind="choose",
    family=FAMILY,
    uses={"prefix"},
    params={**TARGETS, **STEP},
    formula="the most in flight among instances predicted to meet both targets; if none does, the "
    "least predicted TTFT",
    source="load gradient of PolyServe (2025), one class of targets",
)
def polyserve(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Highest load that still meets the targets; ties to the lowest index."""
    predict(request, instances, params[2:], memory)
    return load_gradient(instances, params, memory)
