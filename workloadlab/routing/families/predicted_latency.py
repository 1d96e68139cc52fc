"""Policies that predict latency, by default from a linear step model whose coefficients are parameters.

TTFT = constant_s + prefill_token_s (queued + sent since report + input - indexed);
TPOT = constant_s + decode_seq_s (running + waiting + sent + 1) + decode_context_s (context + input).
The coefficients are those of `LatencyModel.linear`; the defaults are an 8B model on one large GPU. Waits
for a place in a full batch and preemptions are not predicted. `router(name, model=...)` predicts with a
fitted model instead (`model_predictions`).

A policy's own parameters come first; the numbers of the prediction follow. A choosing policy writes TTFT
and TPOT of every instance to its memory, and decides on them.
"""

from __future__ import annotations

import math
from typing import Any

from workloadlab.routing.choices import least_among, least_cell, total
from workloadlab.routing.families.scorers import LLMD_INDEX
from workloadlab.routing.memory import memory_slots, per_instance
from workloadlab.routing.prompts import context_with, prompts_ahead, unindexed_tokens
from workloadlab.routing.router import router

__all__ = ["aibrix_least_latency", "llmd_latency", "polyserve", "predicted_latency"]

FAMILY = "predicted latency"
STEP = {"constant_s": 6e-3, "prefill_token_s": 6e-5, "decode_seq_s": 3e-5, "decode_context_s": 8e-8}
PREDICTED = memory_slots(ttft_s="instance", tpot_s="instance")
TARGETS = {"ttft_slo_s": 1.0, "tpot_slo_s": 0.05}


def _ttft(request: Any, instance: Any, numbers: Any) -> float:
    tokens = prompts_ahead(instance) + unindexed_tokens(request, instance)
    return float(numbers[0] + numbers[1] * tokens)


def _tpot(request: Any, instance: Any, numbers: Any) -> float:
    batch = instance.running + instance.waiting + instance.sent_since_report + 1
    context = context_with(request, instance)
    return float(numbers[0] + numbers[2] * batch + numbers[3] * context)


def predict(request: Any, instances: Any, numbers: Any, memory: Any) -> None:
    """Write TTFT and TPOT of every instance to `memory`."""
    ttft_s = memory[per_instance(PREDICTED.ttft_s, instances)]
    tpot_s = memory[per_instance(PREDICTED.tpot_s, instances)]
    for i in range(len(instances)):
        ttft_s[i] = _ttft(request, instances[i], numbers)
        tpot_s[i] = _tpot(request, instances[i], numbers)


def _tier(v: Any, t: Any, p: Any) -> int:
    """Return 2 for an instance with headroom for both targets, 1 for an idle one, else 0."""
    return 2 if t >= 0.0 and p >= 0.0 else (1 if v.in_flight == 0 else 0)


def headroom(instances: Any, params: Any, memory: Any) -> int:
    """Choice of `llmd_latency` by what `memory` predicts."""
    ttft_s = memory[per_instance(PREDICTED.ttft_s, instances)]
    tpot_s = memory[per_instance(PREDICTED.tpot_s, instances)]
    low_t, high_t, low_p, high_p = math.inf, -math.inf, math.inf, -math.inf
    tier = 0
    for i in range(len(instances)):
        v = instances[i]
        if v.fits == 1:
            t, p = params[0] - ttft_s[i], params[1] - tpot_s[i]
            own = _tier(v, t, p)
            if own > tier:
                tier = own
                low_t, high_t, low_p, high_p = math.inf, -math.inf, math.inf, -math.inf
            if own == tier:
                low_t, high_t = min(low_t, abs(t)), max(high_t, abs(t))
                low_p, high_p = min(low_p, abs(p)), max(high_p, abs(p))
    given = (ttft_s, tpot_s, params, tier, (low_t, high_t, low_p, high_p))
    return _best_of_tier(instances, given)


