"""Imitation: small boosted trees that learn what each choice would have cost, from their own states.

Each round plays the student on the training cells and labels some of its decisions: every instance is
tried, and the trial goes on by the plan that hindsight search found for the cell. The trees learn the
cost above the least of the decision, over all rounds so far (DAgger, Ross et al. 2011), and are kept
only while the loss on the selection cells falls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.execution import on_one_thread
from workloadlab.learning.es import HOLDS, best_start, router_at
from workloadlab.learning.found import Found
from workloadlab.learning.gradients import gradients_of
from workloadlab.oracles.hindsight import plan_of
from workloadlab.oracles.labels import labels_of
from workloadlab.routing import empty_memory, resolve
from workloadlab.routing.learned.artefact import LearnedRouter
from workloadlab.routing.learned.features import FEATURES
from workloadlab.routing.learned.terms import TERMS
from workloadlab.routing.memory import CELLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.learning.cells import Cell
    from workloadlab.learning.problem import Problem
    from workloadlab.oracles.labels import Labels

    Floats = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["features_of", "imitate", "trees_of"]

ROUNDS = 5
LABELS = 2_800
"""Decisions with a label in a round, over all training cells."""

AHEAD = 128
TRIALS = 16_000
"""Placements that hindsight searches try, over all training cells."""

TREES, LEVELS, RATE = 40, 4, 0.15
CAPS = (0.0, 0.3, 3.0)
"""Weights of the cap that are tried with every student, in the labels' spread per second of wait."""

_CLIP = 0.98
"""Quantile at which costs are clipped: a few long queues would drown the rest."""


def imitate(problem: Problem, *, generations: int | None, seed: int) -> Found:
    """Learn the costs of choices in rounds; keep the student that is best on the selection cells.

    It begins at the best of the heuristics that the linear form holds.
    """
    gradients = gradients_of(problem.cluster)
    begun, holds = best_start(problem, gradients)
    student = router_at(begun, gradients, holds=holds)
    best, [lowest] = student, problem.selection_losses([student])
    plans = [_plan(problem, cell, seed) for cell in problem.training]
    labels_each = LABELS / len(problem.training)
    inputs, targets, curve = [], [], []
    for number in range(generations or ROUNDS):
        for cell, plan in zip(problem.training, plans, strict=True):
            labels = labels_of(
                cell.workload, cell.cluster, student.router(), plan,
                ahead=AHEAD, share=min(1.0, labels_each / len(cell.workload)), seed=seed + 100 * number,
            )  # fmt: skip
            rows, costs = _rows(student, labels)
            inputs.append(rows)
            targets.append(costs)
        body = trees_of(np.concatenate(inputs), np.concatenate(targets), seed)
        students = [
            LearnedRouter(form="trees", rules={**best.rules, "cap_weight": cap}, body=body)
            for cap in CAPS
        ]
        selected = problem.selection_losses(students)
        student = students[int(np.argmin(selected))]
        problem.say(
            f"imitation, seed {seed}, round {number + 1}: selection {min(selected):+.3f}, "
            f"best {min(lowest, *selected):+.3f}"
        )
        curve.append((float(min(selected)), float(min(lowest, *selected))))
        if min(selected) < lowest:
            best, lowest = student, min(selected)
        elif number and min(selected) > curve[-2][0]:
            break
    return Found(best, problem.training_losses([best])[0], lowest, curve, seed)


def _plan(problem: Problem, cell: Cell, seed: int) -> Floats:
    """Return where hindsight search sends each request of a cell, from the rival's assignment."""
    starts = [problem.rival.policy, resolve("least_requests")]
    trials = TRIALS // len(problem.training)
    return plan_of(starts, cell.workload, cell.cluster, trials, AHEAD, seed).astype(float)


def _rows(student: LearnedRouter, labels: Labels) -> tuple[Floats, Floats]:
    """Return features and costs above the least of every choice, one row for each that was possible."""
    costs = labels.costs[:, :-1]
    above = costs - np.nanmin(costs, axis=1, keepdims=True)
    possible = np.isfinite(above)
    features = features_of(student.rules, labels)
    return features[possible], above[possible]


def features_of(rules: dict[str, float], labels: Labels) -> Floats:
    """Return what the compiled trees see, (decisions, instances, features): read off their memory."""
    none = {
        "features": [],
        "constant": 0.0,
        "levels": 1,
        "feature": [],
        "threshold": [],
        "leaf": [],
    }
    policy = LearnedRouter(
        form="trees", rules={**rules, **dict.fromkeys(HOLDS, -1.0)}, body=none
    ).router()
    decisions, instances = labels.instances.shape
    costs = np.full((decisions, instances, len(TERMS)), np.nan)
    params, memory = np.array(policy.params), empty_memory(instances)
    for k in range(decisions):
        policy.compiled(labels.requests[k], labels.instances[k], params, memory)
        costs[k] = memory[CELLS : CELLS + len(TERMS) * instances].reshape(instances, -1)
    fits = labels.instances["fits"] == 1
    costs[~fits] = np.nan
    least = np.nanmin(costs, axis=1, keepdims=True)
    asked = np.stack([labels.requests[name] for name in FEATURES[2 * len(TERMS) :]], axis=1)
    return np.concatenate(
        [costs, costs - least, np.repeat(asked[:, None, :], instances, axis=1).astype(float)],
        axis=2,
    )


def trees_of(inputs: Floats, targets: Floats, seed: int) -> dict[str, Any]:
    """Fit boosted trees of at most 16 leaves on costs above the least, and lay them out in full levels.

    Costs are clipped at their 98th hundredth and given in its unit.

    Args:
        inputs: (rows, features), as `FEATURES` orders them.
        targets: (rows,) in weighted seconds.
        seed: of the fit.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    most = max(float(np.quantile(targets, _CLIP)), 1e-9)
    fitted = HistGradientBoostingRegressor(
        max_iter=TREES,
        max_depth=LEVELS,
        max_leaf_nodes=2**LEVELS,
        learning_rate=RATE,
        min_samples_leaf=20,
        early_stopping=False,
        random_state=seed,
    )
    with on_one_thread("sklearn.ensemble"):
        fitted.fit(inputs, np.minimum(targets, most) / most)
    feature, threshold, leaf = [], [], []
    for (predictor,) in fitted._predictors:
        for split, at in _inner(predictor.nodes):
            feature.append(split)
            threshold.append(at)
        leaf += _leaves(predictor.nodes)
    return {
        "features": list(FEATURES),
        "constant": float(fitted._baseline_prediction.ravel()[0]),
        "levels": LEVELS,
        "feature": feature,
        "threshold": threshold,
        "leaf": leaf,
    }


def _level(nodes: Any, places: Sequence[int]) -> list[int]:
    """Return the places of the next level; a leaf is its own two children."""
    return [
        child
        for k in places
        for child in ((k, k) if nodes["is_leaf"][k] else (nodes["left"][k], nodes["right"][k]))
    ]


def _inner(nodes: Any) -> list[tuple[int, float]]:
    """Return feature and threshold of every node above the leaves, level by level."""
    places, found = [0], []
    for _ in range(LEVELS):
        for k in places:
            leaf = bool(nodes["is_leaf"][k])
            found.append(
                (0, 0.0)
                if leaf
                else (int(nodes["feature_idx"][k]), float(nodes["num_threshold"][k]))
            )
        places = _level(nodes, places)
    return found


def _leaves(nodes: Any) -> list[float]:
    places = [0]
    for _ in range(LEVELS):
        places = _level(nodes, places)
    return [float(nodes["value"][k]) for k in places]
