"""A router: a plain function over records, compiled once to a fixed signature.

A score router maps (request, instance[, params]) to a number; the lowest wins, ties go to the lowest
index, and instances that the request can never fit are skipped. A choosing router maps
(request, instances[, params[, memory]]) to an index, or to -1 to defer: the request then waits in the
router's own queue and is offered again at the next event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, overload

from workloadlab.display import Drawn
from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean
from workloadlab.routing.compilation import (
    Kind,
    arity_of,
    compile_function,
    may_read,
    with_all_arguments,
)
from workloadlab.routing.compile_errors import compile_error
from workloadlab.routing.signals import DECODING_FIELDS, INSTANCE_FIELDS, ORACLE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from workloadlab.routing.prefix_index import PrefixIndex

__all__ = ["DEFER", "NEEDS", "Router", "named_and_needing", "router"]

DEFER = -1
"""What a choosing router returns to keep the request in the router's own queue."""

NEEDS = ("oracle", "session", "predicted_output", "prefix")


@dataclass(frozen=True)
class Router(Drawn):
    """A routing policy.

    Attributes:
        name: what `--router` and the scoreboard call it.
        function: the Python function, callable for tests and reading.
        kind: "score" (lowest wins), "choose" (returns an index or -1), or "batch" (chooses for many
            lanes at once and is not compiled: see `batch_router`).
        needs: what it reads beyond the basic records: "oracle" (true output lengths), "session",
            "predicted_output", "prefix" (cached tokens by instance).
        uses: what it reads when the trace and the cluster have it, and can do without.
        params: numbers handed to the function as `params`; they can change without compiling again.
        param_names: what the numbers are called, or nothing.
        memory: the places in its memory that have names: see `memory_slots`.
        index: what it keeps of the prompts that it placed, or None if the engines report their caches.
        model: name of the fitted model that it predicts with; its table stands behind the numbers
            that have names.
        signals: of a router that is not compiled, the fields of an instance that it reads; None if it
            may read any.
        overwrites: whether a report that arrives makes it forget all that it has sent, also what was
            sent while the report travelled, of which the report cannot know.
        family, formula, source: documentation, printed by the list of routers.
    """

    name: str
    function: Callable[..., Any]
    kind: Kind = "score"
    needs: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    params: tuple[float, ...] = ()
    param_names: tuple[str, ...] = ()
    memory: Any = None
    index: PrefixIndex | None = None
    model: str = ""
    signals: frozenset[str] | None = None
    overwrites: bool = False
    family: str = "user"
    formula: str = ""
    source: str = ""

    def __call__(self, *args: Any) -> Any:
        """Run the Python function, for tests and experiments."""
        return self.function(*args)

    @property
    def reads(self) -> frozenset[str]:
        """What the engines fill in for it."""
        return self.needs | self.uses

    @property
    def settings(self) -> tuple[float, ...]:
        """The parameters without the table of a fitted model."""
        return self.params[: len(self.param_names)] if self.model else self.params

    def with_params(self, *params: float, **named: float) -> Router:
        """Return the same router with other parameters, all by place or some by name.

        Nothing is compiled again.

        Raises:
            UsageError: a name that it does not have, or too few or too many by place.
        """
        unknown = sorted(set(named) - set(self.param_names))
        if unknown:
            raise UsageError(
                f"router {self.name!r} has no parameter {unknown[0]!r}",
                fix=did_you_mean(unknown[0], self.param_names),
            )
        values = [float(value) for value in params or self.settings]
        if self.param_names and len(values) != len(self.param_names):
            raise UsageError(
                f"parameters of router {self.name!r}: {len(self.param_names)}, not {len(values)}",
                fix=f"give {', '.join(self.param_names)}, or some of them by name",
            )
        for name, value in named.items():
            values[self.param_names.index(name)] = float(value)
        return replace(self, params=(*values, *self.params[len(self.settings) :]))

    @property
    def location(self) -> str:
        """Where the function is written: file and line."""
        code = getattr(self.function, "__code__", None)
        if code is None:
            return self.name
        return f"{code.co_filename}:{code.co_firstlineno}"

    def may_see(self, *signals: str) -> bool:
        """Say whether it may read any of the signals; what is not compiled may read what it says."""
        if self.kind == "batch":
            return self.signals is None or not self.signals.isdisjoint(signals)
        return _may_read(self.function, frozenset(signals))

    @cached_property
    def sees_decoding(self) -> bool:
        """Whether it may read what changes while an engine only decodes."""
        resident = "prefix" in self.reads and self.index is None
        return resident or self.may_see(*DECODING_FIELDS)

    @cached_property
    def interpreted(self) -> Callable[..., Any]:
        """The function with every argument of its kind, not compiled."""
        return with_all_arguments(self.function, self.kind, self.function)

    @cached_property
    def compiled(self) -> Any:
        """The function compiled to its kind's signature.

        Raises:
            UsageError: numba cannot compile it; names the place and the construct.
        """
        return _compiled(self)


_may_read = cache(may_read)


def _compiled(policy: Router) -> Any:
    if policy.kind == "batch":
        raise UsageError(
            f"router {policy.name!r} chooses in Python for many lanes and cannot be compiled",
            fix="use it with wl.replay or wl.Environment",
        )
    from numba.core.errors import NumbaError, UnsupportedBytecodeError

    try:
        return compile_function(policy.function, policy.kind)
    except (NumbaError, UnsupportedBytecodeError, KeyError) as error:
        raise compile_error(policy.name, policy.function, error) from error


