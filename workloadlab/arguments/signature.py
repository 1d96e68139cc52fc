"""The arguments of a function, read by its annotations."""

from __future__ import annotations

import re
from functools import partial, wraps
from inspect import Parameter, signature
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from workloadlab.arguments.values import (
    Reader,
    number,
    numbers,
    of_kind,
    pairs,
    text,
    truth,
    whole,
    whole_numbers,
    words,
)
from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["checked"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

READERS: dict[str, Reader] = {
    "bool": truth,
    "int": whole,
    "float": number,
    "str": text,
    "Literal": text,
    "Floats": partial(of_kind, kind="ndarray"),
    "Keep": text,
    "Sessions": text,
    "Sequence[int]": whole_numbers,
    "Sequence[float]": numbers,
    "Sequence[str]": words,
}
"""By annotation; `Iterable[...]` is read as `Sequence[...]`."""

_BY_NAME = re.compile(r"(?:Mapping|dict)\[str, (\w+)\]")
_CLASS = re.compile(r"(?!Any)[A-Z]\w+")


def checked(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Read what a function is given by its annotations, before it begins.

    Truths, numbers, text, lists and mappings of these, and objects of one class are read, or refused by
    a UsageError that names the argument; None passes where the annotation has it. Other annotations are
    the function's own affair. A name that is none of its arguments is refused too.

    Example:
        >>> @checked
        ... def greet(name: "str", *, loud: "bool" = False) -> str:
        ...     return name.upper() if loud else name
        >>> greet("you", loud="no")
        Traceback (most recent call last):
        workloadlab.errors.UsageError: loud = 'no' is neither True nor False
          fix: give one of them
    """
    parameters = signature(function).parameters.values()
    readers = {each.name: reader for each in parameters if (reader := _reader(each))}
    in_order = [each.name for each in parameters if each.kind is not Parameter.KEYWORD_ONLY]
    open_ended = any(each.kind is Parameter.VAR_KEYWORD for each in parameters)
    known = {each.name for each in parameters}
    rest = [each.name for each in parameters if each.kind is Parameter.VAR_POSITIONAL]

    def read(name: str, value: Any) -> Any:
        reader = readers.get(name)
        return reader(name, value) if reader else value

    @wraps(function)
    def begin(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        for name in kwargs if not open_ended else ():
            if name not in known:
                raise UsageError(
                    f"{function.__qualname__} has no argument {name!r}",
                    fix=did_you_mean(name, known - {"self", "cls"}),
                )
        names = chain(in_order, repeat(rest[0] if rest else ""))
        found: Any = [read(name, value) for name, value in zip(names, args, strict=False)]
        named: Any = {name: read(name, value) for name, value in kwargs.items()}
        return function(*found, **named)

    return begin


def _reader(parameter: Parameter) -> Reader | None:
    """Return what reads a parameter; None for one of a type that is not known here."""
    said = parameter.annotation
    if not isinstance(said, str) or parameter.kind is Parameter.VAR_KEYWORD:
        return None
    kind = said.strip("\"'").removesuffix(" | None").replace("Iterable[", "Sequence[")
    by_name = _BY_NAME.fullmatch(kind)
    if by_name:
        reader: Reader | None = partial(pairs, each=_of(by_name[1]))
    else:
        reader = _of("Literal" if re.fullmatch(r"Literal\[[^\]]*\]", kind) else kind)
    return partial(_or_none, reader=reader) if reader and said.endswith(" | None") else reader


def _of(kind: str) -> Reader | None:
    known = READERS.get(kind)
    return partial(of_kind, kind=kind) if known is None and _CLASS.fullmatch(kind) else known


def _or_none(argument: str, value: Any, *, reader: Reader) -> Any:
    return None if value is None else reader(argument, value)
