"""Where records may lie in what is around them: an answer's list, a shipper's field, a map by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["inner_ways"]

DEPTH = 2


def inner_ways(values: Sequence[Any]) -> tuple[str, ...]:
    """Return the ways to what may be records in the values, as `records` of a format says them.

    Example:
        >>> inner_ways([{"data": [{"n": 1}], "page": {"size": 9}}])
        ('data[]', 'page')
        >>> inner_ways([{"a": {"n": 1}, "b": {"n": 2}}])
        ('*',)
    """
    found = [value for value in values if isinstance(value, dict)]
    if len(found) == 1 and _alike(list(found[0].values())):
        return ("*",)
    return tuple(dict.fromkeys(way for value in found for way in _ways(value, DEPTH)))


def _alike(values: list[Any]) -> bool:
    """Say whether values are objects of one kind."""
    if len(values) < 2 or not all(isinstance(value, dict) and value for value in values):
        return False
    shared = set(values[0]).intersection(*values[1:])
    return 2 * len(shared) > max(map(len, values))


def _ways(value: dict[str, Any], depth: int) -> Iterator[str]:
    for key, inner in value.items():
        if "." in key or "[" in key or key == "*":
            continue
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            yield f"{key}[]"
        elif isinstance(inner, str) and inner.lstrip()[:1] == "{":
            yield key
        elif isinstance(inner, dict) and inner:
            yield key
            if depth > 1:
                yield from (f"{key}.{way}" for way in _ways(inner, depth - 1))
