"""A router: a plain function over records, compiled once to a fixed signature.

A score router maps (request, instance[, params]) to a number; the lowest wins, ties go to the lowest
index, and instances that the request can never fit are skipped. A choosing router maps
(request, instances[, params[, memory]]) to an index, or to -1 to defer: the request then waits in the
router's own queue and is offered again at the next event.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.routing.records import INSTANCE, ORACLE_FIELDS, REQUEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["DEFER", "NEEDS", "Router", "compile_choose", "compile_score", "router", "signatures"]

DEFER = -1
"""What a choosing router returns to keep the request in the router's own queue."""

NEEDS = ("oracle", "session", "predicted_output", "prefix")
MEMORY_CELLS = 64

Kind = Literal["score", "choose"]


@dataclass(frozen=True)
class Router:
    """A routing policy.

    Attributes:
        name: what `--router` and the scoreboard call it.
        function: the Python function, callable for tests and reading.
        kind: "score" (lowest wins) or "choose" (returns an index or -1).
        needs: what it reads beyond the basic records: "oracle" (true output lengths), "session",
            "predicted_output", "prefix" (cached tokens by instance).
        params: numbers handed to the function as `params`; they can change without compiling again.
        family, formula, source: documentation, printed by the list of routers.
    """

    name: str
    function: Callable[..., Any]
    kind: Kind = "score"
    needs: frozenset[str] = frozenset()
    params: tuple[float, ...] = ()
    family: str = "user"
    formula: str = ""
    source: str = ""

    def __call__(self, *args: Any) -> Any:
        """Run the Python function, for tests and experiments."""
        return self.function(*args)

    def with_params(self, *params: float) -> Router:
        """Return the same router with other parameters; nothing is compiled again."""
        return replace(self, params=tuple(float(p) for p in params))

    @property
    def location(self) -> str:
        """Where the function is written: file and line."""
        code = self.function.__code__
        return f"{code.co_filename}:{code.co_firstlineno}"

    @cached_property
    def interpreted(self) -> Callable[..., Any]:
        """The function with every argument of its kind, not compiled."""
        return _with_all_arguments(self)

    @cached_property
    def compiled(self) -> Any:
        """The function compiled to its kind's signature.

        Raises:
            UsageError: numba cannot compile it; names the place and the construct.
        """
        compile_ = compile_score if self.kind == "score" else compile_choose
        return compile_(self)


def _arity(function: Callable[..., Any]) -> int:
    return len(inspect.signature(function).parameters)


def _with_all_arguments(policy: Router, call: Any = None) -> Callable[..., Any]:
    """Return `policy.function` (or its compiled form `call`) padded with unused arguments."""
    call = call or policy.function
    arity = _arity(policy.function)
    if policy.kind == "score":
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


def signatures() -> tuple[Any, Any]:
    """Return the numba signatures of score and choose functions."""
    from numba import from_dtype, types

    request, instance = from_dtype(REQUEST), from_dtype(INSTANCE)
    numbers = types.float64[::1]
    return (
        types.float64(request, instance, numbers),
        types.int64(request, types.Array(instance, 1, "C"), numbers, numbers),
    )


def _compile(policy: Router, signature: Any) -> Any:
    from numba import njit
    from numba.core.errors import NumbaError

    function = policy.function
    shipped = function.__module__.startswith("workloadlab.")
    try:
        if _arity(function) == len(signature.args):
            return njit(signature, nogil=True, cache=shipped)(function)
        return njit(signature, nogil=True)(_with_all_arguments(policy, njit(function)))
    except NumbaError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = next((li for li in lines if "Failed in" not in li), lines[0] if lines else "")
        place = next((li for li in lines if li.startswith("File ")), "")
        raise UsageError(
            f"router {policy.name!r} cannot be compiled: {said} {place}".strip(),
            where=policy.location,
            fix="use numbers, loops, branches and the fields of the request and instance records",
        ) from error


def compile_score(policy: Router) -> Any:
    """Compile to float64(request, instance, params)."""
    return _compile(policy, signatures()[0])


def compile_choose(policy: Router) -> Any:
    """Compile to int64(request, instances, params, memory)."""
    return _compile(policy, signatures()[1])


def _check(policy: Router) -> Router:
    if not re.fullmatch(r"[A-Za-z0-9_.\-]+", policy.name):
        raise UsageError(
            f"{policy.name!r} is no name for a router",
            where=policy.location,
            fix='name it: @wl.router(name="...") with letters, digits, "_", "-" and "."',
        )
    unknown = sorted(policy.needs - set(NEEDS))
    if unknown:
        raise UsageError(
            f"router {policy.name!r} needs {', '.join(unknown)}, which no trace can offer",
            fix=f"use {', '.join(NEEDS)}",
        )
    most = 3 if policy.kind == "score" else 4
    arity = _arity(policy.function)
    if not 2 <= arity <= most:
        second = "instance, params" if policy.kind == "score" else "instances, params, memory"
        raise UsageError(
            f"router {policy.name!r} takes {arity} arguments",
            where=policy.location,
            fix=f"a {policy.kind} router takes 2 to {most}: (request, {second})",
        )
    read = ORACLE_FIELDS & set(policy.function.__code__.co_names)
    if read and "oracle" not in policy.needs:
        raise UsageError(
            f"router {policy.name!r} reads {', '.join(sorted(read))}, the true output length",
            where=policy.location,
            fix='declare needs={"oracle"}, or read request.predicted_output_tokens',
        )
    return policy


@overload
def router(function: Callable[..., Any], /) -> Router: ...
@overload
def router(
    *,
    kind: Kind = "score",
    needs: Iterable[str] = (),
    params: Iterable[float] = (),
    name: str | None = None,
    family: str = "user",
    formula: str = "",
    source: str = "",
) -> Callable[[Callable[..., Any]], Router]: ...
def router(
    function: Callable[..., Any] | None = None,
    /,
    *,
    kind: Kind = "score",
    needs: Iterable[str] = (),
    params: Iterable[float] = (),
    name: str | None = None,
    family: str = "user",
    formula: str = "",
    source: str = "",
) -> Router | Callable[[Callable[..., Any]], Router]:
    """Turn a plain function into a router.

    Args:
        function: (request, instance[, params]) -> score, or with kind="choose"
            (request, instances[, params[, memory]]) -> index or -1. `memory` is an array of 64 floats,
            zero at the start of a run, that the function may write.
        kind: "score" or "choose".
        needs: any of "oracle", "session", "predicted_output", "prefix".
        params: starting values of `params`.
        name: defaults to the function's name.
        family: which shelf it stands on.
        formula: the score or the choice, in one line.
        source: where the policy comes from.

    Raises:
        UsageError: wrong number of arguments, unknown needs, or undeclared use of the true length.

    Example:
        >>> @router
        ... def emptiest(request, instance):
        ...     return instance.queued_tokens + 0.5 * instance.running * request.input_tokens
        >>> emptiest.name, emptiest.kind
        ('emptiest', 'score')
    """
    if kind not in ("score", "choose"):
        raise UsageError(f"unknown kind of router {kind!r}", fix='use "score" or "choose"')

    def wrap(inner: Callable[..., Any]) -> Router:
        return _check(
            Router(
                name=name or inner.__name__,
                function=inner,
                kind=kind,
                needs=frozenset(needs),
                params=tuple(float(p) for p in params),
                family=family,
                formula=formula,
                source=source,
            )
        )

    return wrap if function is None else wrap(function)


def empty_memory() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the memory of a choosing router at the start of a run."""
    return np.zeros(MEMORY_CELLS)
