"""What commas and points mean in the numbers of a column: decimals or thousands.

`1,204` and `1.204` are each two numbers, by who wrote them. Other numbers of the column tell (`0,142`
has a decimal comma, `1.204.000` has points for thousands), then those of the other columns.
"""

from __future__ import annotations

import re
from enum import Flag, auto
from typing import TYPE_CHECKING

from workloadlab.ingestion.parsing.values import GROUPED, MARKS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

__all__ = ["Seen", "continental", "english", "plain", "seen"]


class Seen(Flag):
    """What some numbers show."""

    NOTHING = 0
    DECIMAL_COMMA = auto()
    GROUPING_COMMA = auto()
    SOME_COMMA = auto()
    DECIMAL_POINT = auto()
    GROUPING_POINT = auto()
    SOME_POINT = auto()
    ROUND_POINT = auto()
    """`1.000`: a thousand, or one with three decimals."""
    BARE = auto()


_END = r"([eE][+-]?\d+)?(\s*[a-zµ]{1,4})?"
_SHAPES = tuple(
    (re.compile(pattern), what)
    for pattern, what in (
        (r"[+-]?\d{1,3}(\.\d{3})+,\d+" + _END, Seen.DECIMAL_COMMA | Seen.GROUPING_POINT),
        (r"[+-]?\d{1,3}(,\d{3})+\.\d+" + _END, Seen.DECIMAL_POINT | Seen.GROUPING_COMMA),
        (r"[+-]?((0|\d{4,}),\d+|\d+,(\d{1,2}|\d{4,}))" + _END, Seen.DECIMAL_COMMA),
        (r"[+-]?((0|\d{4,})\.\d+|\d+\.(\d{1,2}|\d{4,}))" + _END, Seen.DECIMAL_POINT),
        (r"[+-]?\d{1,3}(,\d{3}){2,}", Seen.GROUPING_COMMA),
        (r"[+-]?\d{1,3}(\.\d{3}){2,}", Seen.GROUPING_POINT),
        (r"[+-]?\d{1,3},\d{3}", Seen.SOME_COMMA),
        (r"[+-]?\d{1,3}\.000", Seen.ROUND_POINT),
        (r"[+-]?\d{1,3}\.\d{3}", Seen.SOME_POINT),
        (r"[+-]?\d+", Seen.BARE),
    )
)
_POINTS = r"^[+-]?\d{1,3}(\.\d{3})+(,\d+)?$"
_COMMA = r"^([+-]?\d+),(\d+(?:[eE][+-]?\d+)?(?:\s*[a-zµ]{1,4})?)$"


def seen(texts: Iterable[str]) -> Seen:
    """Return what the numbers among texts show.

    Example:
        >>> seen(["0,142", "x"]) == Seen.DECIMAL_COMMA
        True
        >>> seen(["1,204", "90"]) == Seen.SOME_COMMA | Seen.BARE
        True
    """
    found = Seen.NOTHING
    for text in texts:
        found |= next((what for shape, what in _SHAPES if shape.fullmatch(text)), Seen.NOTHING)
    return found


def continental(own: Seen, others: Seen, *, whole: bool) -> bool | None:
    """Say whether a column has a comma before decimals and points between thousands; None if unclear.

    Args:
        own: what the column shows.
        others: what all columns show.
        whole: whether it holds whole numbers, which have no decimals.
    """
    if own & (Seen.DECIMAL_COMMA | Seen.DECIMAL_POINT | Seen.GROUPING_COMMA | Seen.GROUPING_POINT):
        return bool(own & Seen.DECIMAL_COMMA) or not own & (
            Seen.DECIMAL_POINT | Seen.GROUPING_COMMA
        )
    european = bool(others & (Seen.DECIMAL_COMMA | Seen.GROUPING_POINT))
    if own & (Seen.SOME_POINT | Seen.ROUND_POINT):
        return european or (whole and bool(own & (Seen.SOME_POINT | Seen.BARE)))
    if not own & Seen.SOME_COMMA or whole or own & Seen.BARE:
        return False
    anglo = bool(others & (Seen.DECIMAL_POINT | Seen.GROUPING_COMMA))
    return None if european == anglo else european


def english(text: pl.Series) -> pl.Series:
    """Write numbers with a decimal comma with a point, and without points between thousands.

    Example:
        >>> import polars as pl
        >>> english(pl.Series(["0,45", "1.234", "1.234,5", "2,5 s", "a,b"])).to_list()
        ['0.45', '1234', '1234.5', '2.5 s', 'a,b']
    """
    bare = text.str.strip_chars()
    grouped = bare.str.contains(_POINTS).fill_null(value=False)
    return bare.zip_with(~grouped, bare.str.replace_all(".", "", literal=True)).str.replace(
        _COMMA, "$1.$2"
    )


def plain(text: pl.Series, *, comma: bool) -> pl.Series:
    """Write numbers as Python does; `comma` says that they are continental."""
    text = english(text) if comma else text
    grouped = text.str.strip_chars().str.contains(GROUPED).fill_null(value=False)
    return text.zip_with(~grouped, text.str.replace_all(MARKS, "")) if grouped.any() else text
