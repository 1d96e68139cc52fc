"""The arguments of a function, read by its annotations."""

from __future__ import annotations

import re
from functools import partial, wraps
from inspect import Parameter, isfunction, signature
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, TypeVar, cast

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

__all__ = ["CALLER", "checked"]

CALLER = 4
"""The stack level of who called a checked function, seen from one that it calls to warn."""

_T = TypeVar("_T")

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


def checked(what: _T) -> _T:
    """Let a function, or each public method of a class, read what it is given by its annotations.

    Truths, numbers, text, lists and mappings of these, and objects of one class are read, or refused by
    a UsageError that names the argument; None passes where the annotation has it. Other annotations are
    the function's own affair. A name that is none of its arguments is refused too. The `__init__` that a
    dataclass is given is left alone.

    Example:
        >>> @checked
        ... def greet(name: "str", *, loud: "bool" = False) -> str:
        ...     return name.upper() if loud else name
        >>> greet("you", loud="no")
        Traceback (most recent call last):
        workloadlab.errors.UsageError: loud = 'no' is neither True nor False
          fix: give one of them
    """
    if not isinstance(what, type):
        return cast("_T", _checked(cast("Callable[..., Any]", what)))
    made = getattr(getattr(what, "__dataclass_params__", None), "init", False)
    for name, member in vars(what).copy().items():
        public = not name.startswith("_") or (name == "__init__" and not made)
        if public and isinstance(member, classmethod | staticmethod):
            setattr(what, name, type(member)(_checked(member.__func__)))
        elif public and isfunction(member):
            setattr(what, name, _checked(member))
    return what


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    parameters = signature(function).parameters.values()
    readers = {each.name: reader for each in parameters if (reader := _reader(each))}
    kinds = {each.kind for each in parameters}
    known = {each.name for each in parameters} - {"self", "cls"}
    in_order = [each.name for each in parameters if each.kind is not Parameter.KEYWORD_ONLY]
    rest = in_order[-1:] if Parameter.VAR_POSITIONAL in kinds else [""]
    if not readers:
        return function

    @wraps(function)
    def begin(*args: Any, **kwargs: Any) -> Any:
        strange = (
            [] if Parameter.VAR_KEYWORD in kinds else [name for name in kwargs if name not in known]
        )
        if strange:
            raise UsageError(
                f"{function.__qualname__} has no argument {strange[0]!r}",
                fix=did_you_mean(strange[0], known),
            )
        found = zip(chain(in_order, repeat(*rest)), args, strict=False)
        return function(
            *(_read(readers, name, value) for name, value in found),
            **{name: _read(readers, name, value) for name, value in kwargs.items()},
        )

    return begin


def _read(readers: dict[str, Reader], name: str, value: Any) -> Any:
    reader = readers.get(name)
    return reader(name, value) if reader else value


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
