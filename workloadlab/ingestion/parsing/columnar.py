"""Tables that a JSON document writes by column, or as lists of values beside a list of names."""

from __future__ import annotations

from typing import Any

__all__ = ["rows_of"]


def rows_of(value: Any) -> list[dict[str, Any]] | None:
    """Return the rows of a table in a JSON object; None if it is none.

    Pandas writes one by column (`orient="columns"`) or with the names apart (`"split"`), polars and
    plain Python by lists, ClickHouse with `meta`.

    Example:
        >>> rows_of({"n": {"0": 7, "1": 9}, "m": {"0": 1, "1": 2}})
        [{'n': 7, 'm': 1}, {'n': 9, 'm': 2}]
        >>> rows_of({"columns": ["n", "m"], "index": [0], "data": [[7, 1]]})
        [{'n': 7, 'm': 1}]
        >>> rows_of({"n": [7, 9], "m": [1, 2]})
        [{'n': 7, 'm': 1}, {'n': 9, 'm': 2}]
    """
    if not isinstance(value, dict):
        return None
    names = _names(value)
    if names and _lists(value.get("data")):
        return [dict(zip(names, row, strict=False)) for row in value["data"]]
    columns = list(value.values())
    if len(columns) < 2 or not columns[0]:
        return None
    if all(isinstance(each, dict) and each.keys() == columns[0].keys() for each in columns):
        columns = [list(each.values()) for each in columns]
    if not _lists(columns) or any(len(each) != len(columns[0]) for each in columns):
        return None
    if any(isinstance(cell, dict) for each in columns for cell in each[:3]):
        return None
    return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]


def _names(value: dict[str, Any]) -> list[str]:
    """Return the names that stand apart from the values."""
    said = value.get("columns") or value.get("meta")
    if not isinstance(said, list):
        return []
    found = [each.get("name") if isinstance(each, dict) else each for each in said]
    return [each for each in found if isinstance(each, str)]


def _lists(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, list) for each in value)
