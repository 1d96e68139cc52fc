"""Threshold policies: follow the cache unless the load is out of balance.

The gateways below guess what is cached from what they sent: trees of characters or tables of hashes,
with a size limit or a time to live. An engine's eviction does not reach them, so they may chase a prefix
that is gone. `dataclasses.replace(policy, index=None)` is the same rule fed by the engines' events.
"""

from __future__ import annotations

import math
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
from workloadlab.routing.families.affinity import first_in_order
from workloadlab.routing.prefix_index import CHARACTERS_PER_TOKEN, PrefixIndex
from workloadlab.routing.prompts import rest_of_prompt, share_of_prompt
from workloadlab.routing.router import router

__all__ = [
    "aibrix_prefix",
    "ps_kvaware",
    "ps_prefixaware",
    "ray_prefix",
    "sglang_cache_aware",
    "vllm_router_cache_aware",
]

FAMILY = "cache-aware"


def _match(instance: Any) -> Any:
    """Return a pair that is lowest for the longest match in the index, then the fewest in flight."""
    return -instance.indexed_tokens, instance.in_flight


def _minus_indexed(instance: Any) -> Any:
    return -instance.indexed_tokens


def _minus_cached(instance: Any) -> Any:
    return -instance.cached_tokens


def _index_size(instance: Any) -> Any:
    return instance.index_size_tokens


def _index_size_then_load(instance: Any) -> Any:
    return instance.index_size_tokens, instance.in_flight


def _squared_load(instance: Any) -> Any:
    return instance.in_flight * instance.in_flight


