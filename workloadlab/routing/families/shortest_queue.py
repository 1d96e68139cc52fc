"""Join the shortest queue, counted in requests."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.choices import least
from workloadlab.routing.memory import memory_slots
from workloadlab.routing.router import router

__all__ = ["least_outstanding", "least_requests", "vllm_dp_v1", "vllm_dp_v2"]

FAMILY = "join the shortest queue"
SEARCH = memory_slots(start=1)
"""Where `vllm_dp_v2` begins its next search."""


@router(
    family=FAMILY,
    formula="score = in_flight",
    source="classic JSQ; least-request of Envoy, AIBrix (commit e3e10f9e, 2026) and others",
)
def least_requests(request: Any, instance: Any, params: Any) -> float:
    """Fewest requests in flight by the router's own count; ties to the lowest index."""
    return float(instance.in_flight)


@router(
    family=FAMILY,
    formula="score = waiting + running",
    source="least outstanding requests; Vidur's `lor` scheduler (2024)",
)
def least_outstanding(request: Any, instance: Any, params: Any) -> float:
    """Fewest requests by the engines' own reports, as old as those are; ties to the lowest index.

    Between two reports nothing changes, so every request of an interval goes to one instance: the
    herding that `least_requests` and `vllm_dp_v1` avoid by counting what they sent.
    """
    return float(instance.waiting + instance.running)


@router(
    family=FAMILY,
    overwrites=True,
    params={"clients": 1},
    formula="score = 4 (waiting + clients x sent_since_report) + running",
    source="vLLM's data-parallel balancer until pull request 49204 (July 2026)",
)
def vllm_dp_v1(request: Any, instance: Any, params: Any) -> float:
    """Queue four times as heavy as batch; ties to the lowest index.

    The client counts what it sent since the last report (every 100 ms in production: set the cluster's
    signal_interval_s to 0.1) as waiting, as many times as there are clients. A report overwrites that
    count, so what was sent while it travelled is forgotten.
    """
    waiting = instance.waiting + params[0] * instance.sent_since_report
    return float(4 * waiting + instance.running)


def _load_then_turn(instance: Any, clients: Any, start: Any, count: Any) -> Any:
    v = instance
    waiting = v.waiting + clients * v.sent_since_report
    score = max(clients * v.in_flight, waiting + v.running)
    score += 6.0 * waiting * max(0.0, v.kv_blocks_used / v.kv_blocks - 0.5)
    return score, (v.index - start) % count


_least_in_turn = least(_load_then_turn)


@router(
    kind="choose",
    family=FAMILY,
    memory=SEARCH,
    overwrites=True,
    params={"clients": 1},
    formula="score = max(clients x in_flight, waiting + running) + 6 waiting max(0, kv - 0.5), waiting "
    "with what was sent since the report",
    source="vLLM's data-parallel balancer after pull request 49204 (July 2026)",
)
def vllm_dp_v2(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Own count or report, whichever is larger, plus a penalty for a queue behind a filling cache.

    Reads in_flight, waiting, running and KV use. `clients` is the number of API servers that share the
    engines, each knowing its own requests; each takes what it sent since the last report for waiting,
    as many times as there are clients, until a report overwrites that. Ties go in turn: the search
    starts one instance further with each decision.
    """
    count = len(instances)
    start = int(memory[SEARCH.start])
    memory[SEARCH.start] = (start + 1) % count
    return _least_in_turn(instances, params[0], start, count)
