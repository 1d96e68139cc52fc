"""Readers of what a caller gives: each returns a value, or refuses it by the argument's name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from workloadlab.errors import UsageError

__all__ = [
    "Reader",
    "listed",
    "members",
    "number",
    "numbers",
    "of_kind",
    "pairs",
    "share",
    "shown",
    "text",
    "truth",
    "whole",
    "whole_number",
    "whole_numbers",
    "words",
]

_T = TypeVar("_T")

Reader = Callable[[str, Any], Any]
"""Takes an argument's name and what was given."""

LONGEST = 60
"""So many signs of a value stand in a sentence."""


def number(argument: str, value: Any) -> float:
    """Return a number, also of text.

    Raises:
        UsageError: it is none.

    Example:
        >>> number("attain", "0.9")
        0.9
        >>> number("attain", [])
        Traceback (most recent call last):
        workloadlab.errors.UsageError: attain = [] is not a number
          fix: give one, such as 1 or 1.5
    """
    if type(value) is float:
        return value
    try:
        found = None if isinstance(value, (bool, bytes)) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None:
        raise UsageError(
            f"{argument} = {shown(value)} is not a number", fix="give one, such as 1 or 1.5"
        )
    return found


def truth(argument: str, value: Any) -> bool:
    """Return True or False; no word stands for them.

    Raises:
        UsageError: it is neither.

    Example:
        >>> truth("strict", False)
        False
    """
    if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
        raise UsageError(
            f"{argument} = {shown(value)} is neither True nor False", fix="give one of them"
        )
    return bool(value)


def text(argument: str, value: Any) -> str:
    """Return text.

    Raises:
        UsageError: it is none.

    Example:
        >>> text("name", 5)
        Traceback (most recent call last):
        workloadlab.errors.UsageError: name = 5 is no text
          fix: write it in quotes
    """
    if not isinstance(value, str):
        raise UsageError(f"{argument} = {shown(value)} is no text", fix="write it in quotes")
    return value


def of_kind(argument: str, value: Any, kind: str) -> Any:
    """Return an object of a class, which is known by its name.

    Raises:
        UsageError: it is of another.

    Example:
        >>> of_kind("count", 3, "int")
        3
    """
    if not any(each.__name__ == kind for each in type(value).__mro__):
        raise UsageError(f"{argument} = {shown(value)} is no {kind}", fix="give one")
    return value


def numbers(argument: str, value: Any) -> list[float]:
    """Return one number or several as a list.

    Raises:
        UsageError: one of them is none.

    Example:
        >>> numbers("rate_scale", 17), numbers("rate_scale", "1,2"), numbers("rate_scale", [1, "2"])
        ([17.0], [1.0, 2.0], [1.0, 2.0])
    """
    return [number(argument, each) for each in _several(value)]


def share(argument: str, value: Any) -> float:
    """Return a share, also of text, and of percent.

    Raises:
        UsageError: it is no number.

    Example:
        >>> share("attain", "99%"), share("attain", 0.5)
        (0.99, 0.5)
    """
    percent = isinstance(value, str) and value.strip().endswith("%")
    return number(argument, value.strip()[:-1]) / 100 if percent else number(argument, value)


def whole(argument: str, value: Any) -> int:
    """Return a whole number, also of text.

    Raises:
        UsageError: it is none.

    Example:
        >>> whole("seed", "3"), whole("seed", 2.0)
        (3, 2)
    """
    if type(value) is int:
        return value
    try:
        found = number(argument, value)
    except UsageError:
        found = math.nan
    if not math.isfinite(found) or found != int(found):
        raise UsageError(
            f"{argument} = {shown(value)} is not a whole number", fix="give one, such as 3"
        )
    return int(found)


def whole_number(argument: str, value: Any, least: int = 1) -> int:
    """Return a whole number from `least`, also of text.

    Raises:
        UsageError: it is none.

    Example:
        >>> whole_number("seeds", "3")
        3
        >>> whole_number("seeds", 1.5)
        Traceback (most recent call last):
        workloadlab.errors.UsageError: seeds = 1.5 is not a whole number from 1
          fix: give one, such as 3
    """
    try:
        found = whole(argument, value)
    except UsageError:
        found = least - 1
    if found < least:
        raise UsageError(
            f"{argument} = {shown(value)} is not a whole number from {least}",
            fix="give one, such as 3",
        )
    return found


