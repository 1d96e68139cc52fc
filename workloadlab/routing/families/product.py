"""Products of two loads: no weights to tune."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.prompts import prompts_ahead, requests_ahead, uncached_tokens
from workloadlab.routing.router import router

__all__ = ["lmetric", "lmetric_no_queue"]


@router(
    family="product",
    uses={"prefix"},
    formula="score = max(1, queued + sent + input - cached) x (running + waiting + sent + 1)",
    source="LMetric (Alibaba, OSDI 2026, arXiv 2603.15202)",
)
def lmetric(request: Any, instance: Any, params: Any) -> float:
    """Prompt tokens ahead and of this request, times the batch it would join; ties to the lowest index.

    Reads queued tokens, the prefix cache, running and waiting, and counts what was sent since the last
    report: without it every request of an interval goes to one instance.
    """
    prompt = max(1, prompts_ahead(instance) + uncached_tokens(request, instance))
    return float(prompt * (requests_ahead(instance) + 1))


@router(
    family="product",
    uses={"prefix"},
    formula="score = max(1, input - cached) x (running + waiting + sent + 1)",
    source="LMetric (2026) as often ported, without the queued prompts",
)
def lmetric_no_queue(request: Any, instance: Any, params: Any) -> float:
    """LMetric blind to the prompts ahead; ties to the lowest index.

    A long prompt in the queue weighs no more than a short one. Reads the prefix cache, running, waiting
    and the requests sent since the last report.
    """
    prompt = max(1, uncached_tokens(request, instance))
    return float(prompt * (requests_ahead(instance) + 1))
