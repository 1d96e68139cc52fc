"""What a caller of a public function gives, checked where it comes in.

Text is read as the command line reads it: "1,2" are two numbers, "random, least_requests" two names.
What is neither is refused in a sentence that names the argument.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from workloadlab.errors import UsageError

__all__ = [
    "file_path",
    "legible",
    "listed",
    "members",
    "number",
    "numbers",
    "pairs",
    "whole_number",
    "whole_numbers",
    "words",
]

_T = TypeVar("_T")

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
    try:
        found = None if isinstance(value, bool | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None:
        raise UsageError(
            f"{argument} = {_shown(value)} is not a number", fix="give one, such as 1 or 1.5"
        )
    return found


def numbers(argument: str, value: Any) -> list[float]:
    """Return one number or several as a list.

    Raises:
        UsageError: one of them is none.

    Example:
        >>> numbers("rate_scale", 17), numbers("rate_scale", "1,2"), numbers("rate_scale", [1, "2"])
        ([17.0], [1.0, 2.0], [1.0, 2.0])
    """
    return [number(argument, each) for each in _several(value)]


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
        found = number(argument, value)
    except UsageError:
        found = math.nan
    if not least <= found < math.inf or found != int(found):
        raise UsageError(
            f"{argument} = {_shown(value)} is not a whole number from {least}",
            fix="give one, such as 3",
        )
    return int(found)


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
            f"{argument} = {_shown(value)} names nothing", fix="give a name, or a list of names"
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
        raise UsageError(f"{argument} = {_shown(value)} is no list", fix="give a name, or a list")
    return list(value)


def members(argument: str, value: Any, kind: type[_T]) -> list[_T]:
    """Return objects of a kind: one, or what a list holds.

    Raises:
        UsageError: something else is among them.

    Example:
        >>> members("paths", Path("a"), Path), members("paths", [Path("b")], Path)
        ([PosixPath('a')], [PosixPath('b')])
        >>> members("paths", 5, Path)
        Traceback (most recent call last):
        workloadlab.errors.UsageError: paths = 5 holds what is no Path
          fix: give a Path, or a list of them
    """
    found = _several(value)
    if not all(isinstance(each, kind) for each in found):
        raise UsageError(
            f"{argument} = {_shown(value)} holds what is no {kind.__name__}",
            fix=f"give a {kind.__name__}, or a list of them",
        )
    return found


def pairs(argument: str, value: Any) -> dict[Any, Any]:
    """Return values by name; none where none are given.

    Raises:
        UsageError: it holds no values by name.

    Example:
        >>> pairs("units", {"arrival": "ms"}), pairs("units", None)
        ({'arrival': 'ms'}, {})
    """
    if value is None or isinstance(value, Mapping):
        return dict(value or {})
    raise UsageError(
        f"{argument} = {_shown(value)} holds no values by name", fix='write {"NAME": VALUE}'
    )


def file_path(argument: str, value: Any, *, else_: str = "") -> Path:
    """Return a path.

    Args:
        argument: its name.
        value: text or a path.
        else_: what may be given besides.

    Raises:
        UsageError: it is neither, or its name is no text.

    Example:
        >>> file_path("cluster", None, else_="a Cluster")
        Traceback (most recent call last):
        workloadlab.errors.UsageError: cluster = None is no path
          fix: give a path, or a Cluster
    """
    if isinstance(value, str | Path):
        return legible(Path(value))
    fix = f"give a path, or {else_}" if else_ else "give a path"
    raise UsageError(f"{argument} = {_shown(value)} is no path", fix=fix)


def legible(path: Path) -> Path:
    r"""Return a path, if its name is text; polars and DuckDB open no other.

    Raises:
        UsageError: its bytes are no UTF-8.

    Example:
        >>> legible(Path("b\udce9d.csv"))
        Traceback (most recent call last):
        workloadlab.errors.UsageError: b\xe9d.csv: its name is not text in UTF-8
          fix: rename it, or the folder that it lies in
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        said = str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise UsageError(
            "its name is not text in UTF-8",
            where=said,
            fix="rename it, or the folder that it lies in",
        ) from None
    return path


def _parts(text: str) -> list[str]:
    """Return what stands between the commas of a text."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _several(value: Any) -> list[Any]:
    """Return what a text or a list holds; of anything else, itself alone."""
    if isinstance(value, str):
        return _parts(value)
    several = isinstance(value, Iterable) and not isinstance(value, bytes | Mapping)
    return list(value) if several and getattr(value, "ndim", 1) != 0 else [value]


def _shown(value: Any) -> str:
    """Return what was given, cut where it is long."""
    said = repr(value)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
