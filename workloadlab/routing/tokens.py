"""Join the queue with the least tokens."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.router import router

__all__ = ["least_tokens"]


@router(
    family="tokens and KV",
    formula="score = queued_tokens + output_tokens_left",
    source="JSQ baseline of Jain et al. 2024: prompt plus decode tokens not yet processed",
)
def least_tokens(request: Any, instance: Any, params: Any) -> float:
    """Fewest prompt and predicted output tokens still to process; ties to the lowest index."""
    return float(instance.queued_tokens + instance.output_tokens_left)
