"""Events: what happens to the instances of a cluster at given seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from workloadlab.errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["EVENT_KINDS", "Entry", "Event", "event_queue", "presence", "refuse_events"]

EVENT_KINDS = ("stop", "drain", "start")
"""What may happen, see `Event`; what happens at one moment does so in this order."""

REQUESTS = ("retry", "fail")


class Group(Protocol):
    """What this file asks of a pool."""

    @property
    def name(self) -> str:
        """The pool's name; its instances are NAME/0, NAME/1 and so on."""

    @property
    def instances(self) -> int:
        """How many it has."""

    @property
    def step_together(self) -> bool:
        """Whether they are ranks that only come and go together."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happens to an instance, or to all instances of a pool, at a second.

    - "stop": it is gone at once. The step in flight, the requests that run or wait there and its prefix
      cache are lost, and a router that keeps a prefix index forgets what it sent there.
    - "drain": it takes no new requests and ends those that it has; its cache stays.
    - "start": it takes requests from then on. An instance whose first event is a start is absent before.

    The router knows at once who takes requests, as from a health check: `fits` is 0 for the others, and
    nothing is in flight on a stopped one. What engines report follows as ever: a stopped one reports
    zeros, once the router sees a report that was taken later.

    A retry is the same request once more, from its prompt on: it comes to the router at the moment of
    the stop, behind those that wait there, and is decided on anew. Of a request that was retried the
    outcome keeps the arrival and counts preemptions over all attempts; all else, so the instance and the
    time to first token too, is that of the last attempt, whose answer the client can use. A request that
    fails has the outcome "error", no times but its dispatch, and counts as not served; in a closed loop
    its user goes on with the next turn.

    A request that no instance could serve that takes requests, or that will start later, is rejected at
    once; until such a start it waits in the router's queue.

    Order at one moment: steps end, reports are taken, events happen (stops, drains, starts, each by
    instance), requests arrive, the router decides, steps begin. Moments closer than a nanosecond are
    one. A record of steps keeps a step that was lost, with the time that it would have taken. Seconds
    count from the start of the trace, or of a window of an `Environment`, whatever the rate
    scale.

    Attributes:
        at_s: when, in seconds.
        kind: "stop", "drain" or "start".
        instance: a name as in `Cluster.instance_names`, or that of a pool for all of its instances.
            Ranks that step together can only be named together.
        requests: of a stop: "retry" what is lost, or let it "fail".

    Raises:
        UsageError: an unknown kind, or a value out of range.

    Example:
        >>> Event(at_s=120.0, kind="stop", instance="pool/3", requests="fail").to_dict()
        {'at_s': 120.0, 'kind': 'stop', 'instance': 'pool/3', 'requests': 'fail'}
    """

    at_s: float
    kind: str
    instance: str
    requests: str = "retry"

    def __post_init__(self) -> None:
        at_s, kinds = self.at_s, ", ".join(EVENT_KINDS)
        number = isinstance(at_s, int | float) and not isinstance(at_s, bool)
        if not number or not 0 <= at_s < math.inf:
            raise UsageError(
                f"at_s = {at_s!r} is no moment of a replay", fix="use seconds from 0 on"
            )
        if self.kind not in EVENT_KINDS:
            raise UsageError(f"there is no kind of event {self.kind!r}", fix=f"use {kinds}")
        if not isinstance(self.instance, str):
            raise UsageError(
                f"instance = {self.instance!r} is no name",
                fix='write "pool/3", or "pool" for all of it',
            )
        if self.requests not in REQUESTS:
            raise UsageError(
                f"requests = {self.requests!r} is no way to go on", fix=f"use {', '.join(REQUESTS)}"
            )
        if self.requests == "fail" and self.kind != "stop":
            raise UsageError(
                f'requests = "fail" means nothing at a {self.kind}',
                fix="only a stop loses requests",
            )

    @property
    def value(self) -> float:
        """What the engines need to know besides kind and instance: 1 if the requests fail."""
        return float(self.requests == "fail")

    def to_dict(self) -> dict[str, float | str]:
        """Return plain JSON data."""
        return dict(vars(self))


class Entry(NamedTuple):
    """An event in the queue of a lane, by the code of its kind and the index of an instance."""

    at_s: float
    kind: int
    subject: int
    value: float


def event_queue(events: Iterable[Event], pools: Sequence[Group]) -> list[Entry]:
    """Return what happens to each instance, in the order in which it does.

    Raises:
        UsageError: an event of an unknown instance, or of one of several ranks that step together.
    """
    named: dict[str, list[int]] = {}
    together, first = set(), 0
    for pool in pools:
        every = list(range(first, first + pool.instances))
        ones = {f"{pool.name}/{i}": [index] for i, index in enumerate(every)}
        together |= set(ones) if pool.step_together and pool.instances > 1 else set()
        named |= {pool.name: every, **ones}
        first += pool.instances
    queue = []
    for event in events:
        if event.instance not in named:
            known = ", ".join(pool.name for pool in pools)
            raise UsageError(
                f"an event of {event.instance!r}, which the cluster does not have",
                fix=f"use a pool ({known}) or one of its instances, such as {pools[0].name}/0",
            )
        if event.instance in together:
            pool_name = event.instance.rpartition("/")[0]
            raise UsageError(
                f"an event of {event.instance!r} alone, which steps together with its pool",
                fix=f"use {pool_name!r} for all of its ranks",
            )
        kind = EVENT_KINDS.index(event.kind)
        queue += [Entry(event.at_s, kind, i, event.value) for i in named[event.instance]]
    return sorted(queue)


def presence(queue: Iterable[Entry], instances: int) -> tuple[list[bool], list[int]]:
    """Return which instances are absent before their first event, and how often each will start."""
    kinds: list[list[str]] = [[] for _ in range(instances)]
    for entry in queue:
        kinds[entry.subject].append(EVENT_KINDS[entry.kind])
    return [own[:1] == ["start"] for own in kinds], [own.count("start") for own in kinds]


def refuse_events(events: Sequence[Event], who: str) -> None:
    """Refuse a cluster with events where they mean nothing.

    Raises:
        UnsupportedError: there are some.
    """
    if events:
        raise UnsupportedError(
            f"{who} needs a cluster to which nothing happens, and this one has events: {len(events)}",
            fix="leave the events out",
        )
