"""Threshold policies: follow the cache unless the load is out of balance.

The gateways below guess what is cached from what they sent: trees of characters or tables of hashes,
with a size limit or a time to live. An engine's eviction does not reach them, so they may chase a prefix
that is gone. `dataclasses.replace(policy, index=None)` is the same rule fed by the engines' events.
"""

from __future__ import annotations

from typing import Any

from workloadlab.routing.prefix_index import CHARACTERS_PER_TOKEN, PrefixIndex
from workloadlab.routing.router import router

__all__ = ["aibrix_prefix", "ray_prefix", "sglang_cache_aware", "vllm_router_cache_aware"]

FAMILY = "cache-aware"
OWN = 64


def _spread(instances: Any) -> tuple[int, int]:
    """Return the fewest and the most requests in flight among the instances that can serve."""
    low, high = 1 << 60, 0
    for i in range(len(instances)):
        if instances[i].fits == 1:
            low, high = min(low, instances[i].in_flight), max(high, instances[i].in_flight)
    return low, high


def _least(instances: Any, memory: Any, by_memory: Any) -> int:
    """Return the fewest in flight; ties by memory if so asked, then to the lowest index."""
    best = -1
    for i in range(len(instances)):
        if instances[i].fits == 0:
            continue
        fewer = best < 0 or instances[i].in_flight < instances[best].in_flight
        tie = not fewer and instances[i].in_flight == instances[best].in_flight
        if fewer or (tie and by_memory == 1 and memory[OWN + i] < memory[OWN + best]):
            best = i
    return best


def _longest_match(instances: Any) -> int:
    """Return the longest match in the index; ties to the fewest in flight, then to the lowest index."""
    best = -1
    for i in range(len(instances)):
        if instances[i].fits == 0:
            continue
        if best < 0 or _matches_better(instances[i], instances[best]):
            best = i
    return best


def _matches_better(a: Any, b: Any) -> bool:
    """Say whether `a` has the longer match, or as long a one and fewer in flight."""
    if a.indexed_tokens == b.indexed_tokens:
        return bool(a.in_flight < b.in_flight)
    return bool(a.indexed_tokens > b.indexed_tokens)


