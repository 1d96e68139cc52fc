"""Cells of an instance's cache: the list of idle ones, oldest first, and the spare ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.jit import helper
from workloadlab.simulation.engine.arrays import cache
from workloadlab.simulation.engine.record_types import NONE, PAGE_BITS

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import (
        Array,
        Cell,
        Index,
        Instance,
        Lane,
        Record,
    )

__all__ = ["give_back", "relink", "retire", "spare_cell", "unlink_idle", "written"]


@helper
def written(cells: Array, noted: Array, cell: Cell) -> Record:
    """Return a cell of an instance to write to, and note its page as written."""
    at = np.uint64(cell)  # never -1, of which numba would count from the end
    noted[at >> np.uint64(PAGE_BITS)] = 1
    return cells[at]


@helper
def retire(e: Instance, cells: Array, noted: Array, cell: Cell) -> None:
    """Link a cell that lost its last user at the newest end."""
    c = written(cells, noted, cell)
    c.older, c.newer = e.newest, NONE
    if e.newest == NONE:
        e.oldest = cell
    else:
        written(cells, noted, e.newest).newer = cell
    e.newest = cell


@helper
def relink(e: Instance, cells: Array, noted: Array, cell: Cell, older: Cell, newer: Cell) -> None:
    """Let the neighbours of a cell, or the ends of the list, stand beside `older` and `newer`."""
    c = cells[cell]
    if c.older == NONE:
        e.oldest = newer
    else:
        written(cells, noted, c.older).newer = newer
    if c.newer == NONE:
        e.newest = older
    else:
        written(cells, noted, c.newer).older = older


@helper
def unlink_idle(e: Instance, cells: Array, noted: Array, cell: Cell) -> None:
    """Take a cell out of the list."""
    relink(e, cells, noted, cell, cells[cell].older, cells[cell].newer)


@helper
def spare_cell(e: Instance, lane: Lane, i: Index) -> Cell:
    """Return a spare cell, -1 if there is none: where nothing is ever evicted none is needed."""
    cell = e.spare
    if cell != NONE:
        e.spare = cache(lane)[i, cell].newer
    elif e.spares < lane.spare_count:
        cell = lane.id_count + e.spares
        e.spares += 1
    return cell


@helper
def give_back(e: Instance, cells: Array, noted: Array, cell: Cell) -> None:
    """Make a cell spare again."""
    c = written(cells, noted, cell)
    c.users, c.newer = NONE, e.spare
    e.spare = cell
