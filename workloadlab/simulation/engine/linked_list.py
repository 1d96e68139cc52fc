"""Lists of slots: who waits at the router, who waits on an instance, who runs there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.jit import helper
from workloadlab.simulation.engine.record_types import NONE

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import Array, Record, Slot

__all__ = ["append", "insert", "unlink"]


@helper
def insert(ends: Record, slots: Array, q: Slot, before: Slot) -> None:
    """Put a slot into a list behind `before`, -1 for the head."""
    after = ends.head if before == NONE else slots[before].next
    slots[q].previous, slots[q].next = before, after
    if before == NONE:
        ends.head = q
    else:
        slots[before].next = q
    if after == NONE:
        ends.tail = q
    else:
        slots[after].previous = q
    ends.count += 1


@helper
def append(ends: Record, slots: Array, q: Slot) -> None:
    """Put a slot at the tail of a list."""
    insert(ends, slots, q, ends.tail)


@helper
def unlink(ends: Record, slots: Array, q: Slot) -> None:
    """Take a slot out of a list."""
    before, after = slots[q].previous, slots[q].next
    if before == NONE:
        ends.head = after
    else:
        slots[before].next = after
    if after == NONE:
        ends.tail = before
    else:
        slots[after].previous = before
    ends.count -= 1
