"""Tables of other rooms on the page."""

from __future__ import annotations

from workloadlab.reporting.grids import grid_of
from workloadlab.tables import Table


def test_a_table_of_another_room_becomes_a_grid():
    grid = grid_of(Table("Lengths", ["tokens", "p50"], [["input", 1020], ["output", None]]))
    assert [[cell.text for cell in row] for row in grid.rows] == [
        ["input", "1,020"],
        ["output", "-"],
    ]
