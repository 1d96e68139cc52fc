"""The order of those that wait on an instance, and the choice of the victim among those that run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.jit import helper
from workloadlab.simulation.engine.record_types import NONE, ORDERS

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import Array, Count, Flag, Instance, Request, Slot

__all__ = ["before_in_queue", "victim"]

PRIORITY = ORDERS.index("priority")
LEAST_WORK_LEFT = ORDERS.index("least_work_left")


@helper
def before_in_queue(order: Count, a: Request, b: Request) -> Flag:
    """Say whether `a` is served before `b`; in equal standing the one accepted earlier."""
    if order == PRIORITY:
        x, y = a.priority, b.priority
    elif order == LEAST_WORK_LEFT:
        x, y = a.predicted - a.generated, b.predicted - b.generated
    else:  # bin packing: the largest first
        x, y = -a.target, -b.target
    return x < y or (x == y and a.accepted < b.accepted)


@helper
def victim(e: Instance, slots: Array) -> Slot:
    """Return who is preempted: the last admitted, or the least important and of those the newest."""
    worst = e.running.tail
    if e.queue_order != PRIORITY:
        return worst
    q = slots[worst].previous
    while q != NONE:
        if before_in_queue(e.queue_order, slots[worst], slots[q]):
            worst = q
        q = slots[q].previous
    return worst
