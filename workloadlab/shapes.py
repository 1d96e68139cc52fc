"""Builds typed facts, dataclasses above all, from plain JSON data, and says where it does not fit."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from itertools import repeat
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Reader = Callable[[Any], Any]

__all__ = ["ShapeError", "build"]

LARGEST_INTEGER = 2**64


class ShapeError(ValueError):
    """Plain data without the shape of a type; its text names the place and the value.

    Attributes:
        what: what is wrong there.
        place: where in the data.
    """

    def __init__(self, what: str, place: str = "") -> None:
        super().__init__(what)
        self.what, self.place = what, place

    def within(self, place: str) -> ShapeError:
        """Return the error as one of data that lies at a place of other data."""
        dot = "." if place and self.place and not self.place.startswith("[") else ""
        return ShapeError(self.what, f"{place}{dot}{self.place}")

    def __str__(self) -> str:
        return f"{self.place or 'it'} {self.what}"


def build(kind: Any, value: Any, place: str = "") -> Any:
    """Return plain data as a value of type `kind`; keys that a dataclass lacks are dropped.

    A class that reads its own plain form has a method `from_plain`.

    Args:
        kind: a dataclass, a built-in, or what these are made into by list, tuple, dict, Literal and |.
        value: what a JSON reader returns.
        place: what the value is, for the error.

    Raises:
        ShapeError: it does not fit.

    Example:
        >>> build(dict[str, tuple[int, ...]], {"a": [1, 2]})
        {'a': (1, 2)}
        >>> build(list[float], [1, "x"], "shares")
        Traceback (most recent call last):
        ...
        workloadlab.shapes.ShapeError: shares[1] is 'x', not a number
    """
    try:
        return _reader(kind)(value)
    except ShapeError as error:
        raise error.within(place) from None


def _reader(kind: Any) -> Reader:
    """Return what reads values of a type; made once for all values of a class."""
    if kind is Any:
        return lambda value: value
    outer, inner = get_origin(kind), get_args(kind)
    if outer in (Union, UnionType):
        return _one_of(inner)
    if outer is Literal:
        words = f"one of {', '.join(map(str, inner))}"
        return lambda value: _needs(value in inner, value, words)
    if isinstance(kind, type) and (is_dataclass(kind) or hasattr(kind, "from_plain")):
        return _object(kind)
    if (outer or kind) is dict:
        return _dict(_reader(inner[1] if inner else Any))
    if (outer or kind) in (list, tuple):
        fixed = len(inner) > 1 and inner[-1] is not Ellipsis
        return _fixed(outer, inner) if fixed else _items(outer or kind, inner[0] if inner else Any)
    return _SCALARS.get(kind, lambda value: value)


@cache
def _object(kind: type) -> Reader:
    """Return what reads a class; its fields are looked at when the first value is there."""
    own: Callable[[dict[str, Any], str], Any] | None = getattr(kind, "from_plain", None)
    readers: list[tuple[str, Reader, bool]] = []

    def prepare() -> None:
        hints = get_type_hints(kind)
        for field in fields(kind):
            needed = field.default is MISSING and field.default_factory is MISSING
            readers.append((field.name, _reader(hints[field.name]), needed))

    def read(value: Any) -> Any:
        _needs(isinstance(value, dict), value, "an object")
        if own:
            return own(value, "")
        if not readers:
            prepare()
        given = {}
        for name, reader, needed in readers:
            if name in value:
                try:
                    given[name] = reader(value[name])
                except ShapeError as error:
                    raise error.within(name) from None
            elif needed:
                raise ShapeError("is missing", name)
        return kind(**given)

    return read


def _dict(reader: Reader) -> Reader:
    def read(value: Any) -> dict[str, Any]:
        _needs(isinstance(value, dict), value, "an object")
        found, key = {}, ""
        try:
            for key, item in value.items():
                found[key] = reader(item)
        except ShapeError as error:
            raise error.within(key) from None
        return found

    return read


def _items(kind: Any, of: Any) -> Reader:
    """Return what reads a list or a tuple of any length."""
    reader = _reader(of)
    return lambda value: kind(_each(repeat(reader), _list(value)))


def _fixed(kind: Any, inner: tuple[Any, ...]) -> Reader:
    """Return what reads a list or a tuple of so many values."""
    readers = [_reader(of) for of in inner]

    def read(value: Any) -> Any:
        _needs(len(_list(value)) == len(inner), value, f"a list of {len(inner)}")
        return kind(_each(readers, value))

    return read


def _list(value: Any) -> Any:
    return _needs(isinstance(value, list | tuple), value, "a list")


def _each(readers: Iterable[Reader], values: Any) -> list[Any]:
    found: list[Any] = []
    try:
        for reader, item in zip(readers, values, strict=False):
            found.append(reader(item))
    except ShapeError as error:
        raise error.within(f"[{len(found)}]") from None
    return found


def _one_of(kinds: tuple[Any, ...]) -> Reader:
    readers = [_reader(kind) for kind in kinds if kind is not NoneType]
    may_be_null = NoneType in kinds

    def read(value: Any) -> Any:
        if value is None and may_be_null:
            return None
        first = None
        for reader in readers:
            try:
                return reader(value)
            except ShapeError as error:
                first = first or error
        raise first or ShapeError(f"is {str(value)[:40]!r}, not null")

    return read


def _number(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    number = (whole and abs(value) < LARGEST_INTEGER) or isinstance(value, float)
    return _needs(number and abs(value) < float("inf"), value, "a number")


def _whole_number(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return _needs(whole and abs(value) < LARGEST_INTEGER, value, "a whole number")


_SCALARS: dict[Any, Reader] = {
    float: _number,
    int: _whole_number,
    str: lambda value: _needs(isinstance(value, str), value, "text"),
    bool: lambda value: _needs(isinstance(value, bool), value, "true or false"),
    NoneType: lambda value: _needs(value is None, value, "null"),
}


def _needs(fits: bool, value: Any, wanted: str) -> Any:
    if not fits:
        raise ShapeError(f"is {_shown(value)}, not {wanted}")
    return value


def _shown(value: Any) -> str:
    """Return a value, short; a number of thousands of digits has no text."""
    if isinstance(value, int) and abs(value) >= LARGEST_INTEGER:
        return "a number of more than 19 digits"
    return repr(value)[:60] if not isinstance(value, dict | list | tuple) else type(value).__name__
