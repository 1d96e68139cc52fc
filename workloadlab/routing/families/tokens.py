"""Join the queue with the least tokens, or the cache with the most room."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.prompts import blocks_of, prompts_ahead, requests_ahead
from workloadlab.routing.router import router

__all__ = ["least_kv", "least_tokens", "llumnix_freeness", "llumnix_minus", "smg_least_load"]

FAMILY = "tokens and KV"


@router(
    family=FAMILY,
    formula="score = queued_tokens + sent + output_tokens_left",
    source="JSQ baseline of Jain et al. 2024: prompt plus decode tokens not yet processed",
)
def least_tokens(request: Any, instance: Any, params: Any) -> float:
    """Fewest prompt and predicted output tokens still to process; ties to the lowest index.

    A request longer than predicted counts as having none left, not a negative number. Counts the prompt
    tokens sent since the last report.
    """
    return float(prompts_ahead(instance) + instance.output_tokens_left)


@router(
    family=FAMILY,
    formula="score = kv_blocks_used / kv_blocks",
    source="least-kv-cache of AIBrix, commit e3e10f9e (2026)",
)
def least_kv(request: Any, instance: Any, params: Any) -> float:
    """Least share of KV blocks in use, by the engines' reports; ties to the lowest index."""
    return float(instance.kv_blocks_used / instance.kv_blocks)


@router(
    family=FAMILY,
    overwrites=True,
    params={"tokens_per_s": 2000, "kv_weight": 0.15},
    formula="score = (queued + sent since report) tokens / tokens_per_s + kv_weight kv / (1 - kv)",
    source="least_load of the SGLang model gateway (smg), commit f8daa8835 (August 2026)",
)
def smg_least_load(request: Any, instance: Any, params: Any) -> float:
    """Seconds of queued prompt plus a barrier against a full cache; ties to the lowest index.

    Reads queued tokens and KV use as reported (polled every 10 s in production) and the prompt tokens
    sent since, which keep the requests between two polls from herding; a report overwrites them, also
    those sent while it travelled. The gateway measures the
    throughput; here it is its fallback. KV use is clipped at 0.999.
    """
    kv = min(instance.kv_blocks_used / instance.kv_blocks, 0.999)
    return float(prompts_ahead(instance) / params[0] + params[1] * kv / (1.0 - kv))


@router(
    family=FAMILY,
    formula="score = -(free blocks - blocks that the queue wants) / max(1, running + waiting)",
    source="remaining_steps of Llumnix (OSDI 2024), dispatch only, no migration",
)
def llumnix_freeness(request: Any, instance: Any, params: Any) -> float:
    """Most decode steps until the cache is full, counting the queue's demand; ties to the lowest index.

    Reads KV use, queued tokens, running and waiting, and counts what was sent since the last report, as
    Llumnix reserves at dispatch. What the queue wants is its prompt tokens in blocks, those of the
    prompt in progress included.
    """
    wanted = blocks_of(prompts_ahead(instance), instance.block_size)
    free = instance.kv_blocks - instance.kv_blocks_used - wanted
    return float(-free / max(1, requests_ahead(instance)))


@router(
    family=FAMILY,
    formula="score = -free blocks / max(1, running + waiting)",
    source="Llumnix (OSDI 2024) without its virtual usage, as its ablation",
)
def llumnix_minus(request: Any, instance: Any, params: Any) -> float:
    """Most free blocks per request, blind to what the queue wants; ties to the lowest index."""
    free = instance.kv_blocks - instance.kv_blocks_used
    return float(-free / max(1, requests_ahead(instance)))
