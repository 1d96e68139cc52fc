"""Weighted sums of named scorers between 0 and 1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from workloadlab.routing.choices import (
    count_able,
    least,
    least_at_random,
    lowest_and_highest,
    range_in_flight,
    total_in_flight,
)
from workloadlab.routing.families.cache_aware import aibrix_prefix
from workloadlab.routing.prefix_index import PrefixIndex
from workloadlab.routing.prompts import cached_share, indexed_share, unindexed_tokens
from workloadlab.routing.router import Router, router

__all__ = ["aibrix_multi", "llmd_default", "llmd_precise", "ps_loadaware", "weighted"]

FAMILY = "additive scorers"

LLMD_INDEX = PrefixIndex(capacity_tokens="engine")
"""llm-d's approximate prefix producer: a table of hashed blocks for each instance, least recently used
out first, no time to live. Its auto-tuning asks the engine for the number and size of its KV blocks
(31,250 of 64 tokens where the engine does not say)."""


def _inverse(value: Any, low: Any, high: Any) -> float:
    """Map the lowest value to 1 and the highest to 0; 1 if all are equal."""
    return float((high - value) / (high - low)) if high > low else 1.0


def _work(instance: Any) -> Any:
    return instance.queued_tokens + instance.output_tokens_left


def _minus_blend(instance: Any, request: Any, params: Any, spans: Any) -> float:
    """Return the weighted sum of the scores, negative; spans are lows and highs over the instances."""
    low_w, high_w, low_r, high_r, low_f, high_f, low_t, high_t = spans
    v = instance
    uncached = unindexed_tokens(request, v)
    score = params[0] * _inverse(v.waiting, low_w, high_w)
    score += params[1] * _inverse(v.running, low_r, high_r)
    score += params[2] * (1.0 - v.kv_blocks_used / v.kv_blocks)
    score += params[3] * indexed_share(request, v)
    score += params[4] * ((high_f - v.in_flight) / high_f if v.in_flight > 0 else 1.0)
    score += params[5] * 0.5 * max(0.0, 1.0 - v.waiting / 128.0)
    score += params[6] * max(0.0, 1.0 - (v.queued_tokens + uncached) / 4194304.0)
    score += params[7] * _inverse(v.in_flight, low_f, high_f)
    score += params[8] * _inverse(_work(v), low_t, high_t)
    return float(-score)


_least_minus_blend = least_at_random(_minus_blend, afresh=False)


def best_blend(request: Any, instances: Any, params: Any) -> int:
    """Return the instance of the largest weighted sum; params begin with the weights of `weighted`."""
    low_w = low_r = low_f = low_t = 1 << 60
    high_w = high_r = high_f = high_t = -low_w
    for i in range(len(instances)):  # one pass for the four ranges
        v = instances[i]
        if v.fits == 1:
            low_w, high_w = min(low_w, v.waiting), max(high_w, v.waiting)
            low_r, high_r = min(low_r, v.running), max(high_r, v.running)
            low_f, high_f = min(low_f, v.in_flight), max(high_f, v.in_flight)
            low_t, high_t = min(low_t, _work(v)), max(high_t, _work(v))
    spans = (low_w, high_w, low_r, high_r, low_f, high_f, low_t, high_t)
    return _least_minus_blend(instances, request.draw, request, params, spans)


@router(
    kind="choose",
    family=FAMILY,
    uses={"prefix"},
    params={"queue": 0, "running": 0, "kv": 0, "prefix": 0, "active": 0, "load": 0, "tokens": 0,
            "in_flight": 0, "work": 0},
    formula="argmax of the weighted sum of named scorers, each between 0 and 1",
    source="scorer pipeline of the llm-d router (endpoint picker), max-score picker, commit ebab68792 "
    "(November 2026)",
)  # fmt: skip
def weighted(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Largest weighted sum; ties at random, as the picker shuffles.

    Scorers (w waiting, r running, over the instances that can serve):
    queue (max w - w) / (max w - min w), 1 if equal; running, in_flight and work: the same on r, requests
    in flight, and queued + predicted output tokens; kv 1 - share of blocks in use; prefix
    indexed / prompt tokens, as the engines report them unless a preset keeps an index; active 1 if
    nothing is in flight, else (max - in flight) / max; load 0.5 with an empty queue, else
    0.5 (1 - w / 128), at least 0; tokens 1 - (queued + uncached) / 4,194,304, at least 0.
    """
    return best_blend(request, instances, params)


