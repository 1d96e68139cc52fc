"""The policies of `predicted_latency` on a fitted model: step times of any estimator, or quantiles.

A step model predicts TTFT as the steps that prefill P = queued + sent since report + input - cached
tokens in chunks of step_tokens (the engine's max_num_batched_tokens) beside the running batch, and TPOT
as one decode step of running + waiting + sent + 1 sequences over context + input tokens; every step
takes step_overhead_s more. Of the chunks only the last attends to what precedes it in the prompt.

A request model predicts both from its features, which a router sees as `SIGNALS` says. Its quantile is
0.5 for `predicted_latency` and 0.9, as in llm-d, for the policies that keep targets.

The model's table stands at the end of `params`, so another table of a kind compiles nothing again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.routing.families import predicted_latency as policies
from workloadlab.routing.families.predicted_latency import PREDICTED
from workloadlab.routing.memory import per_instance
from workloadlab.routing.prompts import (
    context_with,
    indexed_share,
    prompts_ahead,
    rest_of_prompt,
    unindexed_tokens,
)

if TYPE_CHECKING:
    from workloadlab.routing.router import Router

__all__ = ["SIGNALS", "RequestPredictor", "StepModel", "predicting_with"]

Function = Callable[..., Any]
Floats = np.ndarray[Any, np.dtype[np.float64]]

SIGNALS = {
    "input_tokens": "input_tokens",
    "running": "running",
    "waiting": "waiting + sent_since_report",
    "kv_usage": "kv_blocks_used / kv_blocks",
    "cached_share": "indexed_tokens / input_tokens",
    "prefill_tokens_in_flight": "queued_tokens + sent_tokens_since_report",
    "decode_tokens_in_flight": "output_tokens_left",
}
"""Feature of a request model -> the signals it is made of."""

STEPS = {"step_tokens": 2048.0, "step_overhead_s": 1e-3}
_CHOICES: dict[str, Function] = {
    "llmd_latency": policies.headroom,
    "polyserve": policies.load_gradient,
}
_QUANTILES = {"predicted_latency": 0.5, "llmd_latency": 0.9, "polyserve": 0.9}


class StepModel(Protocol):
    """What this file asks of a `LatencyModel`."""

    @property
    def name(self) -> str:
        """What the model is called."""

    def kernel(self) -> tuple[Function, Floats]:
        """Return the step time (p, x, n, c, table) -> seconds, and the table."""


class RequestPredictor(Protocol):
    """What this file asks of a `RequestModel`."""

    @property
    def name(self) -> str:
        """What the model is called."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names among `SIGNALS`, in the order of the kernel."""

    def kernel(self, target: str, quantile: float) -> tuple[Function, Floats]:
        """Return the prediction (features, table) -> seconds, and the table."""


def predicting_with(policy: Router, model: StepModel | RequestPredictor) -> Router:
    """Return the policy with a fitted model in place of coefficients.

    Raises:
        UsageError: the policy predicts no latency, or the model does not predict what it needs.

    Example:
        >>> from workloadlab import LatencyModel, router
        >>> router("predicted_latency", model=LatencyModel.linear(constant_s=0.01)).param_names
        ('step_tokens', 'step_overhead_s')
    """
    if policy.name not in _QUANTILES:
        raise UsageError(
            f"router {policy.name!r} predicts no latency, so it takes no model",
            fix=f"use {', '.join(_QUANTILES)}",
        )
    if not hasattr(model, "kernel"):
        raise UsageError(f"{model!r} is no latency model", fix="model=LatencyModel.load(NAME)")
    if hasattr(model, "features"):
        numbers, tail, predictions = _of_requests(cast("RequestPredictor", model), policy.name)
    else:
        numbers, tail, predictions = _of_steps(model)
    own = {
        name: value
        for name, value in zip(policy.param_names, policy.params, strict=True)
        if name not in policies.STEP
    }
    settings = {**own, **numbers}
    return replace(
        policy,
        function=_function(_CHOICES.get(policy.name), len(own), *predictions),
        params=(*settings.values(), *tail),
        param_names=tuple(settings),
        model=model.name,
    )


