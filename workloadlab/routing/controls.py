"""Policies that look at nothing: the lower bounds of every comparison."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.router import router

__all__ = ["random", "round_robin"]


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
    able = 0
    for i in range(len(instances)):
        able += instances[i].fits
    nth = min(int(request.draw * able), able - 1)
    for i in range(len(instances)):
        if instances[i].fits == 1:
            if nth == 0:
                return i
            nth -= 1
    return 0
