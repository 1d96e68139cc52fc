"""Policies that look at nothing: the lower bounds of every comparison."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.router import router

__all__ = ["kubernetes_service", "random", "round_robin"]

OWN = 64
"""Where a router's cells for single instances begin in its memory."""


def _any(instances: Any, draw: Any) -> int:
    """Return one of the instances that can serve, each with equal probability."""
    able = 0
    for i in range(len(instances)):
        able += instances[i].fits
    nth = min(int(draw * able), able - 1)
    for i in range(len(instances)):
        if instances[i].fits == 1:
            if nth == 0:
                return i
            nth -= 1
    return 0


@router(
    kind="choose",
    family="controls",
    formula="next = (last + 1) mod n",
    source="classic; the default of most load balancers",
)
def round_robin(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Take the instances in turn, from the first, passing over those that cannot serve; no ties."""
    count = len(instances)
    turn = int(memory[0])
    passed = 0
    while passed < count and instances[turn].fits == 0:
        turn = (turn + 1) % count
        passed += 1
    memory[0] = (turn + 1) % count
    return turn


@router(
    kind="choose",
    family="controls",
    formula="uniform draw over the instances that can serve",
    source="classic; M/M/n split into n independent queues",
)
def random(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Take any instance that can serve with equal probability; no ties."""
    return _any(instances, request.draw)


@router(
    kind="choose",
    family="controls",
    params={"keep_alive_s": 5},
    formula="instance of the client's oldest idle connection; a new connection draws one uniformly",
    source="a Kubernetes Service (kube-proxy, iptables mode) behind one HTTP client that keeps alive",
)
def kubernetes_service(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """No router: kube-proxy places connections, not requests, and a client reuses those it has; no ties.

    The client takes its oldest idle connection, or opens one if all are busy; one that was idle for more
    than keep_alive_s is closed. So at a low rate few connections carry all requests, and at a high one
    an idle connection leads to an instance that has just finished something. Reads in flight: of the
    connections to an instance the oldest are the busy ones. Connections
    beyond seven per instance do not fit into the memory and are used once.
    """
    count = len(instances)
    first = OWN + count
    memory[OWN:first] = 0.0
    kept = 0
    chosen = -1
    for c in range(int(memory[0])):
        own = int(memory[first + 2 * c])
        seen_s = memory[first + 2 * c + 1]
        busy = memory[OWN + own] < instances[own].in_flight
        if busy:
            memory[OWN + own] += 1.0
            seen_s = request.now_s
        if request.now_s - seen_s <= params[0]:
            if chosen < 0 and not busy and instances[own].fits == 1:
                chosen = own
                seen_s = request.now_s
            if kept < c:
                memory[first + 2 * kept] = own
            memory[first + 2 * kept + 1] = seen_s
            kept += 1
    if chosen < 0:
        chosen = _any(instances, request.draw)
        if first + 2 * kept + 1 < len(memory):
            memory[first + 2 * kept] = chosen
            memory[first + 2 * kept + 1] = request.now_s
            kept += 1
    memory[0] = kept
    return chosen
