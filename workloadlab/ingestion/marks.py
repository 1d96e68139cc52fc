"""Settle for every column that is read what a comma and a point mean in its numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.ingestion.formats.trees import keys, label
from workloadlab.ingestion.parsing.decimals import Seen, continental, english, plain, seen
from workloadlab.trace import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from workloadlab.ingestion.formats import Column
    from workloadlab.ingestion.head import Head

__all__ = ["numbered"]

_MARKED = ~(Seen.BARE | Seen.DECIMAL_POINT)


def numbered(
    head: Head, chosen: Mapping[str, Column], table: pl.DataFrame
) -> tuple[dict[str, Column], pl.DataFrame]:
    """Return the columns with a reading where commas are decimals, and the first rows in plain numbers.

    Raises:
        UsageError: a time that may be a thousand times longer.
    """
    done = dict(chosen)
    others: Seen | None = None
    for target, column in sorted(chosen.items(), key=lambda item: item[0].endswith("_ns")):
        dtype = COLUMNS.get(target)
        whole = dtype is not None and dtype.is_integer() and not target.endswith("_ns")
        if column.reading or not (whole or target.endswith("_ns")):
            continue
        names = list(keys(column.source))
        own = seen(text for name in names for text in table[name].drop_nulls())
        if not own & _MARKED:
            table = table.with_columns(plain(table[name], comma=False) for name in names)
            continue
        if others is None:
            others = seen(text for texts in head.samples.values() for text in texts)
        if whole and own & Seen.SOME_COMMA and not own & Seen.DECIMAL_COMMA:
            others |= Seen.GROUPING_COMMA
        comma = continental(own, others, whole=whole)
        if comma is None:
            raise _unclear(head, column, table[names[0]], target)
        table = table.with_columns(plain(table[name], comma=comma) for name in names)
        if comma:
            done[target] = replace(column, reading=english)
    return done, table


def _unclear(head: Head, column: Column, text: pl.Series, target: str) -> UsageError:
    marked = next(value for value in text.drop_nulls() if "," in value)
    word = target.removesuffix("_ns")
    return UsageError(
        f"{label(column.source)} has numbers such as {marked}, read as {word}: its comma may stand "
        "before decimals or between thousands, and no other number tells",
        where=str(head.path),
        fix=f"write the numbers without marks between thousands, or leave it out: --map {word}=",
    )