def whole_numbers(argument: str, value: Any) -> list[int]:
    """Return one whole number from 1, or several, as a list.

    Raises:
        UsageError: one of them is none.

    Example:
        >>> whole_numbers("instances", "1,2"), whole_numbers("instances", 4)
        ([1, 2], [4])
    """
    return [whole_number(argument, each) for each in _several(value)]


def words(argument: str, value: Any) -> list[str]:
    """Return names: of one text, with commas between them, or of several.

    Raises:
        UsageError: neither is given.

    Example:
        >>> words("record", "steps, decisions"), words("record", ("steps",))
        (['steps', 'decisions'], ['steps'])
        >>> words("record", [5])
        Traceback (most recent call last):
        workloadlab.errors.UsageError: record = [5] names nothing
          fix: give a name, or a list of names
    """
    found = listed(argument, value)
    if not all(isinstance(each, str) for each in found):
        raise UsageError(
            f"{argument} = {shown(value)} names nothing", fix="give a name, or a list of names"
        )
    return found


def listed(argument: str, value: Any) -> list[Any]:
    """Return the names in a text, or what another list holds.

    Raises:
        UsageError: it is no list, nor text.

    Example:
        >>> listed("routers", "random, least_requests")
        ['random', 'least_requests']
        >>> listed("routers", 5)
        Traceback (most recent call last):
        workloadlab.errors.UsageError: routers = 5 is no list
          fix: give a name, or a list
    """
    if isinstance(value, str):
        return _parts(value)
    if isinstance(value, bytes) or not isinstance(value, Iterable):
        raise UsageError(f"{argument} = {shown(value)} is no list", fix="give a name, or a list")
    return list(value)


def members(argument: str, value: Any, kind: type[_T]) -> list[_T]:
    """Return objects of a kind: one, or what a list holds.

    Raises:
        UsageError: something else is among them.

    Example:
        >>> members("counts", 3, int), members("counts", [4], int)
        ([3], [4])
        >>> members("counts", None, int)
        Traceback (most recent call last):
        workloadlab.errors.UsageError: counts = None holds what is no int
          fix: give one, or a list of them
    """
    found = _several(value)
    if not all(isinstance(each, kind) for each in found):
        raise UsageError(
            f"{argument} = {shown(value)} holds what is no {kind.__name__}",
            fix="give one, or a list of them",
        )
    return found


def pairs(argument: str, value: Any, each: Reader | None = None) -> dict[str, Any]:
    """Return values by name; none where none are given.

    Args:
        argument: its name.
        value: a mapping, or None.
        each: what reads the values; None to leave them as they are.

    Raises:
        UsageError: it holds no values by name, a name is no text, or a value is refused.

    Example:
        >>> pairs("units", {"arrival": "ms"}), pairs("units", None)
        ({'arrival': 'ms'}, {})
        >>> pairs("units", {"arrival": 5}, text)
        Traceback (most recent call last):
        workloadlab.errors.UsageError: units['arrival'] = 5 is no text
          fix: write it in quotes
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise UsageError(
            f"{argument} = {shown(value)} holds no values by name", fix='write {"NAME": VALUE}'
        )
    if each is None:
        return dict(value)
    return {name: each(f"{argument}[{name!r}]", one) for name, one in value.items()}


def shown(value: Any) -> str:
    """Return what was given, cut where it is long."""
    said = repr(value)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."


def _parts(text: str) -> list[str]:
    """Return what stands between the commas of a text."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _several(value: Any) -> list[Any]:
    """Return what a text or a list holds; of anything else, itself alone."""
    if isinstance(value, str):
        return _parts(value)
    several = isinstance(value, Iterable) and not isinstance(value, bytes | Mapping)
    return list(value) if several and getattr(value, "ndim", 1) != 0 else [value]
