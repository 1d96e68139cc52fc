"""Facts are frozen dataclasses; here they become plain JSON data and come back."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

__all__ = ["Finding", "Unsupported", "from_plain", "to_plain"]


@dataclass(frozen=True)
class Unsupported:
    """Stands where a topic would be that the trace cannot support.

    Attributes:
        unsupported: the reason, as a sentence.
    """

    unsupported: str


@dataclass(frozen=True)
class Finding:
    """Something a reader must know before trusting a statistic.

    Attributes:
        code: stable name, such as `clock_tick`.
        severity: `warning` where a statistic may mislead, else `info`.
        message: the finding as a sentence.
        numbers: what the sentence says, by name; beside `code` in the JSON, not below it.
    """

    code: str
    severity: str
    message: str
    numbers: dict[str, Any]


def to_plain(value: Any) -> Any:
    """Return nested dataclasses, mappings and tuples as dicts, lists and scalars.

    Example:
        >>> to_plain((Unsupported("no outputs"), Finding("holes", "info", "One.", {"holes": 1})))[1]
        {'code': 'holes', 'severity': 'info', 'message': 'One.', 'holes': 1}
    """
    if isinstance(value, Finding):
        numbers = {key: to_plain(number) for key, number in value.numbers.items()}
        head = {"code": value.code, "severity": value.severity, "message": value.message}
        return head | numbers
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: Any, value: Any) -> Any:
    """Build a value of type `kind` from what `to_plain` returned; unknown keys are dropped.

    Raises:
        KeyError, TypeError, AttributeError: the data does not have the shape of `kind`.

    Example:
        >>> from_plain(Unsupported, {"unsupported": "no outputs", "later": 1})
        Unsupported(unsupported='no outputs')
    """
    if get_origin(kind) in (Union, UnionType):
        kind = _choose(get_args(kind), value)
    if value is None or kind is Any:
        return value
    if kind is Finding:
        numbers = dict(value)
        code, severity, message = (numbers.pop(key) for key in ("code", "severity", "message"))
        return Finding(code, severity, message, numbers)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{f.name: from_plain(hints[f.name], value[f.name]) for f in fields(kind)})
    arguments = get_args(kind)
    if get_origin(kind) is tuple:
        return tuple(from_plain(arguments[0], item) for item in value)
    if get_origin(kind) is dict:
        return {key: from_plain(arguments[1], item) for key, item in value.items()}
    return value


def _choose(kinds: tuple[Any, ...], value: Any) -> Any:
    if Unsupported in kinds and isinstance(value, dict) and "unsupported" in value:
        return Unsupported
    return next(kind for kind in kinds if kind not in (NoneType, Unsupported))
