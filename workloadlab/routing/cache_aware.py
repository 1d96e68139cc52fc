"""Threshold policies: follow the cache unless the load is out of balance.

The gateways below guess what is cached from what they sent (trees of characters or hashes, with a size
limit or a time to live). Here the true residency of the engines stands in for that guess, so that a
prefix that was evicted is not chased: the best case of each policy.
"""

from __future__ import annotations

from typing import Any

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
    """Return the most cached tokens; ties to the fewest in flight, then to the lowest index."""
    best = -1
    for i in range(len(instances)):
        if instances[i].fits == 0:
            continue
        if best < 0 or _matches_better(instances[i], instances[best]):
            best = i
    return best


def _matches_better(a: Any, b: Any) -> bool:
    """Say whether `a` has more cached tokens, or as many and fewer in flight."""
    if a.cached_tokens == b.cached_tokens:
        return bool(a.in_flight < b.in_flight)
    return bool(a.cached_tokens > b.cached_tokens)


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
    formula="imbalanced (max - min > 64 and max > 1.5 min): min-load; else cached / input > 0.3: that "
    "instance, else min-load",
    source="cache_aware of the SGLang model gateway (smg), its command line's defaults",
)
def sglang_cache_aware(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Longest cached prefix if it covers enough, unless the loads lie apart.

    Load is requests in flight by the router's count. Ties: of matches to the fewest in flight, of loads
    to the fewest requests handled so far, then to the lowest index. The true cache stands in for the
    gateway's tree.
    """
    low, high = _spread(instances)
    chosen = _least(instances, memory, 1)
    if not (high - low > params[1] and high > params[2] * low):
        match = _longest_match(instances)
        if instances[match].cached_tokens > params[0] * request.input_tokens:
            chosen = match
    memory[OWN + chosen] += 1.0
    return chosen


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"cache_threshold": 0.5, "balance_abs": 32, "balance_rel": 1.1},
    formula="imbalanced (max - min > 32 and max > 1.1 min): min-load; else cached / input > 0.5: that "
    "instance, else the instance with the smallest tree",
    source="cache_aware of the vLLM Router and of earlier SGLang routers, library defaults",
)
def vllm_router_cache_aware(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """As sglang_cache_aware, but a miss goes to the smallest tree, which may be the busiest instance.

    A tree's size is the prompt tokens that were new to the instance when they were sent, nothing
    evicted. Ties to the lowest index. The true cache stands in for the router's matches.
    """
    low, high = _spread(instances)
    chosen = -1
    if high - low > params[1] and high > params[2] * low:
        chosen = _least(instances, memory, 0)
    else:
        match = _longest_match(instances)
        if instances[match].cached_tokens > params[0] * request.input_tokens:
            chosen = match
        else:
            for i in range(len(instances)):
                if instances[i].fits == 1 and (
                    chosen < 0 or memory[OWN + i] < memory[OWN + chosen]
                ):
                    chosen = i
    memory[OWN + chosen] += request.input_tokens - instances[chosen].cached_tokens
    return chosen


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"imbalance": 10, "match_rate": 0.1},
    formula="max - min > 10: power of two; else cached / input >= 0.1: shortest queue among the best "
    "matches, else shortest queue among the smallest trees",
    source="PrefixCacheAffinityRouter of Ray Serve",
)
def ray_prefix(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Best match or smallest tree, then the shortest queue; ties to the lowest index.

    Queues are requests in flight. A tree's size is the prompt tokens new to an instance when sent, as
    Ray's eviction is off by default. The true cache stands in for its matches.
    """
    low, high = _spread(instances)
    chosen = -1
    if high - low > params[0]:
        chosen = _two_choices(request.draw, instances)
    else:
        match = _longest_match(instances)
        matched = instances[match].cached_tokens >= params[1] * request.input_tokens
        for i in range(len(instances)):
            if instances[i].fits == 0:
                continue
            if matched:
                better = 0
                if instances[i].cached_tokens == instances[match].cached_tokens:
                    better = 1
            else:
                better = 1
                if chosen >= 0 and memory[OWN + i] > memory[OWN + chosen]:
                    better = 0
                elif chosen >= 0 and memory[OWN + i] < memory[OWN + chosen]:
                    better = 2
            if better > 0 and (
                chosen < 0 or better > 1 or instances[i].in_flight < instances[chosen].in_flight
            ):
                chosen = i
    memory[OWN + chosen] += request.input_tokens - instances[chosen].cached_tokens
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
    formula="max - min > 8: least requests; else the longest match with in_flight <= mean + 1 standard "
    "deviation, else least requests",
    source="prefix-cache of AIBrix, as its code has it (its README says 16)",
)
def aibrix_prefix(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Longest match that is not overloaded; ties of matches to the fewest in flight.

    Ties of the fallback are broken at random. The deviation is that of a sample (n - 1). The true cache
    stands in for AIBrix's table of hashes with its 20 minutes to live.
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
            able_match = v.fits == 1 and v.cached_tokens > 0 and v.in_flight <= limit
            if able_match and (best < 0 or _matches_better(v, instances[best])):
                best = i
    return best if best >= 0 else _fewest_at_random(instances, low, request.draw)
