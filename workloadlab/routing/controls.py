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
    """Take the instances in turn, starting with the first; no ties."""
    turn = int(memory[0])
    memory[0] = (turn + 1) % len(instances)
    return turn % len(instances)


@router(
    kind="choose",
    family="controls",
    formula="uniform draw over the instances",
    source="classic; M/M/n split into n independent queues",
)
def random(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Take any instance with equal probability; no ties."""
    return min(int(request.draw * len(instances)), len(instances) - 1)
