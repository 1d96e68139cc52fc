"""The lists of an instance: who waits, who runs, who is next and who must go."""

from __future__ import annotations

from typing import Any

from numba import njit

from workloadlab.simulation.kernel_state import JIT, NONE, ORDERS

__all__ = [
    "append_running",
    "append_waiting",
    "before_in_queue",
    "prepend_waiting",
    "unlink_running",
    "unlink_waiting",
    "victim",
]

PRIORITY = ORDERS.index("priority")
LEAST_WORK_LEFT = ORDERS.index("least_work_left")


@njit(**JIT)
def append_running(e: Any, slots: Any, q: Any) -> None:
    """Put a sequence at the end of the running list."""
    s = slots[q]
    s.previous, s.next = e.run_tail, NONE
    if e.run_tail == NONE:
        e.run_head = q
    else:
        slots[e.run_tail].next = q
    e.run_tail = q
    e.running += 1
    e.admitted += 1
    s.order = e.admitted


@njit(**JIT)
def unlink_running(e: Any, slots: Any, q: Any) -> None:
    """Take a sequence out of the running list."""
    before, after = slots[q].previous, slots[q].next
    if before == NONE:
        e.run_head = after
    else:
        slots[before].next = after
    if after == NONE:
        e.run_tail = before
    else:
        slots[after].previous = before
    e.running -= 1


@njit(**JIT)
def append_waiting(e: Any, slots: Any, q: Any) -> None:
    """Put a sequence at the end of the queue."""
    s = slots[q]
    s.previous, s.next = e.wait_tail, NONE
    if e.wait_tail == NONE:
        e.wait_head = q
    else:
        slots[e.wait_tail].next = q
    e.wait_tail = q
    e.waiting += 1


@njit(**JIT)
def prepend_waiting(e: Any, slots: Any, q: Any) -> None:
    """Put a preempted sequence at the head of the queue."""
    s = slots[q]
    s.previous, s.next = NONE, e.wait_head
    if e.wait_head == NONE:
        e.wait_tail = q
    else:
        slots[e.wait_head].previous = q
    e.wait_head = q
    e.waiting += 1


@njit(**JIT)
def unlink_waiting(e: Any, slots: Any, q: Any) -> None:
    """Take a sequence out of the queue."""
    before, after = slots[q].previous, slots[q].next
    if before == NONE:
        e.wait_head = after
    else:
        slots[before].next = after
    if after == NONE:
        e.wait_tail = before
    else:
        slots[after].previous = before
    e.waiting -= 1


@njit(**JIT)
def before_in_queue(order: Any, a: Any, b: Any) -> Any:
    """Say whether `a` is served before `b`; in equal standing the one accepted earlier."""
    if order == PRIORITY:
        x, y = a.priority, b.priority
    elif order == LEAST_WORK_LEFT:
        x, y = a.predicted - a.generated, b.predicted - b.generated
    else:  # bin packing: the largest first
        x, y = -a.target, -b.target
    return x < y or (x == y and a.accepted < b.accepted)


@njit(**JIT)
def victim(e: Any, slots: Any) -> Any:
    """Return who is preempted: the last admitted, or the least important and of those the newest."""
    worst = e.run_tail
    if e.queue_order != PRIORITY:
        return worst
    q = slots[worst].previous
    while q != NONE:
        if before_in_queue(PRIORITY, slots[worst], slots[q]):
            worst = q
        q = slots[q].previous
    return worst
