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


@contextmanager
def compiled_beside(module: str) -> Iterator[None]:
    """Let another process import a module, and compile it so, while a block compiles something else.

    It starts when the block first misses machine code, so never where all is stored, and the block's end
    waits for it: then the import of the module here finds its machine code. With one core, or no folder
    to store it in, there is no other process. Threads are no use: numba compiles in one at a time.

    Args:
        module: its full name; it compiles its functions on import.
    """
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        if not started:
            started.append(_importing(module))

    many = len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else False
    try:
        with told_of_misses(start if many and sys.executable else None):
            yield
    except BaseException:
        for process in started:
            process.terminate()
        raise
    for process in started:
        process.wait()


def _importing(module: str) -> subprocess.Popen[bytes]:
    code = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); import {module}"
    return subprocess.Popen(  # noqa: S603  our own interpreter and module
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