_longest_match = least(_match)
_longest_match_at_random = least_at_random(_match)
_any_longest_match = least_at_random(_minus_indexed)
_longest_holder = least(_minus_cached)
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
    index=PrefixIndex(
        kind="tree", capacity_tokens=2**26 // CHARACTERS_PER_TOKEN, sweep_s=120, shared=True
    ),
    formula="indexed / input > 0.3: that instance, unless its in_flight > 1.5 mean and > mean + 64; "
    "else the fewest in flight",
    source="cache_aware of the SGLang model gateway (smg), commit f8daa8835 (August 2026), the defaults "
    "of its command line",
)
def sglang_cache_aware(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Longest known prefix if it covers enough and its holder is not far above the mean load.

    Load is requests in flight by the router's count. Only the matched instance spills: the gateway no
    longer gives the cache up for all because two loads lie apart. Ties: of matches to the fewest in
    flight, of equal loads at random. Later commits measure the load of a spill and of a miss in seconds
    of expected wait, which without reports from the engines is again the requests in flight. Index: one
    tree of characters for all instances, cut back to 2^26 characters every 120 s, least recently used
    leaves first.
    """
    chosen = _longest_match_at_random(instances, request.draw)
    load = instances[chosen].in_flight
    mean = total_in_flight(instances) / count_able(instances)
    known = instances[chosen].indexed_tokens > share_of_prompt(request, params[0])
    if known and not (load > params[2] * mean and load > mean + params[1]):
        return chosen
    return _least_in_flight_at_random(instances, request.draw)


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"cache_threshold": 0.3, "balance_abs": 64, "balance_rel": 1.5},
    index=PrefixIndex(kind="tree", capacity_tokens=2**26 // CHARACTERS_PER_TOKEN, sweep_s=120),
    formula="imbalanced (max - min > 64 and max > 1.5 min): min-load; else indexed / input > 0.3: that "
    "instance, else the instance with the smallest tree",
    source="cache_aware of the vLLM Router (vllm-project/router, commit 16917f495, 2026), the defaults "
    "of its binary",
)
def vllm_router_cache_aware(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Longest known prefix if it covers enough; a miss goes to the smallest tree, busy or not.

    One pair of loads that lie apart gives the cache up for all. Ties to the lowest index. The library's
    defaults are 0.5, 32, 1.1, 10,000 characters and 30 s. Chats with a session key go by a map of keys
    there, by their prompts here. Index: a tree of characters for each instance, cut back to 2^26
    characters every 120 s, least recently used leaves first; its size is what the cut left and what was
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
    params={"imbalance": math.inf, "match_rate": 0.1},
    index=PrefixIndex(kind="tree"),
    formula="max - min > imbalance (infinite): power of two; else indexed / input >= 0.1: shortest "
    "queue among the best matches, else shortest queue among the smallest trees",
    source="PrefixCacheAffinityRouter of Ray Serve since pull request 59390, commit 06c16f2f2 (2026)",
)
def ray_prefix(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Best match or smallest tree, then the shortest queue; ties to the lowest index.

    Queues are requests in flight. The threshold of imbalance was 10 before that pull request. Index: a
    tree of characters that never forgets, as its eviction (to 360,000 characters every 10 s) is off by
    default.
    """
    low, high = range_in_flight(instances)
    if high - low > params[0]:
        return _less_of_drawn(instances, 2, request.draw)
    match = _longest_match(instances)
    if instances[match].indexed_tokens >= share_of_prompt(request, params[1]):
        return match
    return _smallest_index_then_load(instances)


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    index=PrefixIndex(),
    formula="one of those with the most indexed tokens, at random",
    source="prefixaware of the vLLM production-stack, commit a6c01db0 (2026)",
)
def ps_prefixaware(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Deepest match in a trie of what was sent where; ties at random, so a new prompt goes anywhere.

    Load is not read. Index: a trie of chunks of 128 characters, here whole blocks, that never forgets.
    """
    return _any_longest_match(instances, request.draw)


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    uses={"session"},
    params={"threshold_tokens": 2000},
    formula="the longest holder if it holds all but 2,000 tokens; else hash(session), without a session "
    "the fewest in flight",
    source="kvaware of the vLLM production-stack, commit a6c01db0 (2026)",
)
def ps_kvaware(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Follow the cache as far as it goes, whatever the load; ties to the lowest index.

    A prompt of up to 2,000 tokens goes to any holder of its first block. LMCache says who holds what,
    so no index of its own: the truth. The production-stack sends what has no holder and no session to
    the lowest request rate of the last 60 s; here to the fewest in flight.
    """
    holder = _longest_holder(instances)
    held = instances[holder].cached_tokens
    if held > 0 and rest_of_prompt(request, held) <= params[0]:
        return holder
    if request.session >= 0:
        return first_in_order(instances, request.session)
    return least_in_flight(instances)


def _bounded_match(instance: Any, most: Any) -> Any:
    return _match(instance)


def _not_overloaded(instance: Any, most: Any) -> bool:
    """Say whether an instance has a match and no more in flight than allowed."""
    return bool(instance.indexed_tokens > 0 and instance.in_flight <= most)


_longest_bounded_match = least_among(_not_overloaded, _bounded_match)


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"imbalance": 8, "deviations": 1},
    index=PrefixIndex(
        capacity_tokens=200_000 * 128 // CHARACTERS_PER_TOKEN, ttl_s=1200, shared=True
    ),
    formula="the longest match with in_flight <= mean + 1 standard deviation, among the least loaded if "
    "max - min > 8; else least requests",
    source="prefix-cache of AIBrix, commit e3e10f9e (2026), as its code has it (its README says 16)",
)
def aibrix_prefix(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Longest match that is not overloaded; ties of matches to the fewest in flight.

    Ties of the fallback are broken at random. The deviation is that of a sample (n - 1). Index: one
    table of 200,000 hashed blocks for all instances, least recently used out first, forgotten 20
    minutes after their last use. Blocks are of 128 characters, as AIBrix's documentation recommends and
    its published runs need; of its code's default of 4 characters the table holds 200,000 tokens, less
    than one instance. A block on two instances counts twice here, once there.
    """
    low, high = range_in_flight(instances)
    able = count_able(instances)
    mean = total_in_flight(instances) / able
    most = float(mean)
    if high - low > params[0]:
        most = float(low)
    elif able > 1:
        spread = max(0.0, _total_of_squares(instances) - able * mean * mean) / (able - 1)
        most += params[1] * spread**0.5
    best = _longest_bounded_match(instances, most)
    return best if best >= 0 else _least_in_flight_at_random(instances, request.draw)
