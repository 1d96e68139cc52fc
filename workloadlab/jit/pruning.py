"""Old machine code is removed at the end of a process that has made new."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.jit.folders import ORIGIN, TAG, beside, shared
from workloadlab.jit.registry import BEGUN_S, COMPILED

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["prune"]

_PACKAGE = Path(__file__).parents[1]
_DRAFT_S = 3600.0
"""A file that has been written for so long was given up."""


def prune() -> None:
    """Remove machine code of functions that have changed, moved or gone, for this version of Python.

    Files that are younger than this process stay: it may be the one that runs old code.
    """
    current = {one.code.base for one in COMPILED if one.code is not None}
    names = {(one.dispatcher.py_func.__module__, _qualname(one)) for one in COMPILED}
    modules = {getattr(module, "__file__", None): module for module in [*sys.modules.values()]}
    for folder, origin in _folders():
        for file in folder.glob("*.nb[ic]*"):
            base, found, _ = file.name.partition(f".{TAG}.")
            stem, _, rest = base.partition(".")
            source = origin / f"{stem}.py"
            module = modules.get(str(source))
            old = not source.exists() or _is_old(base, rest, module, current, names)
            if found and _is_done(file) and old:
                file.unlink(missing_ok=True)
        if not origin.exists() and not [*folder.glob("*.nb[ic]*")]:
            (folder / ORIGIN).unlink(missing_ok=True)
            with suppress(OSError):  # somebody else's files are in it
                folder.rmdir()


def _is_old(
    base: str, rest: str, module: Any, current: set[str], names: set[tuple[str, str]]
) -> bool:
    """Say whether machine code is that of no function; of a module that is not imported nobody knows."""
    name = rest.rpartition("-")[0]
    if base in current:
        return False
    if re.search(r"-\d{1,6}$", base):  # a line's number, by which numba names its own files
        return True
    if module is None:
        return False
    return (module.__name__, name) in names or not hasattr(module, name.partition(".")[0])


def _is_done(file: Path) -> bool:
    try:
        age_s = BEGUN_S - file.stat().st_mtime
    except OSError:
        return False
    return age_s > (_DRAFT_S if file.suffix == ".tmp" else 0.0)


def _qualname(one: Any) -> str:
    return str(one.dispatcher.py_func.__qualname__)


def _folders() -> Iterator[tuple[Path, Path]]:
    """Yield the folders for machine code, each with that of its sources."""
    for folder in [*_PACKAGE.rglob(beside(Path()).name)]:
        yield folder, folder.parent
    base = shared()
    for origin in [] if base is None else [*base.glob(f"*/{ORIGIN}")]:
        yield origin.parent, Path(origin.read_text())
