"""`sweep`: one trace on clusters, through routers, at rates, with seeds; each run once."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from workloadlab.arguments import checked, file_path
from workloadlab.errors import UsageError
from workloadlab.execution import Shard, engine_named, watched, watcher
from workloadlab.scoring import KeptScore
from workloadlab.simulation.log_facts import warn_of_contradictions
from workloadlab.sweeping.folder import opened
from workloadlab.sweeping.grid import Grid
from workloadlab.trace import Share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from workloadlab.scoring import SLO, RunScore
    from workloadlab.sweeping.folder import SweepFolder
    from workloadlab.sweeping.grid import AnyClusters, Cell
    from workloadlab.trace import AnyTrace

    Keep = Literal["metrics", "outcomes"]

__all__ = ["Swept", "run_sweep", "sweep"]


@dataclass(frozen=True)
class Swept:
    """What came out of a sweep.

    Attributes:
        grid: what was asked.
        cells: its runs, or those of the shard.
        scores: of the runs that have ended, by run_id.
        replayed: how many were replayed now; the others were there.
    """

    grid: Grid
    cells: list[Cell]
    scores: dict[str, RunScore]
    replayed: int

    @property
    def frame(self) -> pl.DataFrame:
        """One row per run: cluster, instances, router, rate_scale, seed, and what it was scored."""
        sizes = {
            name: sum(pool.instances for pool in cluster.pools)
            for name, cluster in self.grid.clusters.items()
        }
        rows = [
            {
                "cluster": cell.cluster, "instances": sizes[cell.cluster],
                **self.scores[cell.run_id].flat(), "router": cell.router,
            }
            for cell in self.cells
            if cell.run_id in self.scores
        ]  # fmt: skip
        return pl.DataFrame(rows, infer_schema_length=None)


@checked
def sweep(
    trace: AnyTrace,
    clusters: AnyClusters,
    instances: Iterable[int] = (),
    *,
    routers: Any = ("round_robin", "least_requests"),
    rate_scale: float | Iterable[float] = 1.0,
    seeds: int = 1,
    sessions: Literal["open", "closed", "clients"] = "open",
    slo: SLO | str | None = None,
    out: str | Path | None = None,
    keep: Keep = "metrics",
    overwrite: bool = False,
    shard: Shard | str | None = None,
    engine: str = "local",
    address: str | None = None,
    threads: int | None = None,
) -> pl.DataFrame:
    """Replay a trace on every cluster in every size, through every router, and score every run.

    `plan` answers how many instances are enough; a sweep shows the curve. Of a router that draws
    nothing, on a cluster without noise, seeds change nothing, and it is run with the first only.

    Args:
        trace: a trace, its path, or a frame.
        clusters: one or several: clusters or their files; or by name.
        instances: sizes of a cluster of one pool, whose own number then does not matter.
        routers: as for `replay`, but none that chooses in Python.
        rate_scale: arrival rates relative to the trace.
        seeds: number of seeds, 0 to seeds - 1.
        sessions: as for `replay`.
        slo: targets for attainment and goodput, also as words.
        out: folder that keeps what came out. A cell that is there and unchanged is not run again, so
            that a sweep that was stopped goes on; `score` reads the folder.
        keep: "metrics" keeps the score of each run; "outcomes" its outcome trace too, which comparisons
            of pairs of routers need.
        overwrite: run every cell again.
        shard: "3/40" runs every 40th cell, for arrays of jobs without an engine; see `merge`.
        engine: local, dask or ray.
        address: of the cluster of that engine.
        threads: runs at a time on a machine; None for one per core.

    Returns:
        `cluster`, `instances` and the columns of `Scoreboard.frame`, one row for each run.

    Raises:
        UsageError: nothing to replay, a size of a cluster with several pools, or a bad option.
        MachineError: the engine does not answer, or a worker has another version.

    Example:
        >>> from workloadlab import Cluster, LatencyModel, Trace
        >>> trace = Trace.of((0.05 * k, 10, 10) for k in range(100))
        >>> cluster = Cluster.uniform(1, LatencyModel.linear(constant_s=0.05), max_num_seqs=4)
        >>> table = sweep(trace, cluster, [1, 2, 8], slo="ttft=0.2", routers="round_robin")
        >>> table["instances"].to_list(), table["slo_attainment"].is_sorted()
        ([1, 2, 8], True)
    """
    grid = Grid.of(
        trace, clusters, instances, routers=routers, rate_scale=rate_scale, seeds=seeds,
        sessions=sessions, slo=slo,
    )  # fmt: skip
    return run_sweep(
        grid, out=out, keep=keep, overwrite=overwrite, shard=shard, engine=engine, address=address,
        threads=threads,
    ).frame  # fmt: skip


def run_sweep(
    grid: Grid,
    *,
    out: str | Path | None = None,
    keep: str = "metrics",
    overwrite: bool = False,
    shard: Shard | str | None = None,
    engine: str = "local",
    address: str | None = None,
    threads: int | None = None,
    show: Callable[[Swept], None] = lambda _: None,
) -> Swept:
    """Run the cells of a grid that are not there yet.

    Args:
        grid: what is asked.
        out: as for `sweep`.
        keep: as for `sweep`.
        overwrite: as for `sweep`.
        shard: as for `sweep`.
        engine: as for `sweep`.
        address: as for `sweep`.
        threads: as for `sweep`.
        show: called with what has come out so far, at first and whenever a unit has ended.

    Raises:
        UsageError, DataError, MachineError: as `sweep`.
    """
    if keep not in ("metrics", "outcomes"):
        raise UsageError(f"keep = {keep!r}", fix='use "metrics" or "outcomes"')
    if keep == "outcomes" and out is None:
        raise UsageError("no folder to keep the outcomes in", fix="name one with -o")
    if shard is not None and out is None:
        raise UsageError("no folder to keep the shard in", fix="name one with -o")
    part = None if shard is None else Shard.parse(shard)
    cells = grid.cells
    if part:
        own = part.share(cell.run_id for cell in cells)
        cells = [cell for cell in cells if cell.run_id in own]
    with ExitStack() as stack:
        store = None
        if out is not None:
            store, manifest = stack.enter_context(
                opened(file_path("out", out), outcomes=keep == "outcomes", overwrite=overwrite)
            )
        swept = _filled(grid, cells, store, engine, address, threads, show, keep == "outcomes")
        if store:
            store.manifest(cells, grid.cluster_facts, _share(grid, part)).write(manifest)
    return swept


def _filled(
    grid: Grid,
    cells: list[Cell],
    store: SweepFolder | None,
    engine: str,
    address: str | None,
    threads: int | None,
    show: Callable[[Swept], None],
    outcomes: bool,
) -> Swept:
    """Return the scores of all cells, those that are there and those that are not yet."""
    there = {cell.run_id: store.find(cell) if store else None for cell in cells}
    scores = {run_id: score for run_id, score in there.items() if score is not None}
    missing = [cell for cell in cells if cell.run_id not in scores]
    if not missing:
        return Swept(grid, cells, scores, 0)
    from workloadlab.sweeping.playing import play, units_of

    for cluster in grid.clusters.values():
        warn_of_contradictions(cluster.pools, grid.trace)
    for policy in grid.policies:
        policy.compiled  # noqa: B018  refused here, and not by a worker
    tell = watcher()
    with engine_named(engine, address, threads=threads) as runs_on, watched(None):
        units = units_of(
            grid, missing, outcomes=outcomes, threads=runs_on.threads, workers=runs_on.workers
        )
        done = 0
        show(Swept(grid, cells, dict(scores), done))
        tell(done, len(missing))
        for _, ended in runs_on.run(play, units):
            for each in ended:
                if store:
                    store.keep(each)
                scores[each.cell.run_id] = KeptScore.of(each.score, each.cell.run_id).score
            done += len(ended)
            tell(done, len(missing))
            show(Swept(grid, cells, dict(scores), done))
    return Swept(grid, cells, scores, len(missing))


def _share(grid: Grid, part: Shard | None) -> Share | None:
    if part is None:
        return None
    return Share(part.number, part.of, grid.key, tuple(cell.run_id for cell in grid.cells))
