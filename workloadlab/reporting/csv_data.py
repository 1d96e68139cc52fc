"""The data of a figure as CSV, for whoever wants to draw it again."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from workloadlab.characterization.facts import to_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.reporting.facts import Drawing

__all__ = ["csv_of"]

POINT = ("x", "y", "low", "high")
FORMULA = ("=", "+", "-", "@", "\t")
"""First signs of a text that a spreadsheet would run."""


def csv_of(drawing: Drawing) -> str:
    """Return one row per point, with what the figure says of its line in the columns before.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Two:
        ...     goal: float
        ...     curves: tuple
        >>> print(csv_of(Two(0.9, ({"label": "a", "points": ((1, 2.5), (2, 3))},))))
        goal,part,label,x,y
        0.9,curves,a,1,2.5
        0.9,curves,a,2,3
        <BLANKLINE>
    """
    rows = list(_rows(to_plain(drawing), {}))
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _rows(data: Any, above: dict[str, Any], part: str = "") -> Iterator[dict[str, Any]]:
    """Expand lists into rows; plain values beside a list stand in each of its rows."""
    if isinstance(data, dict):
        plain = {key: value for key, value in data.items() if not isinstance(value, list | dict)}
        own = above | {key: value for key, value in plain.items() if value is not None}
        nested = [(key, value) for key, value in data.items() if isinstance(value, list | dict)]
        if not any(value for _, value in nested):
            yield own
        for key, value in nested:
            inner = own if part and key == "points" else own | {"part": key}
            yield from _rows(value, inner, key)
    elif isinstance(data, list):
        for place, each in enumerate(data):
            yield from _item(each, above, part, place)


def _item(each: Any, above: dict[str, Any], part: str, place: int) -> Iterator[dict[str, Any]]:
    """Expand one item of a list: a point, a line of a matrix, a number, or something with names."""
    if isinstance(each, dict):
        yield from _rows(each, above, part)
    elif isinstance(each, list) and len(each) <= len(POINT):
        yield above | dict(zip(POINT, each, strict=False))
    elif isinstance(each, list):
        for column, value in enumerate(each):
            yield above | {"row": place, "place": column, "value": value}
    else:
        yield above | {"place": place, "value": each}


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
