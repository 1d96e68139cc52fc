"""The event queue of the readable engine: a handler for each kind of event.

The compiled one must equal it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workloadlab.simulation.engine.record_types import TICK_S
from workloadlab.simulation.event import EVENT_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.simulation.reference.instance import Engine
    from workloadlab.simulation.reference.lane import Lane

    Handler = Callable[[Lane, Engine, float, float], None]

__all__ = ["HANDLERS", "handle_events"]


def stop(lane: Lane, engine: Engine, fail: float, now: float) -> None:
    """Lose the requests, the step in flight and the cache of an instance."""
    engine.takes_requests = False
    outcome = lane.outcome
    for row in engine.clear(now):
        outcome.scheduled_s[row] = outcome.first_token_s[row] = math.nan
        outcome.cached_tokens[row] = 0
        if fail:
            lane.release_after(row, now)
        else:
            outcome.dispatch_s[row] = math.nan
            outcome.instance[row] = -1
            lane.expected.append((now, row))
    for replica in lane.replicas:
        if replica.index is not None:
            replica.index.forget(engine.index)


def drain(lane: Lane, engine: Engine, value: float, now: float) -> None:  # noqa: ARG001
    """Let an instance end what it has."""
    engine.takes_requests = False


def start(lane: Lane, engine: Engine, value: float, now: float) -> None:  # noqa: ARG001
    """Let an instance take requests from now on."""
    engine.starts_left -= 1
    engine.takes_requests = True


HANDLERS: dict[str, Handler] = {"stop": stop, "drain": drain, "start": start}
"""What each kind does to an instance that stands at the moment of the event."""


def handle_events(lane: Lane, now: float) -> None:
    """Let all happen that is due."""
    while lane.events and lane.events[0].at_s <= now + TICK_S:
        entry = lane.events.pop(0)
        HANDLERS[EVENT_KINDS[entry.kind]](lane, lane.engines[entry.subject], entry.value, now)
