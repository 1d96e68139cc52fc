"""What a choosing router remembers between decisions: an array of floats, whose places have names.

    SLOTS = memory_slots(turn=1, sent="instance")

    @wl.router(kind="choose", memory=SLOTS)
    def taking_turns(request, instances, params, memory):
        sent = memory[per_instance(SLOTS.sent, instances)]
        turn = int(memory[SLOTS.turn])
        ...

The first 128 cells are the router's; behind them lie 16 columns of one cell for each instance.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from workloadlab.errors import UsageError

__all__ = ["all_behind", "cells_by_name", "empty_memory", "memory_slots", "per_instance"]

CELLS = 128
COLUMNS = 16

Floats = npt.NDArray[np.float64]


def empty_memory(instances: int = 0) -> Floats:
    """Return the memory of a choosing router at the start of a run: zeros."""
    return np.zeros(CELLS + COLUMNS * instances)


def memory_slots(**sizes: int | str) -> Any:
    """Give places in a router's memory names.

    Args:
        sizes: for each name how many cells it has; "instance" for a column of one for each instance;
            for the last one also "rest", all that is behind the columns.

    Returns:
        The places by name, whole numbers that a compiled router may read: `memory[slots.turn]` is the
        first cell of a name, `memory[per_instance(slots.sent, instances)]` a column.

    Raises:
        UsageError: an unknown size, or more than there is room for.

    Example:
        >>> slots = memory_slots(turn=1, bins=62, sent="instance")
        >>> memory = empty_memory(3)
        >>> memory[slots.turn] = 2
        >>> memory[per_instance(slots.sent, range(3))][1] = 7
        >>> {name: cells.sum().item() for name, cells in cells_by_name(memory, slots, 3).items()}
        {'turn': 2.0, 'bins': 0.0, 'sent': 7.0}
    """
    places, cell, column = [], 0, CELLS
    for name, size in sizes.items():
        if size in ("instance", "rest"):
            places.append(column)
            column += 1 if size == "instance" else CELLS + COLUMNS - column
        elif isinstance(size, int) and size > 0:
            places.append(cell)
            cell += size
        else:
            raise UsageError(f"memory of {name} = {size!r}", fix='a number of cells, or "instance"')
    if cell > CELLS or column > CELLS + COLUMNS:
        raise UsageError(
            f"{cell} cells and {column - CELLS} columns of memory",
            fix=f"there are {CELLS} cells, and {COLUMNS} columns of one cell for each instance",
        )
    kind = cast("Any", namedtuple("Slots", tuple(sizes)))
    kind.sizes = tuple(sizes.values())
    return kind(*places)


def per_instance(slot: Any, instances: Any) -> slice:
    """Return where a column of the memory is: one cell for each instance."""
    count = len(instances)
    first = CELLS + (slot - CELLS) * count
    return slice(first, first + count)


def all_behind(slot: Any, instances: Any) -> slice:
    """Return where what a router that asked for the "rest" has is: all from that column on."""
    return slice(CELLS + (slot - CELLS) * len(instances), CELLS + COLUMNS * len(instances))


def cells_by_name(memory: Floats, slots: Any, instances: int) -> dict[str, Floats]:
    """Return the cells of every name, to look at a memory or to set one up; none of no names."""
    cells: dict[str, Floats] = {}
    if not slots:
        return cells
    for name, slot, size in zip(slots._fields, slots, slots.sizes, strict=True):
        first = slot if isinstance(size, int) else CELLS + (slot - CELLS) * instances
        count = {"instance": instances, "rest": len(memory) - first}.get(size, size)
        cells[name] = memory[first : first + count]
    return cells
