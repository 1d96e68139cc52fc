"""People's tables of other rooms as grids of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.reporting.facts import Cell, Grid
from workloadlab.tables import figure
from workloadlab.words import sentence

if TYPE_CHECKING:
    from workloadlab.tables import Table

__all__ = ["grid_of"]


def grid_of(table: Table) -> Grid:
    """Return a people's table of another room as a grid."""
    rows = tuple(tuple(Cell(figure(cell)) for cell in row) for row in table.rows)
    note = " ".join(sentence(note) for note in table.notes)
    return Grid(caption=table.title, header=tuple(table.header), rows=rows, note=note)
