"""Trains in a setting and measures on its test block; keeps what is done, so that it goes on there."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from support.study.settings import SETTINGS
from workloadlab.learning import LOADS
from workloadlab.learning.cells import cells_at, play, with_instances
from workloadlab.learning.found import RunFolder
from workloadlab.learning.problem import stated
from workloadlab.learning.train import METHODS
from workloadlab.oracles.hindsight import hindsight
from workloadlab.routing.learned.artefact import HEURISTIC, LearnedRouter
from workloadlab.simulation.metrics import Targets, metrics_of

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.learning.cells import Cell
    from workloadlab.learning.problem import Problem
    from workloadlab.routing import Router

__all__ = ["INSTANCES", "MEASURES", "TRAINED_ON", "heuristics", "search", "train"]

SEEDS = 3
TRAINED_ON = 4
"""Instances in training."""

INSTANCES = (4, 8, 16)
"""Instances in the test."""

MEASURES = ("e2e_mean_s", "ttft_mean_s", "ttft_p99_s")
TRIALS = 30_000
"""Placements that the hindsight search of a cell tries."""


@cache
def problem_of(name: str, data: Path) -> Problem:
    setting = SETTINGS[name]
    return stated(
        setting.trace(data), setting.cluster(TRAINED_ON),
        objective="balanced", loads=LOADS, targets=Targets(),
    )  # fmt: skip


def test_cells(problem: Problem) -> list[Cell]:
    """The last quarter of the trace at every load and size."""
    return [
        cell
        for instances in INSTANCES
        for cell in cells_at(
            problem.test, with_instances(problem.cluster, instances), problem.loads
        )
    ]


def _kept(path: Path) -> Any:
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def _keep(path: Path, facts: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    beside.replace(path)


def heuristics(name: str, data: Path, folder: Path) -> dict[str, Any]:
    """The shelf on the test cells, and the heuristic that was selected before them."""
    path = folder / name / "heuristics.json"
    kept = _kept(path)
    if kept is None:
        problem = problem_of(name, data)
        kept = {"selected": problem.rival.policy.name, "cells": _played(problem.shelf, problem)}
        _keep(path, kept)
    return kept


def train(name: str, method: str, data: Path, folder: Path) -> dict[str, Any]:
    """A method's router, and each of its seeds, on the test cells."""
    path = folder / name / f"{method}.json"
    kept = _kept(path)
    if kept is None:
        problem = problem_of(name, data)
        runs = RunFolder(folder / name / method)
        trained = METHODS[method](problem, seeds=SEEDS, generations=None, kept=runs)
        rival = {"router": problem.rival.policy.name}
        router = trained.router or LearnedRouter(form=HEURISTIC, body=rival)
        policies = [_named(router, method)]
        found = [runs.found(seed) for seed in range(SEEDS)]
        policies += [
            _named(one.router, f"{method}, seed {one.seed}") for one in found if one is not None
        ]
        kept = {
            "verdict": trained.verdict, "facts": trained.facts, "learned": trained.router is not None,
            "cells": _played(policies, problem),
        }  # fmt: skip
        _keep(path, kept)
    return kept


def search(name: str, data: Path, folder: Path) -> list[dict[str, Any]]:
    """What a search in hindsight finds in each cell, from the best heuristics there."""
    path = folder / name / "search.json"
    kept = _kept(path) or []
    problem, shelf = problem_of(name, data), heuristics(name, data, folder)
    for k, cell in enumerate(test_cells(problem)[len(kept) :], len(kept)):
        played = shelf["cells"][k]["routers"]
        best = sorted(played, key=lambda one: played[one]["e2e_mean_s"])[:3]
        policies = {policy.name: policy for policy in problem.shelf}
        oracle = hindsight([policies[one] for one in best], trials=TRIALS)
        outcome = oracle.solve(cell.workload, cell.cluster, cell.seed)
        kept.append(_row(cell, {"hindsight": asdict(metrics_of(outcome, cell.workload))}))
        _keep(path, kept)
    return kept


def _named(router: LearnedRouter, name: str) -> Router:
    return replace(router.router(), name=name)


def _played(policies: list[Router], problem: Problem) -> list[dict[str, Any]]:
    cells = test_cells(problem)
    found = play(policies, cells, threads=problem.threads)
    return [
        _row(cell, {p.name: asdict(one[k]) for p, one in zip(policies, found, strict=True)})
        for k, cell in enumerate(cells)
    ]


def _row(cell: Cell, routers: dict[str, Any]) -> dict[str, Any]:
    shown = {
        name: {measure: found[measure] for measure in (*MEASURES, "served")}
        for name, found in routers.items()
    }
    return {"instances": cell.instances, "load": cell.load, "routers": shown}
