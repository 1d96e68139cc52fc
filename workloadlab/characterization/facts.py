"""Facts are frozen dataclasses; here they become plain JSON data, which `shapes.build` reads back."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from workloadlab.shapes import build

__all__ = ["Finding", "Unsupported", "to_plain"]

_NUMBERS = dict[str, Any]


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

    @classmethod
    def from_plain(cls, facts: dict[str, Any], place: str) -> Finding:
        """Read what `to_plain` made of a finding."""
        head = {name: facts.get(name) for name in ("code", "severity", "message")}
        numbers = {key: value for key, value in facts.items() if key not in head}
        return cls(**build(dict[str, str], head, place), numbers=build(_NUMBERS, numbers, place))


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
