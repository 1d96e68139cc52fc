"""Lists of slots: who waits at the router, who waits on an instance, who runs there."""

from __future__ import annotations

from typing import Any

from workloadlab.jit import helper
from workloadlab.simulation.engine.record_types import NONE

__all__ = ["append", "insert", "unlink"]


@helper
def insert(ends: Any, slots: Any, q: Any, before: Any) -> None:
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
def append(ends: Any, slots: Any, q: Any) -> None:
    """Put a slot at the tail of a list."""
    insert(ends, slots, q, ends.tail)


@helper
def unlink(ends: Any, slots: Any, q: Any) -> None:
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
