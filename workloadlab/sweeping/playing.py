"""A unit: some cells of one cluster, replayed and scored, side by side in threads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workloadlab.atomic import scratch_folder
from workloadlab.errors import DataError
from workloadlab.execution import run_lanes
from workloadlab.routing import resolve_all
from workloadlab.scoring import plain_score, score_run
from workloadlab.scoring.metric import Context
from workloadlab.scoring.timings import read_timings
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.preparation import workload_and_cluster
from workloadlab.simulation.runs import Outcomes, Played, options_of
from workloadlab.sweeping.keys import key_of_router, key_of_trace
from workloadlab.trace import RunInfo, Trace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workloadlab.routing import Router
    from workloadlab.scoring import SLO
    from workloadlab.simulation import Cluster
    from workloadlab.simulation.workload import Workload
    from workloadlab.sweeping.grid import Cell, Grid

__all__ = ["Ended", "Unit", "play", "units_of"]

MOST_LANES = 64
"""Of a unit, if a lane takes no longer than one of 30,000 requests."""

REQUESTS = 2_000_000
"""Of a unit with more lanes than threads: some seconds of work."""

SHARES = 3
"""Units for each that runs at a time, so that the last ones do not run alone."""


@dataclass(frozen=True)
class Unit:
    """Cells of one cluster, with what it takes to replay them.

    Attributes:
        trace: its path, or a trace that has none.
        trace_key: its digest.
        cluster: on what.
        cluster_name: what it is called in a sweep of several; else "".
        routers: by name, what names or is the router, and its digest.
        cells: what is replayed.
        sessions, slo: as in the grid.
        outcomes: whether the outcome traces are wanted beside the scores.
    """

    trace: Path | Trace
    trace_key: str
    cluster: Cluster
    cluster_name: str
    routers: dict[str, tuple[Any, str]]
    cells: tuple[Cell, ...]
    sessions: Any
    slo: SLO | None
    outcomes: bool


@dataclass(frozen=True)
class Ended:
    """What became of a cell.

    Attributes:
        cell: which.
        info: what a manifest says of it.
        score: as plain data with a digest.
        trace: the bytes of its outcome trace, where they are wanted.
    """

    cell: Cell
    info: RunInfo
    score: dict[str, Any]
    trace: bytes | None


def units_of(
    grid: Grid, cells: Sequence[Cell], *, outcomes: bool, threads: int, workers: int
) -> list[Unit]:
    """Cut cells into units: long enough to be worth sending, short enough to share and to lose.

    Args:
        grid: of the cells.
        cells: what is to be replayed.
        outcomes: whether outcome traces are wanted.
        threads: that a unit has.
        workers: units that run at a time.
    """
    if not cells:
        return []
    long = max(threads, min(MOST_LANES, REQUESTS // max(1, grid.trace.requests)))
    size = max(1, min(long, -(-len(cells) // (SHARES * workers))))
    words = dict(zip((each.name for each in grid.policies), grid.routers, strict=True))
    units = []
    for name, cluster in grid.clusters.items():
        own = [cell for cell in cells if cell.cluster == name]
        for start in range(0, len(own), size):
            block = tuple(own[start : start + size])
            routers = {
                cell.router: (words[cell.router], grid.router_keys[cell.router]) for cell in block
            }
            units.append(
                Unit(
                    grid.trace.path or grid.trace, grid.trace_key, cluster,
                    name if len(grid.clusters) > 1 else "", routers, block, grid.sessions,
                    grid.slo, outcomes,
                )
            )  # fmt: skip
    return units


def play(unit: Unit, threads: int | None) -> list[Ended]:
    """Replay and score the cells of a unit.

    Args:
        unit: from `units_of`.
        threads: lanes at a time; None for one per core.

    Raises:
        DataError: the trace or a router is another one here than where the sweep was started.
        UsageError, UnsupportedError: as `replay`.
    """
    trace = _trace_of(unit)
    policies = {name: _router_of(name, *given) for name, given in unit.routers.items()}
    for policy in policies.values():
        policy.compiled  # noqa: B018  compiled once, before the threads ask for it
    workload, simulated = workload_and_cluster(
        trace, unit.cluster, policies.values(), unit.sessions
    )
    scales = {cell.rate_scale for cell in unit.cells}
    scaled = {scale: workload.scaled(scale) for scale in scales}
    outcomes = Outcomes(trace, unit.cluster, unit.sessions)
    _ = outcomes.base  # read once, before the threads ask for it

    with scratch_folder("workloadlab-unit-") as scratch:

        def one(cell: Cell) -> Ended:
            policy, requests = policies[cell.router], scaled[cell.rate_scale]
            raw = scratch / cell.key if unit.outcomes else None
            return _played(unit, cell, policy, requests, simulated, outcomes, raw)

        return run_lanes(one, ((cell,) for cell in unit.cells), threads=threads)


def _played(
    unit: Unit,
    cell: Cell,
    policy: Router,
    workload: Workload,
    cluster: Cluster,
    outcomes: Outcomes,
    raw: Path | None,
) -> Ended:
    """Replay and score one cell; write its outcome trace down at `raw`, if it is wanted."""
    outcome = replay_lane(workload, cluster, policy, cell.seed)
    lane = Played(cell.router, cell.rate_scale, cell.seed, workload, outcome, options_of(policy))
    info, trace = outcomes.of(lane)
    router = f"{cell.cluster}: {cell.router}" if unit.cluster_name else cell.router
    info = replace(info, run_id=cell.run_id, router=router, cluster=unit.cluster_name)
    context = Context(slo=unit.slo, instances=info.instances)
    content = None
    if raw:
        trace.write(raw)
        content = raw.read_bytes()
        raw.unlink()
    score = plain_score(info, score_run(info, read_timings(trace), context), unit.slo)
    return Ended(cell, info, score, content)


_opened: dict[str, Trace] = {}
"""The trace that was last replayed in this process, by its digest: a node reads it once."""


def _trace_of(unit: Unit) -> Trace:
    if isinstance(unit.trace, Trace):
        return unit.trace
    if unit.trace_key not in _opened:
        trace = Trace.open(unit.trace)
        if key_of_trace(trace) != unit.trace_key:
            raise DataError(
                "is another trace here than where the sweep was started", where=str(unit.trace),
                fix="let every worker see the same file",
            )  # fmt: skip
        _opened.clear()
        _opened[unit.trace_key] = Trace(trace.frame.collect().lazy(), trace.provenance, trace.path)
    return _opened[unit.trace_key]


def _router_of(name: str, given: Any, key: str) -> Router:
    from workloadlab.latency import load_predictor

    [policy] = resolve_all([given], load=load_predictor)
    if key_of_router(policy) != key:
        raise DataError(
            f"router {name!r} is another one here than where the sweep was started",
            fix="let every worker see the same file",
        )
    return replace(policy, name=name)
