"""Products of two loads: no weights to tune."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.prompts import uncached_tokens
from workloadlab.routing.router import router

__all__ = ["lmetric", "lmetric_no_queue"]


@router(
    family="product",
    uses={"prefix"},
    formula="score = max(1, queued + input - cached) x (running + waiting + 1)",
    source="LMetric (Alibaba, OSDI 2026)",
)
def lmetric(request: Any, instance: Any, params: Any) -> float:
    """Prompt tokens ahead and of this request, times the batch it would join; ties to the lowest index.

    Reads queued tokens, the prefix cache, running and waiting.
    """
    prompt = max(1, instance.queued_tokens + uncached_tokens(request, instance))
    return float(prompt * (instance.running + instance.waiting + 1))


@router(
    family="product",
    uses={"prefix"},
    formula="score = max(1, input - cached) x (running + waiting + 1)",
    source="LMetric as often ported, without the queued prompts",
)
def lmetric_no_queue(request: Any, instance: Any, params: Any) -> float:
    """LMetric blind to the prompts ahead; ties to the lowest index.

    A long prompt in the queue weighs no more than a short one. Reads the prefix cache, running, waiting.
    """
    prompt = max(1, uncached_tokens(request, instance))
    return float(prompt * (instance.running + instance.waiting + 1))