def _fewest_at_random(instances: Any, low: Any, draw: Any) -> int:
    """Return one of the instances with `low` in flight, all equally likely."""
    best, ties = -1, 0
    for i in range(len(instances)):
        if instances[i].fits == 1 and instances[i].in_flight == low:
            ties += 1
            draw *= ties
            if best < 0 or draw < 1.0:
                best = i
            else:
                draw = (draw - 1.0) / (ties - 1)
    return best


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"cache_threshold": 0.3, "balance_abs": 64, "balance_rel": 1.5},
    index=PrefixIndex(kind="tree", capacity_tokens=2**26 // CHARACTERS_PER_TOKEN, sweep_s=120),
    formula="imbalanced (max - min > 64 and max > 1.5 min): min-load; else indexed / input > 0.3: that "
    "instance, else min-load",
    source="cache_aware of the SGLang model gateway (smg), its command line's defaults",
)
def sglang_cache_aware(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Longest known prefix if it covers enough, unless the loads lie apart.

    Load is requests in flight by the router's count. Ties: of matches to the fewest in flight, of loads
    to the fewest requests handled so far, then to the lowest index. Index: a tree of characters for each
    instance, cut back to 2^26 characters every 120 s, least recently used leaves first.
    """
    low, high = _spread(instances)
    chosen = _least(instances, memory, 1)
    if not (high - low > params[1] and high > params[2] * low):
        match = _longest_match(instances)
        if instances[match].indexed_tokens > params[0] * request.input_tokens:
            chosen = match
    memory[OWN + chosen] += 1.0
    return chosen


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"cache_threshold": 0.5, "balance_abs": 32, "balance_rel": 1.1},
    index=PrefixIndex(kind="tree", capacity_tokens=10_000 // CHARACTERS_PER_TOKEN, sweep_s=30),
    formula="imbalanced (max - min > 32 and max > 1.1 min): min-load; else indexed / input > 0.5: that "
    "instance, else the instance with the smallest tree",
    source="cache_aware of the vLLM Router and of earlier SGLang routers, library defaults",
)
def vllm_router_cache_aware(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """As sglang_cache_aware, but a miss goes to the smallest tree, which may be the busiest instance.

    Ties to the lowest index. Index: a tree of characters for each instance, cut back to 10,000
    characters every 30 s, least recently used leaves first; its size is what the cut left and what was
    new since then.
    """
    low, high = _spread(instances)
    chosen = -1
    if high - low > params[1] and high > params[2] * low:
        chosen = _least(instances, memory, 0)
    else:
        match = _longest_match(instances)
        if instances[match].indexed_tokens > params[0] * request.input_tokens:
            chosen = match
        else:
            for i in range(len(instances)):
                if instances[i].fits == 1 and (
                    chosen < 0
                    or instances[i].index_size_tokens < instances[chosen].index_size_tokens
                ):
                    chosen = i
    return chosen


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"imbalance": 10, "match_rate": 0.1},
    index=PrefixIndex(kind="tree"),
    formula="max - min > 10: power of two; else indexed / input >= 0.1: shortest queue among the best "
    "matches, else shortest queue among the smallest trees",
    source="PrefixCacheAffinityRouter of Ray Serve",
)
def ray_prefix(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Best match or smallest tree, then the shortest queue; ties to the lowest index.

    Queues are requests in flight. Index: a tree of characters that never forgets, as its eviction (to
    360,000 characters every 10 s) is off by default.
    """
    low, high = _spread(instances)
    chosen = -1
    if high - low > params[0]:
        chosen = _two_choices(request.draw, instances)
    else:
        match = _longest_match(instances)
        matched = instances[match].indexed_tokens >= params[1] * request.input_tokens
        for i in range(len(instances)):
            if instances[i].fits == 0:
                continue
            if matched:
                better = 0
                if instances[i].indexed_tokens == instances[match].indexed_tokens:
                    better = 1
            else:
                better = 1
                size = instances[i].index_size_tokens
                if chosen >= 0 and size > instances[chosen].index_size_tokens:
                    better = 0
                elif chosen >= 0 and size < instances[chosen].index_size_tokens:
                    better = 2
            if better > 0 and (
                chosen < 0 or better > 1 or instances[i].in_flight < instances[chosen].in_flight
            ):
                chosen = i
    return chosen


def _two_choices(draw: Any, instances: Any) -> int:
    """Return the fewer in flight of two distinct instances drawn at random, ties to the lower index."""
    left = 0
    for i in range(len(instances)):
        left += instances[i].fits
    wanted = min(2, left)
    best = -1
    for i in range(len(instances)):
        if instances[i].fits == 1 and wanted > 0:
            share = wanted / left
            left -= 1
            if draw < share:
                draw /= share
                wanted -= 1
                if best < 0 or instances[i].in_flight < instances[best].in_flight:
                    best = i
            else:
                draw = (draw - share) / (1.0 - share)
    return best


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"imbalance": 8, "deviations": 1},
    index=PrefixIndex(capacity_tokens=200_000 * 4 // CHARACTERS_PER_TOKEN, ttl_s=1200, shared=True),
    formula="max - min > 8: least requests; else the longest match with in_flight <= mean + 1 standard "
    "deviation, else least requests",
    source="prefix-cache of AIBrix, as its code has it (its README says 16)",
)
def aibrix_prefix(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Longest match that is not overloaded; ties of matches to the fewest in flight.

    Ties of the fallback are broken at random. The deviation is that of a sample (n - 1). Index: one
    table of 200,000 hashed blocks of 4 characters for all instances, least recently used out first,
    forgotten 20 minutes after their last use. A block on two instances counts twice here, once there;
    AIBrix's documentation recommends 128 characters, which makes the table 32 times as large.
    """
    low, high = _spread(instances)
    able, total, squares = 0, 0.0, 0.0
    for i in range(len(instances)):
        if instances[i].fits == 1:
            able += 1
            total += instances[i].in_flight
            squares += float(instances[i].in_flight * instances[i].in_flight)
    mean = total / able
    limit = mean
    if able > 1:
        limit += params[1] * (max(0.0, squares - able * mean * mean) / (able - 1)) ** 0.5
    best = -1
    if high - low <= params[0]:
        for i in range(len(instances)):
            v = instances[i]
            able_match = v.fits == 1 and v.indexed_tokens > 0 and v.in_flight <= limit
            if able_match and (best < 0 or _matches_better(v, instances[best])):
                best = i
    return best if best >= 0 else _fewest_at_random(instances, low, request.draw)
