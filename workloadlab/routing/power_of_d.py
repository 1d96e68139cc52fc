"""Power of d choices: look at a few instances drawn at random."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.router import router

__all__ = ["power_of_two"]


@router(
    kind="choose",
    family="power of d",
    formula="the less loaded (in_flight) of two distinct instances drawn at random",
    source="Mitzenmacher 2001; Vvedenskaya et al. 1996; Ray Serve's default",
)
def power_of_two(request: Any, instances: Any, params: Any, memory: Any) -> int:
    """Draw two instances, take the one with fewer requests in flight; ties to the first drawn."""
    count = len(instances)
    if count == 1:
        return 0
    spread = request.draw * count
    first = min(int(spread), count - 1)
    second = min(int((spread - first) * (count - 1)), count - 2)
    if second >= first:
        second += 1
    if instances[second].in_flight < instances[first].in_flight:
        return second
    return first
