"""How kernels are compiled, and the cache on disk of those that span files.

The first time on a machine takes up to half a minute and is said in the log, which Python shows on
stderr.

numba stamps a cached function with its own file, not with the files of the functions that it calls, so
an edit or an upgrade of those would go unnoticed and old machine code would run. A function whose name
ends in a digest of all kernels is another function to the cache when any of them changes.
"""

from __future__ import annotations

import hashlib
import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ENTRY", "INLINE", "JIT", "PART", "stamped"]

_LEAN: dict[str, Any] = {"_nrt": False, "error_model": "numpy"}
"""Kernels allocate nothing, so numba's reference counting is off: with it, taking an array out of the
bundle costs an atomic increment, and a replay takes twice as long. Nor does a kernel divide by zero, so
numba need not look at every divisor; a router's own function is compiled apart and raises."""

ENTRY: dict[str, Any] = {**_LEAN, "cache": True, "nogil": True}
"""How a kernel that Python calls is compiled."""

JIT: dict[str, Any] = {**_LEAN, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""How a kernel that only kernels call is compiled: without the wrappers by which Python would call it,
which take as long to compile as most kernels do, and without a cache, as it is a part of its callers.
Called from Python it ends the process. A literal argument is a type of its own, for which numba compiles
once more: `np.int64(0)` is not."""

PART: dict[str, Any] = {**JIT, "cache": True}
"""How a kernel that is called by address is compiled: apart, so it is cached apart."""

INLINE: dict[str, Any] = {**_LEAN, "inline": "always"}
"""How kernels with one caller are compiled: as part of it. Each level of calls is optimized again with
all below, so a deep chain of calls takes minutes to compile."""

_PACKAGE = Path(__file__).parent


@cache
def _digest() -> str:
    """Return the digest of all that makes machine code: kernels, what routers see, and this file."""
    kernels = sorted(_PACKAGE.rglob("*.py"))
    digest = hashlib.sha256()
    for source in (*kernels, _PACKAGE / "routing" / "signals.py", Path(__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def stamped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Name a function that is about to be compiled after the digest of all kernels.

    Example:
        >>> def double(number):
        ...     return 2 * number
        >>> len(stamped(double).__qualname__) - len("double")
        17
    """
    _announce()
    function.__qualname__ = f"{function.__qualname__}_{_digest()}"
    return function


@cache
def _announce() -> None:
    """Let numba tell when it begins with the first of these functions, if none is in its cache."""
    from numba.core import event

    class Announcer(event.Listener):  # type: ignore[misc]
        def on_start(self, event: Any) -> None:
            if event.data["dispatcher"].py_func.__qualname__.endswith(_digest()):
                _say_once()

        def on_end(self, event: Any) -> None:
            pass

    event.register("numba:compile", Announcer())


@cache
def _say_once() -> None:
    logging.getLogger("workloadlab").warning(
        "compiling the simulator, which takes up to half a minute, once for each version on a machine"
    )
