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

__all__ = [
    "chwbl",
    "consistent_hash",
    "prefix_hash",
    "ray_consistent_hash",
    "session_affinity",
]

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
    return bool(instance.in_flight + 1 <= limit)


first_in_order = least(_place_in_order)
_first_within = least_among(_within, _bounded_place)


def _mean_with_this(instances: Any) -> float:
    """Return (requests in flight + 1) / instances."""
    return float((total_in_flight(instances) + 1) / count_able(instances))


@router(
    kind="choose",
    family=FAMILY,
    needs={"session"},
    formula="hash(session) picks the instance; without a session the fewest in flight",
    source="session routing of the vLLM production-stack, commit a6c01db0 (2026)",
)
def session_affinity(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """All turns of a session on one instance, whatever its load; ties of the rest to the lowest index.

    The production-stack sends requests without a session to the lowest request rate; here to the fewest
    in flight.
    """
    if request.session < 0:
        return least_in_flight(instances)
    return first_in_order(instances, request.session)


@router(
    kind="choose",
    family=FAMILY,
    uses={"session", "prefix"},
    formula="hash(session, else prefix, else request) picks the instance",
    source="consistent_hashing of the SGLang model gateway (smg), commit f8daa8835 (August 2026)",
)
def consistent_hash(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Sticky by session, or by the first blocks of the prompt; load is not read; no ties."""
    key = request.row
    if request.session >= 0:
        key = request.session
    elif request.prefix_key >= 0:
        key = request.prefix_key
    return first_in_order(instances, key)


@router(
    kind="choose",
    family=FAMILY,
    uses={"session"},
    formula="hash(session, else request) picks the instance",
    source="ConsistentHashRouter of Ray Serve (2026)",
)
def ray_consistent_hash(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Sticky by session; a request without one goes anywhere; load and prompt are not read; no ties.

    Ray walks a ring of 100 points per replica and, where a replica refuses, tries the next two before
    it waits; here the next that can serve takes it.
    """
    return first_in_order(instances, request.session if request.session >= 0 else request.row)


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"factor": 1.25, "balance_abs": 10},
    formula="hash(first 256 tokens) unless its in_flight > 1.25 mean and > mean + 10, mean being "
    "(total + 1) / n: then the least loaded",
    source="prefix_hash of the SGLang model gateway (smg) since pull request 2150, commit f8daa8835 "
    "(August 2026)",
)
def prefix_hash(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Sticky by the first 256 tokens in whole blocks, with a bound on load; ties to the lowest index.

    A prompt without a whole block goes to the fewest in flight. Above the bound the fewest in flight
    always meets it, so nothing is kept that should spill. Without the 10 requests above the mean a
    router that sees few requests would spill nearly always.
    """
    if request.prefix_key < 0:
        return least_in_flight(instances)
    own = first_in_order(instances, request.prefix_key)
    mean = _mean_with_this(instances)
    if instances[own].in_flight > max(params[0] * mean, mean + params[1]):
        return least_in_flight(instances)
    return own


@router(
    kind="choose",
    family=FAMILY,
    needs={"prefix"},
    params={"factor": 1.25},
    formula="first instance in the order of hash(prefix) with in_flight + 1 <= 1.25 (total + 1) / n, "
    "the first of all if none is or nothing is in flight",
    source="PrefixHash of KubeAI (2026): consistent hashing with bounded loads (Mirrokni et al. 2018)",
)
def chwbl(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Sticky by the first blocks; what exceeds the bound goes to the key's next instance; no ties.

    The bound counts the request itself. KubeAI hashes the first 100 characters; here the whole blocks
    of the first 256 tokens. A prompt without a whole block hashes its row.
    """
    key = request.prefix_key if request.prefix_key >= 0 else request.row
    best = -1
    if total_in_flight(instances) > 0:
        best = _first_within(instances, key, params[0] * _mean_with_this(instances))
    return best if best >= 0 else first_in_order(instances, key)
