"""The event queue of a lane: all that happens to a cluster besides arrivals and the ends of steps.

`events` holds (moment, kind, instance, value) in the order in which they happen; `simulation.event` says
what each kind means. A lane's next moment is never behind `event_s`, that of the first entry to come, so
no run of steps jumps over one. A kind is a name in `EVENT_KINDS` and a handler here and in the twin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.jit import helper
from workloadlab.simulation.engine.arrays import engines, events, results, slots
from workloadlab.simulation.engine.arrivals import release
from workloadlab.simulation.engine.instance import clear, let_go
from workloadlab.simulation.engine.instances import catch_up
from workloadlab.simulation.engine.kv_blocks import lose
from workloadlab.simulation.engine.lane_record import part
from workloadlab.simulation.engine.linked_list import unlink
from workloadlab.simulation.engine.prefix_index import forget_instance
from workloadlab.simulation.engine.record_types import AWAY, GONE, NONE, TICK_S
from workloadlab.simulation.engine.replicas import reject, turn_to
from workloadlab.simulation.event import EVENT_KINDS

if TYPE_CHECKING:
    from workloadlab.simulation.engine.kinds import Index, Lane, Slot

__all__ = ["HANDLERS"]


@helper
def _give_back(lane: Lane, q: Slot) -> None:
    """Let a request come to the router again, at once, and free its slot."""
    row = slots(lane)[q].row
    results(lane)[row].dispatch_s = np.nan
    results(lane)[row].instance = NONE
    release(lane, row, lane.now_s)
    lane.arrived -= 1
    slots(lane)[q].next = lane.free_slot
    lane.free_slot = q


@helper
def _lose_all(lane: Lane, i: Index, queue: Any, fail: Any) -> None:
    """Take every sequence out of a queue of an instance, without what it has computed."""
    while queue.count > 0:
        q = queue.head
        unlink(queue, slots(lane), q)
        lose(slots(lane)[q], lane, i)
        r = results(lane)[slots(lane)[q].row]
        r.scheduled_s = r.first_token_s = np.nan
        r.cached = 0
        if fail:
            reject(lane, q)
        else:
            _give_back(lane, q)


@helper
def _stop(lane: Lane, i: Index, fail: Any) -> None:
    _drain(lane, i, fail)
    let_go(i, lane)
    _lose_all(lane, i, engines(lane)[i].running, fail == 1.0)
    _lose_all(lane, i, engines(lane)[i].waiting, fail == 1.0)
    clear(i, lane)
    if lane.guesses == 1:
        for replica in range(lane.replicas):
            turn_to(lane, replica)
            forget_instance(lane, i)
        turn_to(lane, np.int64(0))


@helper
def _drain(lane: Lane, i: Index, _: Any) -> None:
    e = engines(lane)[i]
    e.most_now = AWAY if e.starts_left > 0 else GONE


@helper
def _start(lane: Lane, i: Index, _: Any) -> None:
    e = engines(lane)[i]
    e.starts_left -= 1
    e.most_now = e.most_in_flight


HANDLERS = {"stop": _stop, "drain": _drain, "start": _start}
"""What each kind does to an instance that stands at the moment of the event."""


def _or_else(handler: Any, others: Any) -> Any:
    """Return a function that calls the handler for code 0 and passes higher codes on."""

    @helper
    def handle(code: Any, lane: Lane, i: Index, value: Any) -> None:
        if code == 0:
            handler(lane, i, value)
        else:
            others(code - 1, lane, i, value)

    return handle


@helper
def _nothing(code: Any, lane: Lane, i: Index, value: Any) -> None:
    pass


_by_code = _nothing
for _kind in reversed(EVENT_KINDS):
    _by_code = _or_else(HANDLERS[_kind], _by_code)


@part("handle_events")
def _handle_events(lane: Lane) -> None:
    """Let all happen that is due at the lane's moment."""
    queue = events(lane)
    while lane.event_s <= lane.now_s + TICK_S:
        entry = queue[lane.next_event]
        lane.next_event += 1
        lane.event_s = np.inf
        if lane.next_event < lane.event_count:
            lane.event_s = queue[lane.next_event].at_s
        catch_up(entry.subject, lane)
        _by_code(entry.kind, lane, entry.subject, entry.value)
