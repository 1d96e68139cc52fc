"""The routers that ship, by name, and how a user's word becomes a router."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from workloadlab.errors import UsageError
from workloadlab.routing.batch import Chooser, batch_router
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
from workloadlab.routing.router import Router, router
from workloadlab.routing.user_file import from_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.routing.families.model_predictions import RequestPredictor, StepModel

__all__ = ["FAMILIES", "SHELF", "built_in", "resolve"]

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
    near = difflib.get_close_matches(name, SHELF, n=2)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(
        f"no router is called {name!r}",
        fix=f"{hint}use {', '.join(SHELF)}, or my_router.py:name",
    )


def resolve(
    spec: str | Router | Chooser | Callable[..., Any],
    *,
    load: Callable[[str], StepModel | RequestPredictor] | None = None,
) -> Router:
    """Return the router that a name, `name=model`, `file.py:name`, function, Router or chooser means.

    Args:
        spec: the word, or a function, a Router, or an object with `choose(batch)`; `name=model` is a
            router that predicts latency, on a fitted model.
        load: returns the model that such a word names.

    Raises:
        UsageError: unknown name (with the nearest ones), or a file without such a router.
    """
    if isinstance(spec, Router):
        return spec
    if isinstance(spec, Chooser):
        return batch_router(spec)
    if callable(spec):
        return router(spec)
    path, _, name = spec.rpartition(":")
    if path.endswith(".py") or spec.endswith(".py"):
        return from_file(path, name) if path.endswith(".py") else from_file(spec)
    name, equals, model = spec.partition("=")
    if equals and load:
        return router(name, model=load(model))
    return built_in(spec)
