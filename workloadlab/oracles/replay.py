"""Replay a trace with oracles, into runs that stand beside those of routers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.arguments import checked, listed
from workloadlab.errors import UsageError
from workloadlab.execution import run_lanes, workers
from workloadlab.oracles.oracle import Oracle
from workloadlab.oracles.registry import oracle
from workloadlab.routing import SHELF
from workloadlab.simulation import Cluster
from workloadlab.simulation.event import refuse_events
from workloadlab.simulation.log_facts import warn_of_contradictions
from workloadlab.simulation.preparation import workload_and_cluster
from workloadlab.simulation.runs import Played, lanes_of, runs_of
from workloadlab.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from workloadlab.simulation.outcome import Outcome
    from workloadlab.simulation.workload import Workload
    from workloadlab.trace import AnyTrace, Runs

__all__ = ["replay_oracles"]


@checked
def replay_oracles(
    trace: AnyTrace,
    cluster: Cluster | str | Path,
    oracles: str | Iterable[str | Oracle] = ("lookahead",),
    *,
    rate_scale: float | Iterable[float] = 1.0,
    seeds: int = 1,
    threads: int | None = None,
    memory_limit: int | str | None = None,
) -> Runs:
    """Replay a trace with every oracle, at every rate scale, with every seed.

    Args:
        trace: needs arrivals and lengths; every request arrives at its logged time.
        cluster: what the oracles choose among.
        oracles: names on the shelf, or what `oracle` returns.
        rate_scale: arrival rates relative to the trace.
        seeds: number of seeds, 0 to seeds - 1.
        threads: lanes at a time; None for one per core. The outcome does not depend on it.
        memory_limit: bytes that its data may take, as for `replay`.

    Returns:
        Runs in the order oracles x rate scales x seeds; add them to those of `replay` to score both.

    Raises:
        UnsupportedError: the trace lacks what the replay or a base router needs, or the cluster has
            events.
        UsageError: unknown oracle, two of one name, bad scale, a limit that is no number, or a toy that
            is none.
        MachineError: it would need more memory than it may use.

    Example:
        >>> from workloadlab import Cluster, LatencyModel, Trace, replay, score
        >>> trace = Trace.of([(0, 10, 30), (0, 10, 2), (0.001, 10, 2)])
        >>> cluster = Cluster.uniform(
        ...     2, LatencyModel.linear(constant_s=0.1), max_num_seqs=1, async_scheduling=False)
        >>> runs = replay(trace, cluster, routers=["round_robin"])
        >>> board = score(runs + replay_oracles(trace, cluster, ["lookahead"]))
        >>> [(run.router, round(run.e2e_s.mean, 2)) for run in board.runs]
        [('round_robin', 2.15), ('lookahead', 1.21)]
    """
    from workloadlab.oracles.forked import forked_bytes
    from workloadlab.simulation.needed_memory import refuse_more_than

    trace, cluster = Trace.open(trace), Cluster.load(cluster)
    chosen = [
        spec if isinstance(spec, Oracle) else oracle(str(spec))
        for spec in ([oracles] if isinstance(oracles, Oracle) else listed("oracles", oracles))
    ]
    names = [item.name for item in chosen]
    if len(set(names)) < len(names):
        raise UsageError(
            f"two oracles share a name among {', '.join(names)}",
            fix="replay them in two calls, or give one a name with dataclasses.replace",
        )
    refuse_events(cluster.events, "an oracle")
    warn_of_contradictions(cluster.pools, trace)
    lanes = lanes_of(chosen, rate_scale, seeds)
    bases = {base.name: base for item in chosen for base in item.bases}.values()
    workload, simulated = workload_and_cluster(trace, cluster, bases, "open")
    refuse_more_than(
        memory_limit, len(workload), len(lanes), workers(threads),
        forked_bytes(workload, simulated, next(iter(bases), SHELF["least_requests"])),
    )  # fmt: skip
    for base in bases:
        base.compiled  # noqa: B018  compiled once, before the threads ask for it
    scaled = {scale: workload.scaled(scale) for _, scale, _ in lanes}
    outcomes = run_lanes(
        _solve, ((item, scaled[scale], simulated, seed) for item, scale, seed in lanes),
        threads=threads,
    )  # fmt: skip
    played = [
        Played(
            item.name, scale, seed, scaled[scale], outcome,
            {"bases": [base.name for base in item.bases], **item.options},
        )
        for (item, scale, seed), outcome in zip(lanes, outcomes, strict=True)
    ]  # fmt: skip
    return runs_of(trace, cluster, played, "open")


def _solve(item: Oracle, workload: Workload, cluster: Cluster, seed: int) -> Outcome:
    return item.solve(workload, cluster, seed)