def _preset(
    name: str, formula: str, source: str, index: PrefixIndex | None, **weights: float
) -> Router:
    blend = weighted.with_params(**weights)
    return replace(blend, name=name, formula=formula, source=source, index=index)


llmd_default = _preset(
    "llmd_default",
    "weighted: queue 2, kv 2, prefix 3",
    "default profile of the llm-d router, commit ebab68792 (November 2026); metrics every 50 ms; "
    "approximate index: LRU of as many blocks per instance as its engine has",
    LLMD_INDEX,
    queue=2, kv=2, prefix=3,
)  # fmt: skip

llmd_precise = _preset(
    "llmd_precise",
    "weighted: prefix 2, kv 1, queue 1",
    "precise-prefix sample profile of the llm-d router, commit ebab68792 (November 2026); KV events of "
    "the engines",
    None,
    queue=1, kv=1, prefix=2,
)  # fmt: skip


def _indexed(instance: Any) -> Any:
    return instance.indexed_tokens


def _minus_scaled(instance: Any, params: Any, spans: Any) -> float:
    low_p, high_p, low_f, high_f, low_t, high_t = spans
    score = params[0] * (1.0 - _inverse(instance.indexed_tokens, low_p, high_p))
    score += params[1] * _inverse(instance.in_flight, low_f, high_f)
    return float(-score - params[2] * _inverse(_work(instance), low_t, high_t))


_range_of_indexed = lowest_and_highest(_indexed)
_range_of_work = lowest_and_highest(_work)
_best_scaled = least_at_random(_minus_scaled, afresh=False)


@router(
    kind="choose",
    family=FAMILY,
    uses={"prefix"},
    params={"prefix": 6, "in_flight": 1, "work": 1},
    index=aibrix_prefix.index,
    formula="argmax 6 prefix + in_flight + work, each scaled min to max over the instances",
    source="multi-strategy routing of AIBrix (pull request 2124, commit e3e10f9e, 2026), "
    "prefix-cache:6, least-request:1, throughput:1",
)
def aibrix_multi(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Largest weighted sum of scaled scores; ties at random.

    Each score is 1 for the best instance and 0 for the worst, so two more cached blocks weigh as much
    as a whole prompt if nobody has more. prefix: indexed tokens; in_flight; work: tokens still to
    process, which stand in for AIBrix' token rate. Index of aibrix_prefix.
    """
    low_p, high_p = _range_of_indexed(instances)
    low_f, high_f = range_in_flight(instances)
    low_t, high_t = _range_of_work(instances)
    spans = (low_p, high_p, low_f, high_f, low_t, high_t)
    return _best_scaled(instances, request.draw, params, spans)


def _minus_hits_above_load(instance: Any, request: Any, beta: Any, mean: Any) -> float:
    score = cached_share(request, instance)
    score -= beta * (instance.in_flight - mean) / max(1.0, mean)
    return float(-score)


_best_hits_above_load = least(_minus_hits_above_load)


@router(
    kind="choose",
    family=FAMILY,
    uses={"prefix"},
    params={"beta": 1},
    formula="argmax cached / input - beta (in_flight - mean) / max(1, mean)",
    source="loadaware of the vLLM production-stack (pull request 1035, commit a6c01db0, 2026)",
)
def ps_loadaware(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Share of the prompt that is cached, less the load above the mean; ties to the lowest index.

    The production-stack asks LMCache which instances hold the prefix, so no index of its own: the truth.
    """
    mean = total_in_flight(instances) / count_able(instances)
    return _best_hits_above_load(instances, request, params[0], mean)
