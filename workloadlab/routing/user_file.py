"""Routers that stand in a user's own Python file."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from workloadlab.errors import UsageError
from workloadlab.routing.batch import Chooser, batch_router
from workloadlab.routing.router import Router, router

__all__ = ["from_file"]


def from_file(path: str | Path, name: str | None = None) -> Router:
    """Return the router called `name` in a file, or the only one that it defines.

    Raises:
        UsageError: no such file, it cannot be imported, or it does not have just that router.
    """
    path = Path(path)
    found = _imported(path)
    offers = [key for key, value in found.items() if isinstance(value, Router)]
    if name is None:
        if len(offers) == 1:
            return found[offers[0]]  # type: ignore[no-any-return]
        raise UsageError(
            f"defines {len(offers) or 'no'} routers" + (f": {', '.join(offers)}" if offers else ""),
            where=str(path),
            fix=f"name one: {path.name}:{offers[0]}" if offers else "decorate one with @wl.router",
        )
    value = found.get(name)
    if isinstance(value, Router):
        return value
    if isinstance(value, Chooser):
        return batch_router(value)
    if callable(value):
        return router(value)
    raise UsageError(
        f"has no router called {name!r}",
        where=str(path),
        fix=f"it has {', '.join(offers)}" if offers else "decorate a function with @wl.router",
    )


def _imported(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UsageError("no such file", where=str(path), fix="write FILE.py:NAME")
    module = ModuleType(f"user_router_{path.stem}")
    module.__file__ = str(path)
    try:
        # Python's own import would take old code for an edit of equal size within a second.
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102
    except Exception as error:
        raise UsageError(
            f"cannot be imported: {type(error).__name__}: {error}", where=str(path)
        ) from error
    return vars(module)
