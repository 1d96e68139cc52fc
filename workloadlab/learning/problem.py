"""What a router is trained for: cells of a trace on a cluster, an objective, and a rival to beat."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.learning.blocks import blocks_of
from workloadlab.learning.cells import Cell, both_sizes, cells_at, drawn_cells, play
from workloadlab.learning.objective import TAILS, loss, objective_named
from workloadlab.learning.rivals import Played, Rival, candidates, play_shelf
from workloadlab.simulation.preparation import workload_and_cluster
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workloadlab.execution import Engine
    from workloadlab.routing import Router
    from workloadlab.routing.learned.artefact import LearnedRouter
    from workloadlab.simulation import Cluster
    from workloadlab.simulation.metrics import Metrics, Targets
    from workloadlab.simulation.workload import Workload
    from workloadlab.trace import Trace

__all__ = ["LOADS", "Problem", "silent", "stated"]

LOADS = (0.7, 0.9, 1.05)
"""Arrival rates over saturation: below, near and above it."""


def silent(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Problem:
    """What training works on.

    Attributes:
        cluster: with KV blocks of the trace where it caches.
        objective: its name.
        weights: of the metrics in it.
        loads: arrival rates over saturation.
        training, selection: cells of the two blocks.
        test: requests of the third block, which nothing is chosen by.
        played: the heuristics that could run, in the cells of both blocks.
        rival: the best of them.
        needs: what a router trained here must have of a trace.
        targets: of goodput.
        tails: metrics that must not grow.
        say: told of progress.
        threads: lanes at a time.
        engine: whose workers search, a seed each; None for this process, one after the other.
    """

    cluster: Cluster
    objective: str
    weights: dict[str, float]
    loads: tuple[float, ...]
    training: list[Cell]
    selection: list[Cell]
    test: Workload
    played: Played
    rival: Rival
    needs: frozenset[str]
    targets: Targets
    tails: tuple[str, ...] = TAILS
    say: Callable[[str], None] = field(default=silent)
    threads: int | None = None
    engine: Engine | None = None

    def alone(self) -> Problem:
        """Return the problem as it travels to a worker, which neither talks nor hands work on."""
        return replace(self, say=silent, engine=None)

    @property
    def shelf(self) -> list[Router]:
        """The heuristics that could run."""
        return self.played.policies

    def at_load(self, load: float, among: Callable[[Router], bool]) -> Problem:
        """Return the part of the problem at one load, with the best heuristic there as rival.

        It is the one with the lowest loss to the rival over all loads, since that is what the whole is
        measured by.
        """
        places = [
            [k for k, cell in enumerate(cells) if cell.load == load]
            for cells in (self.training, self.selection)
        ]
        played = self.played.at(*places)
        return replace(
            self,
            loads=(load,),
            training=[self.training[k] for k in places[0]],
            selection=[self.selection[k] for k in places[1]],
            played=played,
            rival=played.closest(self.rival.policy, self.weights, among),
        )

    def training_losses(self, routers: Sequence[LearnedRouter]) -> list[float]:
        """Return the loss of each on the training cells; below 0 beats the rival."""
        return self._losses(routers, self.training, self.rival.training)

    def selection_losses(self, routers: Sequence[LearnedRouter]) -> list[float]:
        """Return the loss of each on the selection cells."""
        return self._losses(routers, self.selection, self.rival.selection)

    def _losses(
        self, routers: Sequence[LearnedRouter], cells: list[Cell], rival: list[Metrics]
    ) -> list[float]:
        played = play([one.router() for one in routers], cells, threads=self.threads)
        return [loss(found, rival, self.weights, self.tails) for found in played]


def stated(
    trace: Trace,
    cluster: Cluster,
    *,
    objective: str,
    loads: Sequence[float],
    targets: Targets,
    say: Callable[[str], None] = silent,
    threads: int | None = None,
    engine: Engine | None = None,
) -> Problem:
    """State the problem, and find the rival.

    Raises:
        UnsupportedError: the trace has no output lengths, or the cluster has events.
        UsageError: one instance, a trace too short for three blocks, loads that are none, a goodput
            without targets, or a pool that cannot serve the trace.
    """
    weights = objective_named(objective)
    _check(cluster, loads, objective, targets)
    workload, there = workload_and_cluster(trace, cluster, (), "open")
    caching = trace.supports("prefix") and any(pool.prefix_caching for pool in there.pools)
    train, select, test = blocks_of(workload)
    training = drawn_cells(train, there, loads, targets=targets)
    selection = [
        cell
        for cluster_of_size in both_sizes(there)
        for cell in cells_at(select, cluster_of_size, loads, targets=targets)
    ]
    shelf = candidates(trace, prefix_caching=caching)
    say(
        f"playing {plural(len(shelf), 'heuristic')} in {plural(len(training) + len(selection), 'cell')}"
    )
    played = play_shelf(shelf, training, selection, threads=threads)
    rival = played.best(weights)
    say(f"the rival is {rival.policy.name}")
    needs = {"predicted_output"} if trace.supports("predicted_output") else set()
    return Problem(
        there, objective, weights, tuple(loads), training, selection, test, played, rival,
        frozenset(needs | ({"prefix"} if caching else set())), targets, say=say, threads=threads,
        engine=engine,
    )  # fmt: skip


def _check(cluster: Cluster, loads: Sequence[float], objective: str, targets: Targets) -> None:
    if len(cluster.instance_names) < 2:
        raise UsageError(
            "one instance leaves a router nothing to choose", fix="use a cluster of at least 2"
        )
    if cluster.events:
        raise UsageError("training on a cluster with events", fix="leave the events out")
    if not loads or not all(0 < load < 10 for load in loads):
        raise UsageError(f"loads {loads!r}", fix="use rates relative to saturation, such as 0.9")
    if objective == "goodput" and targets == type(targets)():
        raise UsageError("goodput without targets", fix="give ttft_s=1.0 or tpot_s=0.05")
