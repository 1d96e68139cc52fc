"""A second process that compiles while this one does."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from workloadlab.jit.store import told_of_misses

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["compiled_beside"]

_ROOT = Path(__file__).parents[2]
"""Where this package is imported from, so that the other process imports the same."""


_STARTED: dict[tuple[str, ...], subprocess.Popen[bytes]] = {}
"""Processes by what they import: one for the life of this process, whichever block missed it first."""


@contextmanager
def compiled_beside(*modules: str, waited: bool = True) -> Iterator[None]:
    """Let another process import modules, and compile them so, while a block compiles something else.

    It starts when the block first misses machine code, so never where all is stored, and the block's end
    waits for it: then the import of the modules here finds their machine code. With one core, or no
    folder to store it in, there is no other process. Threads are no use, as numba compiles in one only.

    Args:
        modules: their full names; each compiles its functions on import.
        waited: False for a block that another one of the same modules follows, which waits.
    """

    def start() -> None:
        if modules not in _STARTED:
            _STARTED[modules] = _importing(modules)

    many = len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else False
    try:
        with told_of_misses(start if many and sys.executable else None):
            yield
    except BaseException:
        if modules in _STARTED:
            _STARTED[modules].terminate()
        raise
    if waited and modules in _STARTED:
        _STARTED[modules].wait()


def _importing(modules: tuple[str, ...]) -> subprocess.Popen[bytes]:
    code = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); import {', '.join(modules)}"
    return subprocess.Popen(  # noqa: S603  our own interpreter and module
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
