"""Trains in a setting and measures on its test block; keeps what is done, so that it goes on there.

What was measured lies in a file for each setting and method, which the repository keeps: the page is
written from all of it, whatever runs anew. To measure again, remove the file. Seeds that have ended lie
in a folder beside it, which is not kept.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
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

__all__ = [
    "INSTANCES",
    "MEASURES",
    "SHOWN",
    "TRAINED_ON",
    "heuristics",
    "search",
    "train",
    "trained_by",
]

SEEDS = 3
TRAINED_ON = 4
"""Instances in training."""

INSTANCES = (4, 8, 16)
"""Instances in the test."""

SHOWN = INSTANCES[:2]
"""Instances of the cells that are shown one by one, and searched."""

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


def tested(problem: Problem, sizes: tuple[int, ...]) -> list[Cell]:
    """The last quarter of the trace at every load and size."""
    return [
        cell
        for instances in sizes
        for cell in cells_at(
            problem.test, with_instances(problem.cluster, instances), problem.loads
        )
    ]


def trained_by() -> str:
    """Git's digest of the folder that trains, which is the same in every clone and after a rebase."""
    asked = ["git", "rev-parse", "--short", "HEAD:workloadlab/learning"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _kept(path: Path) -> Any:
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def _keep(path: Path, facts: dict[str, Any]) -> None:
    """Write facts with the day and the code that measured them, a cell on each line."""
    measured = [f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", trained_by()]
    lines = [
        f"  {json.dumps(name)}: {_lines(value) if name == 'cells' else json.dumps(value)}"
        for name, value in {"measured": measured, **facts}.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    beside.replace(path)


def _lines(cells: list[dict[str, Any]]) -> str:
    return "[\n" + ",\n".join(f"    {json.dumps(cell)}" for cell in cells) + "\n  ]"


def heuristics(name: str, data: Path, folder: Path) -> dict[str, Any]:
    """The heuristic that was selected before the test cells, round robin, and the three best in each."""
    path = folder / name / "heuristics.json"
    kept = _kept(path)
    if kept is None:
        problem = problem_of(name, data)
        selected = problem.rival.policy.name
        cells = _played(problem.shelf, problem)
        for cell in cells:
            shelf = cell["routers"]
            best = sorted(shelf, key=lambda one: (-shelf[one]["served"], shelf[one]["e2e_mean_s"]))
            asked = {*best[:3], selected, "round_robin"}
            cell["routers"] = {one: shelf[one] for one in best if one in asked}
        kept = {"selected": selected, "cells": cells}
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


def search(name: str, data: Path, folder: Path) -> dict[str, Any]:
    """What a search in hindsight finds in each cell, from the best heuristics there."""
    path = folder / name / "search.json"
    kept = _kept(path) or {"trials": TRIALS, "cells": []}
    problem, shelf = problem_of(name, data), heuristics(name, data, folder)
    policies = {policy.name: policy for policy in problem.shelf}
    cells, done = tested(problem, SHOWN), len(kept["cells"])
    for cell, row in zip(cells[done:], shelf["cells"][done : len(cells)], strict=True):
        best = list(row["routers"])[:3]
        oracle = hindsight([policies[one] for one in best], trials=TRIALS)
        outcome = oracle.solve(cell.workload, cell.cluster, cell.seed)
        found = asdict(metrics_of(outcome, cell.workload))
        kept = kept | {"cells": [*kept["cells"], _row(cell, {"hindsight": found})]}
        _keep(path, kept)
    return kept


def _named(router: LearnedRouter, name: str) -> Router:
    return replace(router.router(), name=name)


def _played(policies: list[Router], problem: Problem) -> list[dict[str, Any]]:
    cells = tested(problem, INSTANCES)
    found = play(policies, cells, threads=problem.threads)
    return [
        _row(cell, {p.name: asdict(one[k]) for p, one in zip(policies, found, strict=True)})
        for k, cell in enumerate(cells)
    ]


def _row(cell: Cell, routers: dict[str, Any]) -> dict[str, Any]:
    shown = {
        name: {measure: float(f"{found[measure]:.6g}") for measure in (*MEASURES, "served")}
        for name, found in routers.items()
    }
    return {"instances": cell.instances, "load": cell.load, "routers": shown}
