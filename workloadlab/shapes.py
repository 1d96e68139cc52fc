"""Builds typed facts, dataclasses above all, from plain JSON data, and says where it does not fit."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

__all__ = ["ShapeError", "build"]

LARGEST_INTEGER = 2**64


class ShapeError(ValueError):
    """Plain data without the shape of a type; its text names the place and the value."""


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
    if kind is Any:
        return value
    outer, inner = get_origin(kind), get_args(kind)
    if outer in (Union, UnionType):
        return _one_of(inner, value, place)
    if outer is Literal:
        return _needs(value in inner, value, place, f"one of {', '.join(map(str, inner))}")
    if hasattr(kind, "from_plain"):
        return kind.from_plain(_needs(isinstance(value, dict), value, place, "an object"), place)
    if is_dataclass(kind) and isinstance(kind, type):
        return _object(kind, value, place)
    if (outer or kind) is dict:
        _needs(isinstance(value, dict), value, place, "an object")
        of = inner[1] if inner else Any
        return {
            key: build(of, item, f"{place}.{key}" if place else key) for key, item in value.items()
        }
    if (outer or kind) in (list, tuple):
        _needs(isinstance(value, list | tuple), value, place, "a list")
        return (outer or kind)(_items(inner, value, place))
    return _scalar(kind, value, place)


def _items(inner: tuple[Any, ...], values: Any, place: str) -> list[Any]:
    fixed = len(inner) > 1 and inner[-1] is not Ellipsis
    if fixed:
        _needs(len(values) == len(inner), values, place, f"a list of {len(inner)}")
    kinds = inner if fixed else ((inner[0] if inner else Any),) * len(values)
    return [
        build(of, item, f"{place}[{k}]")
        for k, (of, item) in enumerate(zip(kinds, values, strict=True))
    ]


def _object(kind: type, value: Any, place: str) -> Any:
    _needs(isinstance(value, dict), value, place, "an object")
    hints, given = _hints(kind), {}
    for field in fields(kind):
        inside = f"{place}.{field.name}" if place else field.name
        if field.name in value:
            given[field.name] = build(hints[field.name], value[field.name], inside)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ShapeError(f"{inside} is missing")
    return kind(**given)


_hints = cache(get_type_hints)


def _one_of(kinds: tuple[Any, ...], value: Any, place: str) -> Any:
    if value is None and NoneType in kinds:
        return None
    failed = None
    for kind in kinds:
        if kind is not NoneType:
            try:
                return build(kind, value, place)
            except ShapeError as error:
                failed = failed or error
    raise failed or ShapeError(f"{place} is {str(value)[:40]!r}, not null")


def _scalar(kind: Any, value: Any, place: str) -> Any:
    if kind is float:
        whole = isinstance(value, int) and not isinstance(value, bool)
        number = (whole and abs(value) < LARGEST_INTEGER) or isinstance(value, float)
        return _needs(number and abs(value) < float("inf"), value, place, "a number")
    if kind is int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return _needs(whole and abs(value) < LARGEST_INTEGER, value, place, "a whole number")
    words = {str: "text", bool: "true or false", NoneType: "null"}
    if kind in words:
        return _needs(isinstance(value, kind), value, place, words[kind])
    return value


def _needs(fits: bool, value: Any, place: str, wanted: str) -> Any:
    if not fits:
        raise ShapeError(f"{place or 'it'} is {_shown(value)}, not {wanted}")
    return value


def _shown(value: Any) -> str:
    """Return a value, short; a number of thousands of digits has no text."""
    if isinstance(value, int) and abs(value) >= LARGEST_INTEGER:
        return "a number of more than 19 digits"
    return repr(value)[:60] if not isinstance(value, dict | list | tuple) else type(value).__name__
