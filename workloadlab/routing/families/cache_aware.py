"""Threshold policies: follow the cache unless the load is out of balance.

The gateways below guess what is cached from what they sent: trees of characters or tables of hashes,
with a size limit or a time to live. An engine's eviction does not reach them, so they may chase a prefix
that is gone. `dataclasses.replace(policy, index=None)` is the same rule fed by the engines' events.
"""

from __future__ import annotations

from typing import Any

from workloadlab.routing.choices import (
    count_able,
    in_flight,
    least,
    least_among,
    least_at_random,
    least_in_flight,
    least_of_drawn,
    range_in_flight,
    total,
    total_in_flight,
)
from workloadlab.routing.memory import memory_slots, per_instance
from workloadlab.routing.prefix_index import CHARACTERS_PER_TOKEN, PrefixIndex
from workloadlab.routing.prompts import share_of_prompt
from workloadlab.routing.router import router

__all__ = ["aibrix_prefix", "ray_prefix", "sglang_cache_aware", "vllm_router_cache_aware"]

FAMILY = "cache-aware"
HANDLED = memory_slots(handled="instance")


def _load_then_handled(instance: Any, handled: Any) -> Any:
    return instance.in_flight, handled[instance.index]


def _match(instance: Any) -> Any:
    """Return a pair that is lowest for the longest match in the index, then the fewest in flight."""
    return -instance.indexed_tokens, instance.in_flight


def _index_size(instance: Any) -> Any:
    return instance.index_size_tokens


def _index_size_then_load(instance: Any) -> Any:
    return instance.index_size_tokens, instance.in_flight


def _squared_load(instance: Any) -> Any:
    return instance.in_flight * instance.in_flight


_least_loaded_and_handled = least(_load_then_handled)
_longest_match = least(_match)
_smallest_index = least(_index_size)
_smallest_index_then_load = least(_index_size_then_load)
_less_of_drawn = least_of_drawn(in_flight)
_least_in_flight_at_random = least_at_random(in_flight)
_total_of_squares = total(_squared_load)


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"cache_threshold": 0.3, "balance_abs": 64, "balance_rel": 1.5},
    memory=HANDLED,
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
    low, high = range_in_flight(instances)
    handled = memory[per_instance(HANDLED.handled, instances)]
    chosen = _least_loaded_and_handled(instances, handled)
    if not (high - low > params[1] and high > params[2] * low):
        match = _longest_match(instances)
        if instances[match].indexed_tokens > share_of_prompt(request, params[0]):
            chosen = match
    handled[chosen] += 1.0
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
    low, high = range_in_flight(instances)
    if high - low > params[1] and high > params[2] * low:
        return least_in_flight(instances)
    match = _longest_match(instances)
    if instances[match].indexed_tokens > share_of_prompt(request, params[0]):
        return match
    return _smallest_index(instances)


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
    low, high = range_in_flight(instances)
    if high - low > params[0]:
        return _less_of_drawn(instances, 2, request.draw)
    match = _longest_match(instances)
    if instances[match].indexed_tokens >= share_of_prompt(request, params[1]):
        return match
    return _smallest_index_then_load(instances)


def _bounded_match(instance: Any, limit: Any) -> Any:
    return _match(instance)


def _not_overloaded(instance: Any, limit: Any) -> bool:
    """Say whether an instance has a match and no more in flight than the limit."""
    return bool(instance.indexed_tokens > 0 and instance.in_flight <= limit)


_longest_bounded_match = least_among(_not_overloaded, _bounded_match)


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
    low, high = range_in_flight(instances)
    able, squares = count_able(instances), _total_of_squares(instances)
    mean = total_in_flight(instances) / able
    limit = mean
    if able > 1:
        limit += params[1] * (max(0.0, squares - able * mean * mean) / (able - 1)) ** 0.5
    best = -1
    if high - low <= params[0]:
        best = _longest_bounded_match(instances, limit)
    return best if best >= 0 else _least_in_flight_at_random(instances, request.draw)