def _of_tier(v: Any, given: Any) -> bool:
    ttft_s, tpot_s, params, tier, _ = given
    return bool(_tier(v, params[0] - ttft_s[v.index], params[1] - tpot_s[v.index]) == tier)


def _blend(v: Any, given: Any) -> float:
    """Return the headroom or violation, scaled; negative where the most headroom is wanted."""
    ttft_s, tpot_s, params, tier, (low_t, high_t, low_p, high_p) = given
    t, p = params[0] - ttft_s[v.index], params[1] - tpot_s[v.index]
    blend = 0.8 * (abs(t) - low_t) / (high_t - low_t) if high_t > low_t else 0.0
    blend += 0.2 * (abs(p) - low_p) / (high_p - low_p) if high_p > low_p else 0.0
    return -blend if tier == 2 and params[2] > 0.0 else blend


_best_of_tier = least_among(_of_tier, _blend)


def load_gradient(instances: Any, params: Any, memory: Any) -> int:
    """Choice of `polyserve` by what `memory` predicts."""
    ttft_s = memory[per_instance(PREDICTED.ttft_s, instances)]
    tpot_s = memory[per_instance(PREDICTED.tpot_s, instances)]
    best = _fullest_that_meets(instances, ttft_s, tpot_s, params)
    return best if best >= 0 else least_cell(instances, ttft_s)


def _meets(v: Any, ttft_s: Any, tpot_s: Any, params: Any) -> bool:
    return bool(ttft_s[v.index] <= params[0] and tpot_s[v.index] <= params[1])


def _minus_load(v: Any, ttft_s: Any, tpot_s: Any, params: Any) -> Any:
    return -v.in_flight


_fullest_that_meets = least_among(_meets, _minus_load)


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
    memory=PREDICTED,
    index=LLMD_INDEX,
    formula="instances that meet both targets: least (or most) headroom 0.8 TTFT + 0.2 TPOT, each "
    "scaled min to max; if none does: idle ones, then the smallest violation",
    source="latency scorer of the llm-d router, commit ebab68792 (November 2026), its best pick where "
    "llm-d draws by weight",
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
    memory=PREDICTED,
    formula="the most in flight among instances predicted to meet both targets; if none does, the "
    "least predicted TTFT",
    source="load gradient of PolyServe (2025), one class of targets",
)
def polyserve(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Highest load that still meets the targets; ties to the lowest index."""
    predict(request, instances, params[2:], memory)
    return load_gradient(instances, params, memory)


def _prompt_tokens(instance: Any) -> float:
    """Return the mean prompt of those that ended on an instance; 0 if none has."""
    return float(instance.ended_input_tokens / max(1, instance.ended))


def _output_tokens(instance: Any) -> float:
    return float(instance.ended_output_tokens / max(1, instance.ended))


def _has_ended(instance: Any) -> int:
    return int(instance.ended > 0)


_total_prompt_tokens = total(_prompt_tokens)
_total_output_tokens = total(_output_tokens)
_with_ends = total(_has_ended)


@router(
    kind="choose",
    family=FAMILY,
    formula="argmin prefill seconds per prompt token x mean prompt + decode seconds per output token x "
    "mean output, of what ended there; the means over all instances",
    source="least-latency of AIBrix, commit 0338af7d5 (2026)",
)
def aibrix_least_latency(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Take the instance on which requests took least time so far; ties to the highest index.

    The request itself is not looked at, and an instance on which nothing has ended counts as 0 s.
    AIBrix would add the time in the queue, but reads a histogram as a plain number, which is 0.
    """
    known = max(1, _with_ends(instances))
    prompt, output = (
        _total_prompt_tokens(instances) / known,
        _total_output_tokens(instances) / known,
    )
    best, least_s = -1, math.inf
    for i in range(len(instances)):
        v = instances[i]
        if v.fits == 1:
            taken_s = v.prefill_total_s / max(1, v.ended_input_tokens) * prompt
            taken_s += v.decode_total_s / max(1, v.ended_output_tokens) * output
            if taken_s <= least_s:
                best, least_s = i, taken_s
    return best