def _of_steps(model: StepModel) -> tuple[dict[str, float], list[float], tuple[Function, Function]]:
    step_time, table = model.kernel()
    return STEPS, table.tolist(), _step_predictions(step_time)


def _of_requests(
    model: RequestPredictor, policy: str
) -> tuple[dict[str, float], list[float], tuple[Function, Function]]:
    unknown = sorted(set(model.features) - set(SIGNALS))
    if unknown:
        raise UsageError(
            f"{model.name} reads {', '.join(unknown)}, which no router sees",
            fix=f"fit it on {', '.join(SIGNALS)}",
        )
    predict, first = model.kernel("ttft_s", _QUANTILES[policy])
    _, later = model.kernel("tpot_s", _QUANTILES[policy])
    columns = tuple(list(SIGNALS).index(name) for name in model.features)
    tail = [1.0 + len(first), *first.tolist(), *later.tolist()]
    return {}, tail, _request_predictions(predict, columns)


@cache
def _step_predictions(step_time: Function) -> tuple[Function, Function]:
    def ttft(request: Any, instance: Any, numbers: Any) -> float:
        uncached = unindexed_tokens(request, instance)
        tokens = prompts_ahead(instance) + uncached
        most, table = numbers[0], numbers[2:]
        n, c = float(instance.running), float(instance.context_tokens)
        whole = max(0.0, np.ceil(tokens / most) - 1.0)
        rest = tokens - whole * most
        own = min(rest, float(uncached))
        before = own * rest_of_prompt(request, own)
        seconds = numbers[1] + step_time(rest, before, n, c, table)
        if whole > 0.0:
            seconds += whole * (numbers[1] + step_time(most, 0.0, n, c, table))
        return float(seconds)

    def tpot(request: Any, instance: Any, numbers: Any) -> float:
        batch = instance.running + instance.waiting + instance.sent_since_report + 1
        context = context_with(request, instance)
        return float(numbers[1] + step_time(0.0, 0.0, float(batch), float(context), numbers[2:]))

    return ttft, tpot


@cache
def _request_predictions(predict: Function, columns: tuple[int, ...]) -> tuple[Function, Function]:
    def features(request: Any, instance: Any) -> Floats:
        seen = (
            float(request.input_tokens),
            float(instance.running),
            float(instance.waiting + instance.sent_since_report),
            instance.kv_blocks_used / instance.kv_blocks,
            indexed_share(request, instance),
            float(prompts_ahead(instance)),
            float(instance.output_tokens_left),
        )
        chosen = np.empty(len(columns))
        for k in range(len(columns)):
            chosen[k] = seen[columns[k]]
        return chosen

    def ttft(request: Any, instance: Any, numbers: Any) -> float:
        return float(predict(features(request, instance), numbers[1:]))

    def tpot(request: Any, instance: Any, numbers: Any) -> float:
        return float(predict(features(request, instance), numbers[int(numbers[0]) :]))

    return ttft, tpot


@cache
def _function(choice: Function | None, own: int, ttft: Function, tpot: Function) -> Function:
    """Write a policy over two predictions, whose numbers stand behind its `own` parameters."""
    if choice is None:

        def score(request: Any, instance: Any, params: Any) -> float:
            tokens = request.predicted_output_tokens
            return float(ttft(request, instance, params) + tokens * tpot(request, instance, params))

        return score

    def choose(request: Any, instances: Any, params: Any, memory: Any) -> int:
        numbers = params[own:]
        ttft_s = memory[per_instance(PREDICTED.ttft_s, instances)]
        tpot_s = memory[per_instance(PREDICTED.tpot_s, instances)]
        for i in range(len(instances)):
            ttft_s[i] = ttft(request, instances[i], numbers)
            tpot_s[i] = tpot(request, instances[i], numbers)
        return int(choice(instances, params, memory))

    return choose
