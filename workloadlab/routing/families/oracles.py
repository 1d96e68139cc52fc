"""Policies that know what no router can: upper bounds of every comparison."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.prompts import prompts_ahead, uncached_tokens
from workloadlab.routing.router import router

__all__ = ["clairvoyant_least_work"]


@router(
    family="oracles",
    needs={"oracle"},
    uses={"prefix"},
    params={"prefill_token_s": 6e-5, "decode_token_s": 3e-4},
    formula="score = prefill_token_s (queued + sent since report + input - cached) "
    "+ decode_token_s output_tokens_left, with true lengths",
    source="least work left with perfect knowledge",
)
def clairvoyant_least_work(request: Any, instance: Any, params: Any) -> float:
    """Fewest seconds of true work left, this prompt included; ties to the lowest index.

    For a router that declares the oracle, output_tokens_left counts the true lengths.
    """
    prompt = prompts_ahead(instance) + uncached_tokens(request, instance)
    return float(params[0] * prompt + params[1] * instance.output_tokens_left)
