"""The routers that ship, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean
from workloadlab.routing.families import (
    affinity,
    cache_aware,
    cache_cost,
    central_queue,
    controls,
    mixing,
    oracles,
    power_of_d,
    predicted_latency,
    product,
    scorers,
    shortest_queue,
    size_aware,
    size_intervals,
    tokens,
)

if TYPE_CHECKING:
    from workloadlab.routing.router import Router

__all__ = ["FAMILIES", "SHELF", "built_in"]

FAMILIES = (
    controls,
    shortest_queue,
    power_of_d,
    tokens,
    product,
    size_aware,
    size_intervals,
    predicted_latency,
    mixing,
    scorers,
    cache_aware,
    cache_cost,
    affinity,
    central_queue,
    oracles,
)

SHELF: dict[str, Router] = {
    policy.name: policy
    for family in FAMILIES
    for policy in (getattr(family, name) for name in family.__all__)
}
"""Built-in routers by name."""


def built_in(name: str) -> Router:
    """Return the built-in router of that name.

    Raises:
        UsageError: there is none; names the nearest.
    """
    if name in SHELF:
        return SHELF[name]
    raise UsageError(
        f"no router is called {name!r}",
        fix=did_you_mean(name, SHELF, all_of_them="workloadlab replay --list-routers")
        + "; a function of your own is my_router.py:name",
    )
