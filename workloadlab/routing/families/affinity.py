"""Sticky policies: the same session or prefix goes to the same instance.

Where production routers walk a ring of hashed points, these rank the instances by a hash of key and
instance (rendezvous hashing): the shares are as even, and an instance that goes moves only its keys.
"""

from __future__ import annotations

from typing import Any

from workloadlab.routing.choices import (
    count_able,
    least,
    least_among,
    least_in_flight,
    total_in_flight,
)
from workloadlab.routing.router import router

__all__ = ["chwbl", "consistent_hash", "prefix_hash", "session_affinity"]

FAMILY = "affinity"
PRIME = 2147483647


def _rank(key: Any, index: Any) -> int:
    """Return a number of 31 bits that looks random in the key and the instance."""
    mixed = ((key + 1) * 48271 + (index + 1) * 1403580810) % PRIME
    mixed = mixed * mixed % PRIME
    mixed = (mixed + (index + 1) * 69621) % PRIME
    return int(mixed * mixed % PRIME)


def _place_in_order(instance: Any, key: Any) -> int:
    """Return a number that is lowest for the first instance in the key's order."""
    return -_rank(key, instance.index)


def _bounded_place(instance: Any, key: Any, limit: Any) -> int:
    return _place_in_order(instance, key)


def _within(instance: Any, key: Any, limit: Any) -> bool:
    return bool(instance.in_flight <= limit)


_first_in_order = least(_place_in_order)
_first_within = least_among(_within, _bounded_place)


def _bound(instances: Any, factor: Any) -> float:
    """Return factor x (requests in flight + 1) / instances."""
    return float(factor * (total_in_flight(instances) + 1) / count_able(instances))


@router(
    kind="choose",
    family=FAMILY,
    needs={"session"},
    formula="hash(session) picks the instance; without a session the fewest in flight",
    source="session routing of the vLLM production-stack",
)
def session_affinity(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """All turns of a session on one instance, whatever its load; ties of the rest to the lowest index.

    The production-stack sends requests without a session to the lowest request rate; here to the fewest
    in flight.
    """
    if request.session < 0:
        return least_in_flight(instances)
    return _first_in_order(instances, request.session)


@router(
    kind="choose",
    family=FAMILY,
    uses={"session", "prefix"},
    formula="hash(session, else prefix, else request) picks the instance",
    source="consistent_hashing of the SGLang model gateway (smg)",
)
def consistent_hash(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Sticky by session, or by the first blocks of the prompt; load is not read; no ties."""
    key = request.row
    if request.session >= 0:
        key = request.session
    elif request.prefix_key >= 0:
        key = request.prefix_key
    return _first_in_order(instances, key)


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"factor": 1.25},
    formula="hash(first 256 tokens) unless its in_flight > 1.25 (total + 1) / n: then the least loaded",
    source="prefix_hash of the SGLang model gateway (smg)",
)
def prefix_hash(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Sticky by the first 256 tokens in whole blocks, with a bound on load; ties to the lowest index.

    A prompt without a whole block goes to the fewest in flight. Above the bound the fewest in flight
    always meets it, so nothing is kept that should spill.
    """
    if request.prefix_key < 0:
        return least_in_flight(instances)
    own = _first_in_order(instances, request.prefix_key)
    if instances[own].in_flight > _bound(instances, params[0]):
        return least_in_flight(instances)
    return own


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"factor": 1.25},
    formula="first instance in the order of hash(prefix) with in_flight <= 1.25 (total + 1) / n",
    source="PrefixHash of KubeAI: consistent hashing with bounded loads (Mirrokni et al. 2018)",
)
def chwbl(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Sticky by the first blocks; what exceeds the bound goes to the key's next instance; no ties.

    KubeAI hashes the first 100 characters; here the whole blocks of the first 256 tokens. A prompt
    without a whole block hashes its row.
    """
    key = request.prefix_key if request.prefix_key >= 0 else request.row
    limit = _bound(instances, params[0])
    return _first_within(instances, key, limit)
