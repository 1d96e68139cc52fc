"""The routers that ship, by name, and how a user's word becomes a router."""

from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.errors import UsageError
from workloadlab.routing.controls import random, round_robin
from workloadlab.routing.power_of_d import power_of_two
from workloadlab.routing.router import Router, router
from workloadlab.routing.shortest_queue import least_requests
from workloadlab.routing.tokens import least_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SHELF", "resolve"]

SHELF: dict[str, Router] = {
    policy.name: policy
    for policy in (round_robin, random, least_requests, least_tokens, power_of_two)
}
"""Built-in routers by name."""


def resolve(spec: str | Router | Callable[..., Any]) -> Router:
    """Return the router that a name, `file.py:name`, function or Router means.

    Raises:
        UsageError: unknown name (with the nearest ones), or a file without such a router.
    """
    if isinstance(spec, Router):
        return spec
    if callable(spec):
        return router(spec)
    if spec in SHELF:
        return SHELF[spec]
    path, colon, name = spec.rpartition(":")
    if colon and path.endswith(".py"):
        return _from_file(Path(path), name)
    near = difflib.get_close_matches(spec, SHELF, n=2)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(
        f"no router is called {spec!r}",
        fix=f"{hint}use {', '.join(SHELF)}, or my_router.py:name",
    )


def _from_file(path: Path, name: str) -> Router:
    if not path.is_file():
        raise UsageError("no such file", where=str(path), fix="write FILE.py:NAME")
    loader = importlib.util.spec_from_file_location(f"user_router_{path.stem}", path)
    if loader is None or loader.loader is None:
        raise UsageError("cannot be imported", where=str(path))
    module = importlib.util.module_from_spec(loader)
    try:
        loader.loader.exec_module(module)
    except Exception as error:
        raise UsageError(
            f"cannot be imported: {type(error).__name__}: {error}", where=str(path)
        ) from error
    found = getattr(module, name, None)
    if isinstance(found, Router):
        return found
    if callable(found):
        return router(found)
    offers = [key for key, value in vars(module).items() if isinstance(value, Router)]
    raise UsageError(
        f"has no router called {name!r}",
        where=str(path),
        fix=f"it has {', '.join(offers)}" if offers else "decorate a function with @wl.router",
    )
