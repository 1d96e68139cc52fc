"""Run the compiled engine on one lane: lay out its arrays, call it, read its verdict."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.simulation.engine.verdict import SHOWN, lane_problem, outcome_of
from workloadlab.simulation.recording import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.latency import LatencyModel
    from workloadlab.routing import Router
    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.engine.lane_record import LaneArrays
    from workloadlab.simulation.outcome import Outcome
    from workloadlab.simulation.workload import Workload

__all__ = ["Retold", "blame", "replay_lane"]


@contextmanager
def blame(policy: Router) -> Iterator[None]:
    """Turn what a router raises into an error that names it."""
    try:
        yield
    except (ArithmeticError, ValueError, IndexError, AssertionError) as error:
        raise UsageError(
            f"router {policy.name!r} raised {type(error).__name__}: {error}",
            where=policy.location,
            fix="guard the case, for example a division by zero on an idle instance",
        ) from error


def replay_lane(
    workload: Workload,
    cluster: Cluster,
    policy: Router,
    seed: int,
    recorder: Recorder | None = None,
) -> Outcome:
    """Replay one lane in compiled code; releases the GIL while it runs.

    Args:
        workload: what to replay.
        cluster: on what.
        policy: the router.
        seed: of the run.
        recorder: what it should write down of steps and decisions.

    Raises:
        UsageError: the router cannot be compiled, raises, returns an instance that does not exist,
            scores every instance NaN, or defers for ever; or an engine that cannot go on.
    """
    from workloadlab.simulation.engine.setup import lane_arrays

    if policy.kind == "batch":
        from workloadlab.simulation.engine.lanes.side_by_side import replay_by_choices

        return replay_by_choices([(workload, seed)], cluster, policy)[0]
    recorder = recorder or Recorder()
    made = lane_arrays(
        workload,
        cluster,
        policy,
        seed,
        recorded_steps=recorder.room_for_steps,
        recorded_decisions=recorder.room_for_decisions,
    )
    _run(made, cluster, policy, recorder)
    return outcome_of(made, cluster.request_overhead_s)


def _run(made: LaneArrays, cluster: Cluster, policy: Router, recorder: Recorder) -> None:
    from workloadlab.simulation.engine import lane

    while True:
        with blame(policy):
            status, row, chosen = lane.run_lane(made.lane)
        if status == lane.STATUS_SLOTS_FULL:
            made.add_slots()
            continue
        recorder.drain(made)
        if status != lane.STATUS_RECORD_FULL:
            break
    if status != lane.STATUS_DONE:
        raise lane_problem(status, row, chosen, policy, made, cluster)


@dataclass(frozen=True)
class Retold:
    """A lane that is replayed many times with other step times, and laid out once.

    Attributes:
        workload: what to replay.
        cluster: of one pool; its latency model is of the estimator that all will be.
        policy: a compiled router.
        seed: of every run.
        recorded_steps: steps between two calls of a recorder; 0 where none is recorded.
    """

    workload: Workload
    cluster: Cluster
    policy: Router
    seed: int
    recorded_steps: int = 0

    @cached_property
    def _start(self) -> LaneArrays:
        from workloadlab.simulation.engine.setup import lane_arrays

        return lane_arrays(
            self.workload,
            self.cluster,
            self.policy,
            self.seed,
            recorded_steps=self.recorded_steps,
        )

    @cached_property
    def _resting(self) -> list[LaneArrays]:
        """Lanes on which no thread replays now."""
        return []

    def replay(
        self, latency: LatencyModel, request_overhead_s: float, recorder: Recorder | None = None
    ) -> Outcome:
        """Replay as `replay_lane` would, with this model and this time outside the engines.

        Raises:
            UsageError: as `replay_lane`.
        """
        from workloadlab.simulation.engine.setup import timed

        try:
            made = self._resting.pop()
        except IndexError:
            made = self._start.copy()
        else:
            made.go_back(self._start, anew=SHOWN)
        for name, values in timed(self.workload, [latency], request_overhead_s).items():
            made.put(name, values)
        _run(made, self.cluster, self.policy, recorder or Recorder())
        outcome = outcome_of(made, request_overhead_s)
        self._resting.append(made)
        return outcome
