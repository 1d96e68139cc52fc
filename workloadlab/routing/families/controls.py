"""Policies that look at nothing: the lower bounds of every comparison."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.choices import any_of
from workloadlab.routing.memory import all_behind, memory_slots, per_instance
from workloadlab.routing.router import router

__all__ = ["kubernetes_service", "random", "round_robin"]

TURN = memory_slots(turn=1)
CONNECTIONS = memory_slots(open=1, busy="instance", connections="rest")
"""Of `kubernetes_service`: how many connections are open; how many of an instance's are known to be
busy; and for each open one its instance and when it was last busy, the oldest first."""


@router(
    kind="choose",
    family="controls",
    memory=TURN,
    formula="next = (last + 1) mod n",
    source="classic; the default of most load balancers",
)
def round_robin(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Take the instances in turn, from the first, passing over those that cannot serve; no ties."""
    count = len(instances)
    turn = int(memory[TURN.turn])
    passed = 0
    while passed < count and instances[turn].fits == 0:
        turn = (turn + 1) % count
        passed += 1
    memory[TURN.turn] = (turn + 1) % count
    return turn


@router(
    kind="choose",
    family="controls",
    formula="uniform draw over the instances that can serve",
    source="classic; M/M/n split into n independent queues",
)
def random(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Take any instance that can serve with equal probability; no ties."""
    return any_of(instances, request.draw)


@router(
    kind="choose",
    family="controls",
    params={"keep_alive_s": 5},
    memory=CONNECTIONS,
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
    known_busy = memory[per_instance(CONNECTIONS.busy, instances)]
    known_busy[:] = 0.0
    connections = memory[all_behind(CONNECTIONS.connections, instances)]
    kept = 0
    chosen = -1
    for c in range(int(memory[CONNECTIONS.open])):
        own, seen_s = int(connections[2 * c]), connections[2 * c + 1]
        busy = known_busy[own] < instances[own].in_flight
        if busy:
            known_busy[own] += 1.0
            seen_s = request.now_s
        if request.now_s - seen_s <= params[0]:
            if chosen < 0 and not busy and instances[own].fits == 1:
                chosen = own
                seen_s = request.now_s
            if kept < c:
                connections[2 * kept] = own
            connections[2 * kept + 1] = seen_s
            kept += 1
    if chosen < 0:
        chosen = any_of(instances, request.draw)
        if 2 * kept + 1 < len(connections):
            connections[2 * kept] = chosen
            connections[2 * kept + 1] = request.now_s
            kept += 1
    memory[CONNECTIONS.open] = kept
    return chosen
