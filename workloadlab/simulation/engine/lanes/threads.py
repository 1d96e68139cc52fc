"""Threads that share out the steps of lanes among them."""

from __future__ import annotations

import time
import weakref
from threading import Event, Thread
from typing import Any

import numpy as np

__all__ = ["LaneThreads"]

LEAST_PER_THREAD = 16
"""Lanes that are worth a thread of their own."""


class LaneThreads:
    """The calling thread and as many more as it takes, which sleep when there is nothing to do.

    Args:
        threads: how many may run at a time.
    """

    def __init__(self, threads: int) -> None:
        from workloadlab.simulation.engine.lanes import thread_shares

        self._kernel = thread_shares
        self._shares = np.zeros(threads, thread_shares.SHARE)
        self._calls = [Event() for _ in range(threads)]
        self._threads: list[Thread | None] = [None] * threads
        self._over = Event()
        weakref.finalize(self, _stop, self._over, self._calls)

    def advance(
        self, lanes: Any, which: Any, choices: Any, status: Any, rewards: Any, targets: Any
    ) -> int:
        """Share `rewards.advance_lanes` out; return what it does in one piece."""
        count = max(1, min(len(self._shares), len(which) // LEAST_PER_THREAD))
        for k in range(1, count):
            self._start(k)
        step = (lanes, which, choices, status, rewards, targets)
        try:
            if self._kernel.post(self._shares, count, *step):
                for k in range(1, count):
                    if self._shares["asleep"][k]:
                        self._calls[k].set()
            others = self._kernel.lead(self._shares, count)
            while others < 0:
                others = self._await(count)
        except BaseException:  # an interrupt must not take the arrays away that threads write
            for k in range(1, count):
                while self._alive(k) and self._shares["done"][k] != self._shares["asked"][k]:
                    time.sleep(0)
            raise
        return int(others)

    def _start(self, k: int) -> None:
        """See that there is a thread for share `k`: there is none at first, nor after a fork."""
        if not self._alive(k):
            self._shares["asleep"][k], self._shares["done"][k] = 1, self._shares["asked"][k]
            self._calls[k] = call = Event()
            job = (self._kernel.follow, self._shares, k, call, self._over)
            self._threads[k] = thread = Thread(
                target=_work, args=job, name=f"lanes-{k}", daemon=True
            )
            thread.start()

    def _alive(self, k: int) -> bool:
        thread = self._threads[k]
        return thread is not None and thread.is_alive()

    def _await(self, count: int) -> int:
        """Wait on for shares that take long, or whose threads the system does not let run."""
        if not all(self._alive(k) for k in range(1, count)):
            raise RuntimeError("a thread that advances lanes has ended")
        time.sleep(0)
        return int(self._kernel.gather(self._shares, count))


def _work(follow: Any, shares: Any, k: int, call: Event, over: Event) -> None:
    """Follow from call to call; holds on to no threads, so that they can end."""
    while not over.is_set():
        call.wait()
        call.clear()
        follow(shares, k)


def _stop(over: Event, calls: list[Event]) -> None:
    over.set()
    for call in calls:
        call.set()
