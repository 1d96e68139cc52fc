"""Costs that price a prefix hit against load.

The engines report what they hold, except to `dynamo_kv_approx`, which keeps an index of what it sent.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from workloadlab.routing.choices import (
    count_able,
    least_among,
    least_at_random,
    lowest_and_highest,
    nth_able,
)
from workloadlab.routing.memory import memory_slots, per_instance
from workloadlab.routing.prefix_index import PrefixIndex
from workloadlab.routing.prompts import (
    blocks_of_prompt,
    prompts_ahead,
    prompts_with,
    rest_of_prompt,
    uncached_tokens,
)
from workloadlab.routing.router import router

__all__ = ["dualmap", "dynamo_kv", "dynamo_kv_approx", "preble_e2"]

FAMILY = "cache-aware"
LOADS = memory_slots(load_s="instance", seen_s="instance")
"""Of `preble_e2`: the recent load by instance, and when it was brought up to date."""
PRIME = 2147483647


def _cached(instance: Any) -> Any:
    return instance.cached_tokens


def _dynamo_cost(instance: Any, request: Any, params: Any, least: Any) -> float:
    block = instance.block_size
    blocks = float(blocks_of_prompt(request, instance))
    pending = prompts_ahead(instance)
    decay = 1.0 / (1.0 + params[1] * ((pending - least) / block) / blocks)
    credit = params[0] * decay * (instance.indexed_tokens // block)
    prefill = max(0.0, prompts_with(request, instance) / block - credit)
    decode = instance.kv_blocks_used + blocks
    return float(params[2] * prefill + decode + params[3] * instance.in_flight)


_range_of_pending = lowest_and_highest(prompts_ahead)
_range_of_cached = lowest_and_highest(_cached)
_range_of_costs = lowest_and_highest(_dynamo_cost)
_cheapest_at_random = least_at_random(_dynamo_cost)


def _soft_choice(
    request: Any, instances: Any, params: Any, least: Any, low: Any, scale: Any
) -> int:
    """Draw an instance with weight exp((low - cost) / scale)."""
    total = 0.0
    for i in range(len(instances)):
        if instances[i].fits == 1:
            total += math.exp((low - _dynamo_cost(instances[i], request, params, least)) / scale)
    left = request.draw * total
    last = 0
    for i in range(len(instances)):
        if instances[i].fits == 1:
            last = i
            left -= math.exp((low - _dynamo_cost(instances[i], request, params, least)) / scale)
            if left < 0.0:
                return i
    return last


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"overlap": 1, "decay": 0, "prefill_scale": 1, "request_weight": 0, "temperature": 0},
    formula="argmin prefill_scale max(0, (pending + input) / block - overlap decay_i hit blocks) + "
    "blocks in use + input blocks + request_weight in_flight",
    source="KV router of NVIDIA Dynamo (November 2026: the form with a credit), device tier only",
)
def dynamo_kv(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Blocks to prefill plus blocks to decode over; ties at random.

    pending is queued tokens and those sent since the report; decay_i = 1 / (1 + decay (pending_i - min
    pending) / block / input blocks). With a temperature T > 0 the choice is drawn with weights
    exp(-cost / ((max - min) T)). Active prefill is the engines' queue, not the router's own account.
    Hits are those of the engines' KV events; of dynamo_kv_approx, those of a table of what was sent in
    the last 120 s, at most 2^20 blocks of 16 tokens for all instances, least recently used out first
    (Dynamo then prunes to 0.8 of that).
    """
    least, _ = _range_of_pending(instances)
    best = _cheapest_at_random(instances, request.draw, request, params, least)
    if params[4] > 0.0:
        low, high = _range_of_costs(instances, request, params, least)
        if high > low:
            scale = (high - low) * params[4]
            best = _soft_choice(request, instances, params, least, low, scale)
    return best


dynamo_kv_approx = replace(
    dynamo_kv,
    name="dynamo_kv_approx",
    index=PrefixIndex(capacity_tokens=2**20 * 16, ttl_s=120, shared=True),
    formula="as dynamo_kv, hits by the router's own index",
    source="KV router of NVIDIA Dynamo with --no-kv-events (2026); table, 120 s to live, 2^20 blocks",
)


def _holds(instance: Any, request: Any, params: Any, load_s: Any, wanted: Any) -> bool:
    return bool(instance.cached_tokens >= wanted)


def _preble_cost(instance: Any, request: Any, params: Any, load_s: Any, wanted: Any) -> float:
    uncached = uncached_tokens(request, instance)
    free = (instance.kv_blocks - instance.kv_blocks_used) * instance.block_size
    evicted = max(0, uncached - free)
    return float(load_s[instance.index] + params[0] * (evicted + uncached))


_cheapest_holder = least_among(_holds, _preble_cost)


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    memory=LOADS,
    params={"prefill_token_s": 6e-5, "decode_token_s": 3e-4, "window_s": 180},
    formula="cached > input - cached: the cheapest holder of the longest match; else argmin L + M + P",
    source="E2 of Preble (ICLR 2025); exploit or explore, without its rebalancing and replication",
)
def preble_e2(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Exploit a match longer than the rest of the prompt, else the least cost; ties to the lowest index.

    L is the recent load in seconds (uncached prompt and predicted output sent here, fading with
    window_s where Preble keeps a window of 3 minutes), M the prefill of the tokens that would be
    evicted, all as likely to be asked for again, and P this prompt's own uncached prefill. The engines'
    reports stand in for Preble's global tree of prefixes.
    """
    load_s = memory[per_instance(LOADS.load_s, instances)]
    seen_s = memory[per_instance(LOADS.seen_s, instances)]
    for i in range(len(instances)):
        load_s[i] *= math.exp((seen_s[i] - request.now_s) / params[2])
        seen_s[i] = request.now_s
    _, longest = _range_of_cached(instances)
    exploits = longest > rest_of_prompt(request, longest)
    wanted = longest if exploits else 0.0
    best = _cheapest_holder(instances, request, params, load_s, wanted)
    sent = params[0] * uncached_tokens(request, instances[best])
    load_s[best] += sent + params[1] * request.predicted_output_tokens
    return best


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"prefill_token_s": 6e-5, "ttft_slo_s": 1},
    formula="of the two instances that two hashes of the prefix give: the one with more cached while "
    "its pending prefill meets the TTFT target, else the one with less pending",
    source="DualMap (ICLR 2026), without its migration and its longer hashes for hot prefixes",
)
def dualmap(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Two candidates by hash of prefix_key; ties of cached tokens to the lighter, then the first hash.

    A prompt without a whole block hashes its row. Pending is queued tokens and those sent since the
    report.
    """
    able = count_able(instances)
    key = request.prefix_key if request.prefix_key >= 0 else request.row
    mixed = (key + 1) * 48271 % PRIME
    mixed = mixed * mixed % PRIME
    nth_first = mixed % able
    nth_second = mixed * 69621 % PRIME % max(1, able - 1)
    if nth_second >= nth_first:
        nth_second += 1
    first, second = nth_able(instances, nth_first), nth_able(instances, nth_second)
    if second < 0:
        return first
    a, b = instances[first], instances[second]
    pending_a, pending_b = prompts_ahead(a), prompts_ahead(b)
    lighter = second if pending_b < pending_a else first
    if a.cached_tokens == b.cached_tokens:
        return lighter
    affine, pending = first, pending_a
    if b.cached_tokens > a.cached_tokens:
        affine, pending = second, pending_b
    own = uncached_tokens(request, instances[affine])
    return affine if params[0] * (pending + own) <= params[1] else lighter
