"""Where records may lie in what is around them: an answer's list, a shipper's field, a map by name."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from workloadlab.ingestion.parsing.columnar import rows_of
from workloadlab.ingestion.parsing.json import LINE, opened_text
from workloadlab.ingestion.parsing.logfmt import is_logfmt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

__all__ = ["CROWD", "elsewhere", "inner_ways"]

DEPTH = 3
CROWD = 3
"""So many objects of one kind are no accident."""


def inner_ways(values: Sequence[Any]) -> tuple[str, ...]:
    """Return the ways to what may be records in the values, as `records` of a format says them.

    Example:
        >>> inner_ways([{"data": [{"n": 1}], "page": {"size": 9}}])
        ('data[]', 'page')
        >>> inner_ways([{"a": {"n": 1}, "b": {"n": 2}}])
        ('*', '=')
        >>> inner_ways([{"at": [1, 2], "n": [7, 9]}])
        ('=',)
    """
    found = [value for value in values if isinstance(value, dict)]
    if len(found) == 1:
        tabled = ("=",) if rows_of(found[0]) else ()
        if way := (("*",) if _alike(list(found[0].values())) else ()) + tabled:
            return way
    return tuple(dict.fromkeys(way for value in found for way in _ways(value, DEPTH)))


def elsewhere(values: Sequence[Any], way: str, names: AbstractSet[str]) -> int:
    """Count objects of one kind that look like requests, and do not lie on the way to a document's.

    Args:
        values: the records of a file.
        way: that is gone to the requests; "" where the document is taken for one.
        names: keys of which a request has one, or an object in it.

    Example:
        >>> one, other = {"at": 1, "n": 2}, {"size": 9, "at": 1}
        >>> elsewhere([{"data": [one] * 3, "more": [one] * 2, "page": other}], "data[]", {"n"})
        2
        >>> elsewhere([{"a": one, "b": one, "c": one, "page": other}], "", {"n"})
        3
    """
    if len(values) != 1 or not isinstance(values[0], dict):
        return 0
    kinds: dict[frozenset[str], Counter[str]] = {}
    for place, held in _objects(values[0], ""):
        if names & _keys(held):
            kinds.setdefault(frozenset(held), Counter())[place] += 1
    crowds = [places for places in kinds.values() if places.total() >= CROWD]
    return sum(places.total() - places[way] for places in crowds)


def _keys(held: dict[str, Any]) -> set[str]:
    inner = [value for value in held.values() if isinstance(value, dict)]
    parts = (held, *inner) if len(inner) <= CROWD else (held,)
    return {key.lower() for part in parts for key in part}


def _objects(value: dict[str, Any], above: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, inner in value.items():
        if isinstance(inner, list):
            yield from ((f"{above}{key}[]", item) for item in inner if isinstance(item, dict))
        elif isinstance(inner, dict):
            yield f"{above}*", inner
            if not above:
                yield from _objects(inner, f"{key}.")


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
            if depth > 1:
                inside = _ways(inner[0], 1)
                yield from (f"{key}[].{way}" for way in inside if way.endswith(("[]", LINE)))
        elif isinstance(inner, list) and inner and _is_line(inner[0]):
            yield f"{key}[].{LINE}"
        elif isinstance(inner, str) and _is_record(inner):
            yield key
            told = opened_text(inner.lstrip())
            if depth > 1 and isinstance(told, dict):
                yield from (f"{key}.{way}" for way in _ways(told, 1) if way.endswith("[]"))
        elif isinstance(inner, dict) and inner:
            if rows_of(inner):
                yield f"{key}.="
            yield key
            if depth > 1:
                yield from (f"{key}.{way}" for way in _ways(inner, depth - 1))


def _is_record(text: str) -> bool:
    return text.lstrip()[:1] == "{" or is_logfmt(text)


def _is_line(entry: Any) -> bool:
    """Say whether this is a moment and a line with a record, as Loki hands them out."""
    if not isinstance(entry, list) or len(entry) < 2:
        return False
    return all(isinstance(part, str) for part in entry[:2]) and _is_record(entry[1])
