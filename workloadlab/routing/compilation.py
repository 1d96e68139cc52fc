"""How a router's function is compiled to the fixed signature of its kind."""

from __future__ import annotations

import inspect
from functools import cache
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Literal

from workloadlab.routing.signals import signatures

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Kind",
    "arity_of",
    "compile_function",
    "linked_function",
    "may_read",
    "with_all_arguments",
]

Kind = Literal["score", "choose", "batch"]


def arity_of(function: Callable[..., Any]) -> int:
    """Count the arguments of a function."""
    return len(inspect.signature(function).parameters)


def with_all_arguments(function: Any, kind: Kind, call: Any) -> Callable[..., Any]:
    """Return `call`, the function or its compiled form, padded with unused arguments."""
    arity = arity_of(function)
    if kind == "score":
        if arity == 2:
            return lambda request, instance, params: call(request, instance)  # noqa: ARG005
        return lambda request, instance, params: call(request, instance, params)
    if arity == 2:
        return lambda request, instances, params, memory: call(request, instances)  # noqa: ARG005
    if arity == 3:
        return lambda request, instances, params, memory: call(  # noqa: ARG005
            request, instances, params
        )
    return lambda request, instances, params, memory: call(request, instances, params, memory)


_PARTS: dict[tuple[Any, bool, bool], Any] = {}
"""The functions that routers call, compiled once for all of them."""


def linked(
    function: Any, *, checked: bool, lean: bool = False, callers: tuple[Any, ...] = ()
) -> Any:
    """Return a copy of the function that calls compiled functions in place of plain ones and routers.

    Those that it finds among its globals and the variables that it closes over, whichever file they are
    written in; but not those of libraries, which numba knows or refuses by itself, nor its callers.

    Args:
        function: the caller.
        checked: an index out of bounds raises.
        lean: nothing makes arrays, so numba need not count references to those that are handed on: it
            would for each instance, and a choice takes up to four times as long.
        callers: of the function itself.
    """
    from workloadlab.jit import router as compiled_router
    from workloadlab.jit.stamps import is_foreign

    above = (*callers, function)

    def exchanged(value: Any) -> Any:
        inner = getattr(value, "function", value)  # that of a router, if it is one
        if not isinstance(inner, FunctionType) or inner in above or is_foreign(inner):
            return value
        key = (inner, checked, lean)
        if key not in _PARTS:
            part = linked(inner, checked=checked, lean=lean, callers=above)
            _PARTS[key] = compiled_router(checked=checked, lean=lean)(part)
        return _PARTS[key]

    names = sorted(_names(function.__code__) & set(function.__globals__))
    found = {name: exchanged(function.__globals__[name]) for name in names}
    cells = function.__closure__ or ()
    copy = FunctionType(
        function.__code__,
        {**function.__globals__, **found},
        function.__name__,
        function.__defaults__,
        tuple(CellType(exchanged(cell.cell_contents)) for cell in cells),
    )
    copy.__qualname__, copy.__module__ = function.__qualname__, function.__module__
    return copy


def may_read(function: Any, fields: frozenset[str]) -> bool:
    """Say whether a function, or anything that it calls, names one of the fields.

    True where nobody can know: of modules other than math and numpy, and of what is no Python function.
    """
    seen: list[Any] = []

    def reads(value: Any) -> bool:
        inner = getattr(value, "py_func", getattr(value, "function", value))  # if it is compiled
        if isinstance(inner, str):
            return inner in fields
        if isinstance(inner, ModuleType):
            return inner.__name__ not in ("math", "numpy")
        if not isinstance(inner, FunctionType | CodeType | tuple | list):
            return callable(inner) and not isinstance(inner, BuiltinFunctionType)
        if any(inner is one for one in seen):
            return False
        seen.append(inner)
        return any(map(reads, _parts(inner)))

    return reads(function)


def _parts(value: FunctionType | CodeType | tuple[Any, ...] | list[Any]) -> list[Any]:
    """Return what a value is made of: code of names and constants, a function of its variables too."""
    if isinstance(value, CodeType):
        return [*value.co_names, *value.co_consts]
    if not isinstance(value, FunctionType):
        return list(value)
    used = sorted(_names(value.__code__) & set(value.__globals__))
    closed = [cell.cell_contents for cell in value.__closure__ or ()]
    defaults = value.__defaults__ or ()
    return [value.__code__, *(value.__globals__[name] for name in used), *closed, *defaults]


def _names(code: CodeType) -> set[str]:
    """Return the names in a function's code and in that of the functions inside."""
    inner = [_names(value) for value in code.co_consts if isinstance(value, CodeType)]
    return set(code.co_names).union(*inner)


@cache
def linked_function(function: Callable[..., Any]) -> Any:
    """Return the function as `compile_function` compiles it, linked to all that it calls."""
    checked, lean = _checked_and_lean(function)
    return linked(function, checked=checked, lean=lean)


def _checked_and_lean(function: Callable[..., Any]) -> tuple[bool, bool]:
    """Say of a router's function whether it is a user's, and whether nothing in it makes arrays."""
    own = not function.__module__.startswith("workloadlab.")
    return own, not own and not function.__closure__


@cache
def compile_function(function: Callable[..., Any], kind: Kind) -> Any:
    """Compile a function to the signature of its kind; once, whatever the parameters."""
    from workloadlab.jit import router as compiled_router

    signature = signatures()[0 if kind == "score" else 1]
    own, lean = _checked_and_lean(function)
    whole = linked_function(function)
    if arity_of(whole) == len(signature.args):
        return compiled_router(signature, checked=own, lean=lean)(whole)
    padded = with_all_arguments(function, kind, compiled_router(checked=True)(whole))
    return compiled_router(signature, checked=True)(padded)