def named_and_needing(policy: Router) -> Router:
    """Return the router if its name and its needs can be.

    Raises:
        UsageError: they cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.\-]+", policy.name):
        raise UsageError(
            f"{policy.name!r} is no name for a router",
            where=policy.location,
            fix='name it: @wl.router(name="...") with letters, digits, "_", "-" and "."',
        )
    unknown = sorted(policy.reads - set(NEEDS))
    if unknown:
        raise UsageError(
            f"router {policy.name!r} needs {', '.join(unknown)}, which no trace can offer",
            fix=f"use {', '.join(NEEDS)}",
        )
    unknown = sorted((policy.signals or frozenset()) - set(INSTANCE_FIELDS))
    if unknown:
        raise UsageError(
            f"router {policy.name!r} reads {unknown[0]!r}, which no instance shows",
            fix=f"use {', '.join(INSTANCE_FIELDS)}",
        )
    if policy.index is not None and "prefix" not in policy.reads:
        raise UsageError(
            f"router {policy.name!r} keeps a prefix index but does not declare prefix",
            where=policy.location,
            fix='declare needs={"prefix"} or uses={"prefix"}',
        )
    return policy


def _known_to_read(function: Any, signals: frozenset[str]) -> list[str]:
    """Return which of the signals a function reads for sure: itself, or in what it calls if known."""
    own = signals & set(function.__code__.co_names)
    unknown = _may_read(function, frozenset())
    called = {name for name in signals if not unknown and _may_read(function, frozenset({name}))}
    return sorted(own | called)


def _checked(policy: Router) -> Router:
    """Return the router of a function if it can be one.

    Raises:
        UsageError: it cannot.
    """
    named_and_needing(policy)
    if policy.index is not None and _known_to_read(policy.function, frozenset({"cached_tokens"})):
        raise UsageError(
            f"router {policy.name!r} keeps a prefix index, so nobody tells it cached_tokens",
            where=policy.location,
            fix="read instance.indexed_tokens, or declare no index",
        )
    most = 3 if policy.kind == "score" else 4
    arity = arity_of(policy.function)
    if not 2 <= arity <= most:
        second = "instance, params" if policy.kind == "score" else "instances, params, memory"
        raise UsageError(
            f"router {policy.name!r} takes {arity} arguments",
            where=policy.location,
            fix=f"a {policy.kind} router takes 2 to {most}: (request, {second})",
        )
    read = _known_to_read(policy.function, ORACLE_FIELDS)
    if read and "oracle" not in policy.needs:
        raise UsageError(
            f"router {policy.name!r} reads {', '.join(read)}, the true output length",
            where=policy.location,
            fix='declare needs={"oracle"}, or read request.predicted_output_tokens',
        )
    return policy


@overload
def router(function: Callable[..., Any], /, **options: Any) -> Router: ...
@overload
def router(**options: Any) -> Callable[[Callable[..., Any]], Router]: ...
def router(  # type: ignore[misc]  # mypy would have each form list the keywords
    function: Callable[..., Any] | None = None,
    /,
    *,
    kind: Kind = "score",
    needs: Iterable[str] = (),
    uses: Iterable[str] = (),
    params: Mapping[str, float] | Iterable[float] = (),
    name: str | None = None,
    memory: Any = None,
    index: PrefixIndex | None = None,
    overwrites: bool = False,
    family: str = "user",
    formula: str = "",
    source: str = "",
) -> Router | Callable[[Callable[..., Any]], Router]:
    """Make a router of a plain function; without one, return what does.

    Args:
        function: (request, instance[, params]) -> score, or with kind="choose"
            (request, instances[, params[, memory]]) -> index or -1.
        kind: "score" or "choose".
        needs: any of "oracle", "session", "predicted_output", "prefix".
        uses: the same, for what the router can do without.
        params: starting values of `params`, by name or by place.
        name: defaults to the function's name.
        memory: the places in its memory that have names: see `memory_slots`.
        index: a PrefixIndex, if it guesses what is cached from what it sent; it then reads
            indexed_tokens.
        overwrites: a report makes it forget all that it has sent, also while the report travelled.
        family: what it is listed under.
        formula: the score or the choice, in one line.
        source: where the policy comes from.

    Raises:
        UsageError: a wrong kind or number of arguments, unknown needs, undeclared use of the truth.

    Example:
        >>> @router
        ... def emptiest(request, instance):
        ...     return instance.queued_tokens + 100 * instance.running
        >>> emptiest.name, emptiest.kind
        ('emptiest', 'score')
    """
    if kind not in ("score", "choose"):
        raise UsageError(f"unknown kind of router {kind!r}", fix='use "score" or "choose"')
    named = dict(params) if isinstance(params, Mapping) else {}
    if function is not None and not callable(function):
        raise UsageError(f"a router of {function!r}", fix="give a function of (request, instance)")

    def made(inner: Callable[..., Any]) -> Router:
        return _checked(
            Router(
                name=name or inner.__name__,
                function=inner,
                kind=kind,
                needs=frozenset(needs),
                uses=frozenset(uses),
                params=tuple(map(float, named.values() or params)),
                param_names=tuple(named),
                memory=memory,
                index=index,
                overwrites=overwrites,
                family=family,
                formula=formula,
                source=source,
            )
        )

    return made if function is None else made(function)
