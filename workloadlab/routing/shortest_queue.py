"""Join the shortest queue, counted in requests."""

from __future__ import annotations

from typing import Any

from workloadlab.routing.router import router

__all__ = ["least_requests"]


@router(
    family="join the shortest queue",
    formula="score = in_flight",
    source="classic JSQ; least-request of Envoy, AIBrix and others",
)
def least_requests(request: Any, instance: Any, params: Any) -> float:
    """Fewest requests in flight by the router's own count; ties to the lowest index."""
    return float(instance.in_flight)
