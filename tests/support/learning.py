"""Traces and clusters on which there is something to learn, small enough for a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import workloadlab as wl
from support.traces import requests_at
from workloadlab.learning.cells import Cell, play
from workloadlab.learning.es import evolve
from workloadlab.learning.found import RunFolder
from workloadlab.learning.problem import Problem
from workloadlab.learning.rivals import Played, Rival
from workloadlab.learning.seeds import all_seeds
from workloadlab.routing import SHELF
from workloadlab.simulation.metrics import Targets
from workloadlab.simulation.preparation import workload_and_cluster

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.execution import Engine

__all__ = ["mixed_trace", "searched", "two_speeds"]


def mixed_trace(requests: int = 800, seed: int = 0, **columns: object) -> wl.Trace:
    """Short chats and long documents, as they come."""
    rng = np.random.default_rng(seed)
    long = rng.random(requests) < 0.2
    return requests_at(
        np.cumsum(rng.exponential(0.1, requests)),
        input_tokens=np.where(
            long, rng.integers(2000, 6000, requests), rng.integers(20, 200, requests)
        ),
        output_tokens=np.where(
            long, rng.integers(2, 20, requests), rng.integers(20, 120, requests)
        ),
        **columns,
    )


def two_speeds(instances: int = 4) -> wl.Cluster:
    """Half of the instances take four times as long for a step as the others."""
    fast = {"constant_s": 0.01, "prefill_token_s": 5e-5, "decode_seq_s": 2e-4}
    slow = {name: 4 * seconds for name, seconds in fast.items()}
    return wl.Cluster(
        pools=tuple(
            wl.Pool(
                name=name, instances=instances // 2, latency=wl.LatencyModel.linear(**seconds),
                kv_blocks=4000, step_overhead_s=0.0,
            )
            for name, seconds in (("fast", fast), ("slow", slow))
        )
    )  # fmt: skip


def searched(folder: Path, engine: Engine | None = None) -> None:
    """Search with two seeds for what beats round robin, and keep what they find in a folder."""
    workload, cluster = workload_and_cluster(mixed_trace(400), two_speeds(), (), "open")
    cells = [Cell(1.0, workload, cluster)]
    base = SHELF["round_robin"]
    [[found]] = play([base], cells)
    problem = Problem(
        cluster=cluster, objective="e2e", weights={"e2e_mean_s": 1.0}, loads=(1.0,), training=cells,
        selection=cells, test=workload, played=Played([base], [[found]], [[found]]),
        rival=Rival(base, [found], [found]), needs=frozenset(), targets=Targets(), engine=engine,
    )  # fmt: skip
    all_seeds(evolve, problem, seeds=2, generations=1, kept=RunFolder(folder))
