"""Replay: one trace on one cluster through routers, rate scales and seeds, one lane for each."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import checked
from workloadlab.errors import UnsupportedError
from workloadlab.execution import run_lanes, workers
from workloadlab.routing import Chooser, Router, resolve_all
from workloadlab.simulation.cluster import Cluster
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.extrapolation import warn_of_extrapolation
from workloadlab.simulation.log_facts import warn_of_contradictions
from workloadlab.simulation.preparation import workload_and_cluster
from workloadlab.simulation.recording import Recorder, recorder_for
from workloadlab.simulation.runs import Played, lanes_of, options_of, runs_of, told_apart
from workloadlab.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from workloadlab.simulation.outcome import Outcome
    from workloadlab.simulation.workload import Sessions, Workload
    from workloadlab.trace import AnyTrace, Runs

    LaneTask = tuple[Workload, Cluster, Router, int, Recorder]

__all__ = ["replay"]


@checked
def replay(
    trace: AnyTrace,
    cluster: Cluster | str | Path,
    *,
    routers: str | Iterable[str | Router | Chooser | Callable[..., Any]] = (
        "round_robin",
        "least_requests",
    ),
    rate_scale: float | Iterable[float] = 1.0,
    seeds: int = 1,
    sessions: Sessions = "open",
    record: Iterable[str] = (),
    threads: int | None = None,
    memory_limit: int | str | None = None,
) -> Runs:
    """Replay a trace through every router, at every rate scale, with every seed.

    Args:
        trace: needs arrivals and lengths; warm-up requests are replayed too. A trace, its path, or a
            frame.
        cluster: what the routers choose among, or its file (TOML).
        routers: one or several: names of built-in routers, `file.py:name`, functions, Router objects,
            or any objects with `choose(batch)`, which decide for all their lanes at once; see
            `Environment.play`;
            `predicted_latency=MODEL` and the like predict with a catalogue model or model JSON.
        rate_scale: arrival rates relative to the trace; 2.0 sends the same requests twice as fast.
        seeds: number of seeds, 0 to seeds - 1; they differ in what random routers draw.
        sessions: "open" sends every request at its logged time; "closed" sends a turn when the one
            before it in its session has ended and its think time (recorded, or implied by the
            logged timings) is over, so that a slow cluster slows its users down; "clients" sends a
            request when the one before it of its client has ended, whatever their sessions, as a
            benchmark with a fixed number of users does. The rate scale then applies to the starts of
            sessions or clients.
        record: "steps" writes down every engine step, "decisions" every routing decision with the
            scores and what became of the request; see `Runs.records`.
        threads: lanes at a time; None for one per core. The outcome does not depend on it.
        memory_limit: bytes, or words such as 4GB, that its data may take, beyond the program itself;
            None for what this machine or container has.

    Returns:
        Runs in the order routers x rate scales x seeds. An outcome is the trace with instance_id,
        queue_ns, ttft_ns, e2e_ns, dispatch_ns, preemptions and outcome filled in; a request that can
        never fit any instance has the outcome "rejected", one that a stop failed "error" (see `Event`).

    Raises:
        UnsupportedError: the trace lacks what the replay or a router needs.
        UsageError: unknown router, bad scale, a limit that is no number, or a router that misbehaves.
        MachineError: it would need more memory than it may use.

    Warns:
        ContradictionWarning: for each fact of a log with timings that the cluster contradicts.
        ExtrapolationWarning: where batches leave those of the log that a model was calibrated on.

    Example:
        >>> from workloadlab import Cluster, LatencyModel, Trace
        >>> trace = Trace.of([(0, 10, 2), (0, 10, 2)])
        >>> cluster = Cluster.uniform(2, LatencyModel.linear(constant_s=0.5), step_overhead_s=0.0)
        >>> runs = replay(trace, cluster, routers=["round_robin"])
        >>> runs.outcomes().read("instance_id", "ttft_ns", "e2e_ns").rows()
        [('pool/0', 500000000, 1000000000), ('pool/1', 500000000, 1000000000)]
    """
    from workloadlab.latency import load_predictor
    from workloadlab.simulation.needed_memory import lane_bytes, refuse_more_than

    trace, cluster = Trace.open(trace), Cluster.load(cluster)
    warn_of_contradictions(cluster.pools, trace)
    recorders = recorder_for(record)
    policies = told_apart(resolve_all(routers, load=load_predictor))
    lanes = lanes_of(policies, rate_scale, seeds)
    workload, simulated = workload_and_cluster(trace, cluster, policies, sessions)
    refuse_more_than(
        memory_limit,
        len(workload),
        len(lanes),
        workers(threads),
        lane_bytes(workload, simulated, policies),
    )
    scaled = {scale: workload.scaled(scale) for _, scale, _ in lanes}
    notes = [replace(recorders) for _ in lanes]
    tasks = [
        (scaled[scale], simulated, policy, seed, recorder)
        for (policy, scale, seed), recorder in zip(lanes, notes, strict=True)
    ]
    outcomes = _outcomes(tasks, threads)
    played = [
        Played(policy.name, scale, seed, scaled[scale], outcome, options_of(policy), recorder)
        for (policy, scale, seed), outcome, recorder in zip(lanes, outcomes, notes, strict=True)
    ]
    runs = runs_of(trace, cluster, played, sessions)
    warn_of_extrapolation(cluster.pools, runs)
    return runs


def _outcomes(tasks: list[LaneTask], threads: int | None) -> list[Outcome]:
    """Replay every lane: those of compiled routers on threads, those of each other router together."""
    for _, _, policy, _, recorder in tasks:
        if policy.kind != "batch":
            policy.compiled  # noqa: B018  compiled once, before the threads ask for it
        elif recorder.steps or recorder.decisions:
            raise UnsupportedError(
                f"router {policy.name!r} chooses in Python, and such runs are not recorded",
                fix="replay it without record, or write it as a function: see wl.router",
            )
    compiled = (task for task in tasks if task[2].kind != "batch")
    ended = iter(run_lanes(replay_lane, compiled, threads=threads))
    outcomes: list[Outcome] = []
    for _, group in groupby(tasks, key=lambda task: task[2].name):
        same = list(group)
        _, cluster, policy, _, _ = same[0]
        if policy.kind == "batch":
            from workloadlab.simulation.engine.lanes.side_by_side import replay_by_choices

            runs = [(workload, seed) for workload, _, _, seed, _ in same]
            outcomes += replay_by_choices(runs, cluster, policy, threads=threads)
        else:
            outcomes += islice(ended, len(same))
    return outcomes
