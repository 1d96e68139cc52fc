"""Many lanes side by side: one record and one row of every array for each.

The rows of one array lie one behind the other, so what the router of every lane sees is one array that
nobody has to gather. Rows grow when a lane needs more: they are as long as the largest lane so far.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.routing import INSTANCE_FIELDS, Batch, choices_of
from workloadlab.simulation.engine.arrays import ARRAYS
from workloadlab.simulation.engine.lane import (
    STATUS_DECIDE,
    STATUS_DONE,
    STATUS_SLOTS_FULL,
    STATUS_STALLED,
)
from workloadlab.simulation.engine.lane_record import ADDRESSES, LANE, LaneArrays
from workloadlab.simulation.engine.lanes import rewards as kernel
from workloadlab.simulation.engine.lanes.threads import LaneThreads
from workloadlab.simulation.engine.record_types import SEQUENCE
from workloadlab.simulation.engine.setup import lane_arrays
from workloadlab.simulation.engine.verdict import lane_problem, outcome_of
from workloadlab.simulation.workload import seed_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from workloadlab.routing import Router
    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.outcome import Outcome
    from workloadlab.simulation.workload import Workload

__all__ = ["LaneBatch", "Opening", "StoredLane", "replay_by_choices"]

FIRST_SLOTS = 64

FITS = {"fits"}
"""What every chooser is shown: `Batch.allowed` reads it."""

WRITTEN = [name for name, row in ARRAYS.items() if row.written]
"""The arrays that each lane has a row of; all others are those of its workload."""

_ADDRESS = np.array([ADDRESSES.index(name) for name in WRITTEN])
"""Where in the words of a record the addresses of the rows are."""


@dataclass(frozen=True)
class Opening:
    """A lane that has not begun: its record, what it only reads, and how many bytes its rows have."""

    workload: Workload
    record: Any
    arrays: dict[str, Any]
    sizes: dict[str, int]


@dataclass(frozen=True)
class StoredLane:
    """Where a lane stood: its record, what it had written, and what it reads."""

    record: Any
    rows: dict[str, Any]
    opening: Opening
    status: int


class LaneBatch:
    """Lanes on one cluster that advance from decision to decision together.

    Args:
        cluster: what all lanes run on.
        policy: who chooses, for what it reads.
        count: how many lanes.
        threads: how many may run at a time; None for one per core. Nothing depends on it.
        targets: a `TARGETS` record; without one nothing misses.
    """

    def __init__(
        self,
        cluster: Cluster,
        policy: Router,
        count: int,
        *,
        threads: int | None = None,
        targets: Any = None,
    ) -> None:
        self.cluster, self.policy, self.count = cluster, policy, count
        self._threads = LaneThreads(threads or len(os.sched_getaffinity(0)))
        self.targets = np.full(3, np.inf).view(kernel.TARGETS) if targets is None else targets
        self.targets["outside_s"] = cluster.request_overhead_s
        signals = policy.signals
        self._shown = (
            None if signals is None else [n for n in INSTANCE_FIELDS if n in signals | FITS]
        )
        self.every = np.arange(count)
        self.lanes = np.zeros(count, LANE)
        self.status = np.zeros(count, np.int64)
        self.openings: list[Opening | None] = [None] * count
        self._words = self.lanes.view(np.uint64).reshape(count, -1)
        self._rows: dict[str, Any] = {}
        self._fresh: dict[str, Any] = {}
        self._bytes: dict[str, tuple[Any, Any]] = {}
        self._addresses = np.zeros((count, len(WRITTEN)), np.uint64)

    def prepare(self, workload: Workload) -> Opening:
        """Lay out a workload, and make the rows long enough for it."""
        slots = self._fresh["slots"] if self._fresh else range(FIRST_SLOTS)
        made = lane_arrays(workload, self.cluster, self.policy, 0, slots=len(slots))
        sizes = {}
        for name in WRITTEN:
            fresh = made.arrays.pop(name).reshape(-1)
            sizes[name] = fresh.nbytes
            if name not in self._rows or len(fresh) > self._rows[name].shape[1]:
                self._grow(name, fresh)
        return Opening(workload, made.lane, made.arrays, sizes)

    def _grow(self, name: str, fresh: Any) -> None:
        """Make the rows of an array as long as `fresh`, what a lane starts with."""
        rows = np.zeros((self.count, len(fresh)), fresh.dtype)
        if name in self._rows:
            before = self._rows[name]
            rows[:, : before.shape[1]] = before
        self._rows[name], self._fresh[name] = rows, fresh
        self._bytes[name] = rows.view(np.uint8), fresh.view(np.uint8)
        at = WRITTEN.index(name)
        self._addresses[:, at] = rows.ctypes.data + rows.strides[0] * np.arange(self.count)
        self._words[:, _ADDRESS[at]] = self._addresses[:, at]

    def _place(self, k: int, opening: Opening, record: Any) -> None:
        """Give lane `k` a record, with the addresses and the slots that it has here."""
        self.lanes[k] = record
        self.openings[k] = opening
        self._words[k, _ADDRESS] = self._addresses[k]
        self.lanes["slot_count"][k] = self._rows["slots"].shape[1]

    def load(self, k: int, opening: Opening, seed: int) -> None:
        """Let lane `k` begin; slots are written before they are read, all else is as new."""
        self._place(k, opening, opening.record[0])
        self.lanes["seed"][k] = seed_state(seed)
        self.status[k] = STATUS_DONE
        for name, size in opening.sizes.items():
            if size and name != "slots":
                rows, fresh = self._bytes[name]
                rows[k, :size] = fresh[:size]

    def store(self, k: int) -> StoredLane:
        """Copy all that lane `k` is, in the time of a copy of its arrays."""
        opening = self.openings[k]
        assert opening is not None  # noqa: S101  a lane that was never loaded has no public name
        rows = {
            name: self._bytes[name][0][k].copy() for name, size in opening.sizes.items() if size
        }
        return StoredLane(self.lanes[k].copy(), rows, opening, int(self.status[k]))

    def restore(self, k: int, stored: StoredLane) -> None:
        """Put a stored lane in the place of lane `k`."""
        self._place(k, stored.opening, stored.record)
        self.status[k] = stored.status
        for name, row in stored.rows.items():
            self._bytes[name][0][k, : len(row)] = row

    def no_rewards(self) -> Any:
        """Return rewards of nothing, one record for each lane."""
        return np.zeros(self.count, kernel.REWARD)

    def begin(self, which: npt.NDArray[np.int64], rewards: Any) -> bool:
        """Run lanes that were loaded to their first decision; see `run`."""
        return self.run(which, np.full(len(which), kernel.GO_ON), rewards)

    def run(self, which: npt.NDArray[np.int64], choices: Any, rewards: Any) -> bool:
        """Apply one choice to each lane of `which` and run it to its next decision.

        Returns whether they all stand at one; `status` says which do.

        Raises:
            UsageError: a lane that cannot go on.
        """
        if self._advance(which, choices, rewards) == 0:
            return True
        while len(full := which[self.status[which] == STATUS_SLOTS_FULL]):
            self._grow("slots", np.zeros(2 * self._rows["slots"].shape[1], SEQUENCE))
            self.lanes["slot_count"] = self._rows["slots"].shape[1]
            self._advance(full, np.full(len(full), kernel.GO_ON), rewards)
        for k in which[self.status[which] > STATUS_DECIDE]:
            raise self._problem(int(k), int(choices[np.flatnonzero(which == k)[0]]))
        return bool((self.status[which] == STATUS_DECIDE).all())

    def _advance(self, which: Any, choices: Any, rewards: Any) -> int:
        return self._threads.advance(self.lanes, which, choices, self.status, rewards, self.targets)

    def _made(self, k: int) -> LaneArrays:
        """Return lane `k` as if it stood alone."""
        opening = self.openings[k]
        sizes = opening.sizes if opening is not None else {}
        rows = {
            name: self._rows[name][k, : size // self._rows[name].itemsize]
            for name, size in sizes.items()
            if name != "slots"
        }
        rows["slots"] = self._rows["slots"][k]
        return LaneArrays(self.lanes[k : k + 1], rows)

    def _problem(self, k: int, chosen: int) -> Exception:
        made, status = self._made(k), int(self.status[k])
        lane = self.lanes[k]
        stalled = status == STATUS_STALLED
        queue = made.arrays["queues"][lane["replica"]]
        slot = lane["stalled"] if stalled else queue["head"]
        row = int(made.arrays["slots"][slot]["row"])
        return lane_problem(status, row, chosen, self.policy, made, self.cluster)

    def outcome(self, k: int) -> Outcome:
        """Return what became of the requests of lane `k`."""
        made = self._made(k)
        made.arrays["results"] = made.arrays["results"].copy()
        return outcome_of(made, self.cluster.request_overhead_s)

    def first_refused(self, choices: npt.NDArray[np.int64]) -> int:
        """Return the first lane that could not follow its choice, -1 for none."""
        return int(kernel.first_refused(self._views, choices))

    def deciding(self) -> npt.NDArray[np.int64]:
        """Return the lanes that stand at a decision."""
        return np.flatnonzero(self.status == STATUS_DECIDE)

    def through(self) -> npt.NDArray[np.int64]:
        """Return the lanes whose workload has ended."""
        return np.flatnonzero(self.status == STATUS_DONE)

    @property
    def _views(self) -> Any:
        return self._rows["views"].reshape(self.count, -1)

    def batch(self, which: npt.NDArray[np.int64] | None = None) -> Batch:
        """Return the decisions of some lanes, or of all without a copy."""
        views, offers = self._views, self._rows["offers"][:, 0]
        if self._shown is not None:
            views = views[self._shown]
        if which is None or len(which) == self.count:
            return Batch(self.every, offers, views)
        return Batch(which, offers[which], views[which])


def replay_by_choices(
    runs: Sequence[tuple[Workload, int]],
    cluster: Cluster,
    policy: Router,
    *,
    threads: int | None = None,
) -> list[Outcome]:
    """Replay lanes together, with an object that chooses for all that stand at a decision.

    Args:
        runs: a workload and a seed for each lane.
        cluster: on what.
        policy: a router of kind "batch".
        threads: lanes at a time; None for one per core.

    Raises:
        UsageError: a wrong number of choices, an instance that does not exist, or a request deferred
            for ever.
    """
    lanes = LaneBatch(cluster, policy, len(runs), threads=threads)
    openings = {id(workload): lanes.prepare(workload) for workload, _ in runs}
    for k, (workload, seed) in enumerate(runs):
        lanes.load(k, openings[id(workload)], seed)
    rewards = lanes.no_rewards()
    lanes.begin(lanes.every, rewards)
    while len(which := lanes.deciding()):
        lanes.run(which, choices_of(policy, lanes.batch(which)), rewards)
    return [lanes.outcome(k) for k in range(len(runs))]
