"""How functions are compiled: the one place where numba's options stand."""

from __future__ import annotations

import gc
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from numba import njit

from workloadlab.jit.parts import PartCompiler
from workloadlab.jit.registry import COMPILED, Compiled
from workloadlab.jit.store import MachineCode

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["by_address", "entry", "helper", "inline", "router"]

_LEAN: dict[str, Any] = {"_nrt": False, "error_model": "numpy"}
"""Kernels allocate nothing, so numba's reference counting is off: with it, taking an array out of the
bundle costs an atomic increment, and a replay takes twice as long. Nor does a kernel divide by zero, so
numba need not look at every divisor; a router's own function is compiled apart and raises."""

_UNWRAPPED: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Without wrappers for calls from Python and C, which take as long to compile as most kernels do."""

_PART: dict[str, Any] = {**_UNWRAPPED, "pipeline_class": PartCompiler}


def entry(signature: Any = None, *, allocates: bool = False) -> Callable[..., Any]:
    """Compile a function that Python calls.

    Args:
        signature: its types, if it is to be compiled at once; without one, at the first call.
        allocates: it makes arrays; division by zero then raises.

    Raises:
        TypeError: it reaches a value of which no stamp can be made; without a signature, at the first
            call.

    Example:
        >>> @entry("int64(int64)")
        ... def double(number):
        ...     return 2 * number
        >>> double(21)
        42
    """
    options = {"nogil": True, **({} if allocates else _LEAN)}
    return lambda function: _compiled("entry", function, options, signature, stored=True)


def by_address(signature: Any) -> Callable[..., Any]:
    """Compile a function that compiled ones call by its address: apart, so it is stored apart."""
    return lambda function: _compiled(
        "by_address", function, {**_LEAN, **_UNWRAPPED}, signature, stored=True
    )


def helper(function: Any) -> Any:
    """Compile a function that only compiled ones call, by name.

    It is a part of its callers, so it has no machine code of its own, and called from Python it ends the
    process. A literal argument is a type of its own, for which numba compiles once more:
    `np.int64(0)` is not.
    """
    return _compiled("helper", function, {**_LEAN, **_PART})


def inline(function: Any) -> Any:
    """Compile a function as part of its only caller.

    Each level of calls is optimized again with all below, so a deep chain takes minutes to compile.
    """
    return _compiled("inline", function, {**_LEAN, "inline": "always"})


def router(
    signature: Any = None, *, checked: bool = False, lean: bool = False
) -> Callable[..., Any]:
    """Compile a router's function, or one that routers call.

    Args:
        signature: that of the router's kind; without one it is a part of the routers that call it.
        checked: an index out of bounds raises, for functions that users write; those are not stored, nor
            are those that hold variables of another function, which have the same name each time.
        lean: it makes no arrays, so references to those that it hands on are not counted.
    """
    options = {"nogil": True, "boundscheck": checked, "_nrt": not lean}
    if signature is None:
        options |= {**_PART, "forceinline": True}

    def compiled(function: Any) -> Any:
        stored = signature is not None and not checked and not function.__closure__
        return _compiled("router", function, options, signature, stored=stored, ours=not checked)

    return compiled


def _compiled(
    kind: str,
    function: Any,
    options: dict[str, Any],
    signature: Any = None,
    *,
    stored: bool = False,
    ours: bool = True,
) -> Any:
    """Compile a function, now if its signature is known; say in `COMPILED` that it is one of ours."""
    made = njit(**options)(function)
    if isinstance(made, FunctionType):  # numba is told to compile nothing
        return made
    source = Path(function.__code__.co_filename)
    code = MachineCode(made, signature) if stored and source.is_file() else None
    if code is not None:
        made._cache = code
    if ours:
        COMPILED.append(Compiled(kind, made, code))
    made.compile = _compilation(made.compile, code)
    if signature is not None:
        made.compile(signature)
        made.disable_compile()
    return made


def _compilation(compiled: Callable[[Any], Any], code: MachineCode | None) -> Callable[[Any], Any]:
    """Compile without a search for dead objects, which takes a fifth of the time and finds none."""

    def compiling(signature: Any) -> Any:
        was = gc.isenabled()
        gc.disable()
        try:
            return compiled(signature)
        finally:
            if was:
                gc.enable()
            if code is not None:
                code.end_claim()

    return compiling
