"""How functions are compiled: the one place where numba's options stand, and the stamp of the cache.

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

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["by_address", "entry", "helper", "inline", "router"]

_LEAN: dict[str, Any] = {"_nrt": False, "error_model": "numpy"}
"""Kernels allocate nothing, so numba's reference counting is off: with it, taking an array out of the
bundle costs an atomic increment, and a replay takes twice as long. Nor does a kernel divide by zero, so
numba need not look at every divisor; a router's own function is compiled apart and raises."""

_INSIDE: dict[str, Any] = {**_LEAN, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

_PACKAGE = Path(__file__).parent


def entry(signature: Any = None, *, allocates: bool = False) -> Callable[..., Any]:
    """Compile a function that Python calls.

    Args:
        signature: its types, if it is to be compiled at once; without one, at the first call.
        allocates: it makes arrays; division by zero then raises.
    """
    options = {"cache": True, "nogil": True, **({} if allocates else _LEAN)}
    signatures = () if signature is None else (signature,)
    return lambda function: njit(*signatures, **options)(stamped(function))


def by_address(signature: Any) -> Callable[..., Any]:
    """Compile a function that compiled ones call by its address: apart, so it is cached apart."""
    return lambda function: njit(signature, **_INSIDE, cache=True)(stamped(function))


def helper(function: Any) -> Any:
    """Compile a function that only compiled ones call, by name.

    It goes without the wrappers by which Python would call it, which take as long to compile as most
    kernels do, and without a cache, as it is a part of its callers. Called from Python it ends the
    process. A literal argument is a type of its own, for which numba compiles once more:
    `np.int64(0)` is not.
    """
    return njit(**_INSIDE)(function)


def inline(function: Any) -> Any:
    """Compile a function as part of its only caller.

    Each level of calls is optimized again with all below, so a deep chain takes minutes to compile.
    """
    return njit(**_LEAN, inline="always")(function)


def router(signature: Any = None, *, checked: bool = False) -> Callable[..., Any]:
    """Compile a router's function, or one that routers call.

    Args:
        signature: that of the router's kind; without one, the types with which it is called.
        checked: an index out of bounds raises, for functions that users write; those are not cached, nor
            are those that hold variables of another function, which numba cannot tell apart.
    """
    options = {"nogil": True, "boundscheck": checked}

    def compiled(function: Any) -> Any:
        if signature is None:
            return njit(**options)(function)
        if checked or function.__closure__:
            return njit(signature, **options)(function)
        return njit(signature, **options, cache=True)(stamped(function))

    return compiled


@cache
def _digest() -> str:
    """Return the digest of all that makes machine code: the files that ask for it, and this one."""
    digest = hashlib.sha256()
    for source in sorted(_PACKAGE.rglob("*.py")):
        text = source.read_bytes()
        if b"numba" in text or b"workloadlab.jit" in text or source.parent.name == "routing":
            digest.update(text)
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
