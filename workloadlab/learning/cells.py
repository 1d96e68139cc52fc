"""Cells: what a router is tried on. Requests at a load, on a cluster, the same for every router."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.execution import run_lanes
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.metrics import Targets, metrics_of
from workloadlab.simulation.saturation import saturation_rps
from workloadlab.simulation.windows import Window, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.latency import LatencyModel
    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster
    from workloadlab.simulation.metrics import Metrics
    from workloadlab.simulation.workload import Workload

__all__ = ["Cell", "at_load", "both_sizes", "cells_at", "drawn_cells", "play", "with_instances"]

MOST = 4_000
"""Requests of a cell: enough for a p99, few enough for a thousand replays."""

SPREAD = 0.2
"""By how much the constants of the latency model differ between training cells, up and down."""


@dataclass(frozen=True)
class Cell:
    """One condition of a comparison; the same requests and draws for every router tried on it.

    Attributes:
        load: arrival rate / saturation.
        workload: at that load.
        cluster: what is routed to.
        seed: of the run.
        targets: for goodput.
    """

    load: float
    workload: Workload
    cluster: Cluster
    seed: int = 0
    targets: Targets = field(default_factory=Targets)

    @property
    def instances(self) -> int:
        """Size of the cluster."""
        return len(self.cluster.instance_names)


def with_instances(cluster: Cluster, instances: int) -> Cluster:
    """Return the cluster with so many instances, the pools in their proportion, at least one each."""
    now = len(cluster.instance_names)
    pools = tuple(
        replace(pool, instances=max(1, round(pool.instances * instances / now)))
        for pool in cluster.pools
    )
    return replace(cluster, pools=pools)


def both_sizes(cluster: Cluster) -> list[Cluster]:
    """Return the cluster, and one with twice as many instances: the sizes that a router must serve.

    What serves four instances may fail on eight, where queues are shorter and the tail is another.
    """
    return [cluster, with_instances(cluster, 2 * len(cluster.instance_names))]


def at_load(workload: Workload, load: float, saturated_rps: float) -> Workload:
    """Return a workload with arrivals at a load: its mean rate over the rate at saturation.

    Raises:
        UsageError: all arrive at one moment.
    """
    span_s = float(workload.arrival_s[-1] - workload.arrival_s[0])
    if span_s <= 0:
        raise UsageError("all requests arrive at one moment, so they have no rate to scale")
    return workload.scaled(load * saturated_rps * span_s / len(workload))


def cells_at(
    workload: Workload,
    cluster: Cluster,
    loads: Sequence[float],
    *,
    seed: int = 0,
    targets: Targets | None = None,
) -> list[Cell]:
    """Return the first 4,000 requests of a block at every load."""
    saturated = saturation_rps(workload, cluster)
    part = _part(workload, 0)
    return [
        Cell(load, at_load(part, load, saturated), cluster, seed, targets or Targets())
        for load in loads
    ]


def drawn_cells(
    workload: Workload,
    cluster: Cluster,
    loads: Sequence[float],
    *,
    seed: int = 0,
    targets: Targets | None = None,
) -> list[Cell]:
    """Return training cells: every load at both sizes, each on its own part of the block.

    The first cell has the latency models as they are. In the others the seconds of prompts and those of
    decodes differ by up to 20 %, so that nothing is learned by heart of a fit that has errors itself.
    """
    rng = np.random.default_rng(seed)
    cells = []
    for k, (of_size, load) in enumerate(product(both_sizes(cluster), loads)):
        factors = np.exp(rng.uniform(-SPREAD, SPREAD, 2)) if k else (1.0, 1.0)
        there = _perturbed(of_size, *factors)
        saturated = saturation_rps(workload, there)
        part = at_load(_part(workload, k), load, saturated)
        cells.append(Cell(load, part, there, seed, targets or Targets()))
    return cells


def _part(workload: Workload, k: int) -> Workload:
    """Return the `k`-th 4,000 requests of a block, from the start again behind its end."""
    parts = max(1, len(workload) // MOST)
    first = k % parts * MOST
    last = min(first + MOST, len(workload))
    return cut(workload, Window(first, last, float(workload.arrival_s[first])))


def _perturbed(cluster: Cluster, prefill: float, decode: float) -> Cluster:
    pools = tuple(
        replace(pool, latency=_with_factors(pool.latency, prefill, decode))
        for pool in cluster.pools
    )
    return replace(cluster, pools=pools)


def _with_factors(model: LatencyModel, prefill: float, decode: float) -> LatencyModel:
    """Return a linear model with other constants; one of another kind has none to change."""
    if model.estimator != "linear":
        return model
    factors = {"prefill": prefill, "decode": decode}
    changed = {
        name: value * factors.get(name.split("_")[0], 1.0) if isinstance(value, float) else value
        for name, value in model.coefficients.items()
    }
    return replace(model, coefficients=changed)


def play(
    policies: Sequence[Router], cells: Sequence[Cell], *, threads: int | None = None
) -> list[list[Metrics]]:
    """Return what every router comes to in every cell."""
    for policy in policies:
        policy.compiled  # noqa: B018  compiled once, before the threads ask for it
    tasks = [(policy, cell) for policy in policies for cell in cells]
    found = run_lanes(_played, tasks, threads=threads)
    return [found[k : k + len(cells)] for k in range(0, len(found), len(cells))]


def _played(policy: Router, cell: Cell) -> Metrics:
    outcome = replay_lane(cell.workload, cell.cluster, policy, cell.seed)
    return metrics_of(outcome, cell.workload, cell.targets)
