"""Numbers as a sentence or a table says them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.reporting.facts import Cell, Grid
from workloadlab.tables import figure as number
from workloadlab.words import (
    column,
    listed,
    plural,
    rate_words,
    seconds,
    sentence,
    share,
    share_beside,
    three,
    time_unit,
    times,
)

if TYPE_CHECKING:
    from workloadlab.tables import Table

__all__ = [
    "column",
    "grid_of",
    "listed",
    "plural",
    "rate_words",
    "seconds",
    "sentence",
    "share",
    "share_beside",
    "three",
    "time_unit",
    "times",
]


def grid_of(table: Table) -> Grid:
    """Return a people's table of another room as a grid."""
    rows = tuple(tuple(Cell(number(cell)) for cell in row) for row in table.rows)
    note = " ".join(sentence(note) for note in table.notes)
    return Grid(caption=table.title, header=tuple(table.header), rows=rows, note=note)
