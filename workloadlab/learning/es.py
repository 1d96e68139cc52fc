"""Evolution strategy: CMA-ES over the numbers of the linear router, around known heuristics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UnsupportedError
from workloadlab.learning.found import Found
from workloadlab.learning.gradients import gradients_of
from workloadlab.routing import SHELF
from workloadlab.routing.learned.artefact import LearnedRouter
from workloadlab.routing.learned.rules import RULES
from workloadlab.routing.learned.terms import GRADIENTS, TERMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.learning.problem import Problem

    Floats = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["HOLDS", "STARTS", "best_start", "evolve", "router_at", "start_of"]

STARTS: dict[str, tuple[str, ...]] = {
    "mixing_seconds": ("wait", "prefill", "context", "stall", "slow_batch", "slow_context"),
    "lmetric": ("backlog_times_batch",),
    "predicted_latency": ("wait", "prefill", "decode", "decode_beside"),
    "least_requests": ("batch",),
}
"""Heuristics that the linear form holds: the costs that count in each. The best begins the search."""

SHIPPED = "mixing_seconds"
"""The heuristic that also begins with its numbers as shipped: blind to speeds, without a cap."""

GENERATIONS, OFFSPRING = 60, 14
SIGMA = 0.6
"""Standard deviation of the first trials, in logarithms of a weight."""

_TRACE = -4.0
"""Logarithm of the weight that all other costs begin with, relative to those that count."""

_OPTIONS = {
    "speed": (1.0, 0.5),
    "cap_weight": (np.log(0.3), 1.0),
    "cap_times": (np.log(3.0), 1.0),
    "cap_floor_s": (np.log(0.5), 1.0),
    "hold_ratio": (1.0, 0.7),
    "hold_share": (0.05, 0.1),
    "hold_wait_s": (np.log(3.0), 1.0),
}
"""Start of the other numbers, and their spread as a multiple of `SIGMA`; a held wait is in steps."""

_AS_IT_IS = ("speed", "hold_ratio", "hold_share")
"""Numbers that are searched as they are; the others are positive, and searched as logarithms."""

HOLDS = ("hold_ratio", "hold_wait_s")
"""The rules that keep a request in the router's queue: for want of blocks, and for a long wait."""

_NAMES = (*_OPTIONS, *TERMS)
_SOME_HOLDS = ((), ("hold_ratio",), ("hold_wait_s",), HOLDS)
_PATIENCE = 1 / 3


def start_of(heuristic: str) -> Floats:
    """Return the point of a heuristic in seconds of the cluster, with traces of all else."""
    return _point(dict.fromkeys(STARTS[heuristic], 0.5), {})


def shipped_start(gradients: Sequence[float]) -> Floats:
    """Return the point of `mixing_seconds` with the numbers that it ships with.

    Prompts weigh more there than the steps of a fast GPU say, which keeps sizes apart.
    """
    alpha, *shipped = SHELF[SHIPPED].params
    _, g1, g2, g3 = (alpha * a / b for a, b in zip((0.0, *shipped), gradients, strict=True))
    weights = dict.fromkeys(("wait", "prefill", "stall"), g1) | {"slow_batch": g2}
    weights |= dict.fromkeys(("context", "slow_context"), g3)
    return _point(weights, {"speed": 0.0, "cap_weight": _TRACE})


def _point(weights: dict[str, float], options: dict[str, float]) -> Floats:
    least = min(weights.values()) * np.exp(_TRACE)
    started = {name: start for name, (start, _) in _OPTIONS.items()} | options
    return np.array([*started.values(), *(np.log(weights.get(name, least)) for name in TERMS)])


def router_at(
    point: Floats, gradients: Sequence[float], *, holds: Sequence[str] = ()
) -> LearnedRouter:
    """Return the linear router at a point of the search, with the hold rules that are named."""
    at = dict(zip(_NAMES, point, strict=True))
    values = {
        name: float(value if name in _AS_IT_IS else np.exp(min(value, 50.0)))
        for name, value in at.items()
    }
    values |= dict(zip(GRADIENTS, gradients, strict=True))
    values["hold_ratio"] = abs(values["hold_ratio"])
    values["hold_wait_s"] *= gradients[0]
    values |= {rule: -1.0 for rule in HOLDS if rule not in holds}
    return LearnedRouter(
        rules={name: values[name] for name in RULES}, body={name: values[name] for name in TERMS}
    )


def best_start(problem: Problem, gradients: Sequence[float]) -> tuple[Floats, tuple[str, ...]]:
    """Return the point of a heuristic and the hold rules with the lowest loss on the training cells."""
    points = [shipped_start(gradients), *map(start_of, STARTS)]
    starts = [(point, holds) for point in points for holds in _SOME_HOLDS]
    begun = [router_at(start, gradients, holds=holds) for start, holds in starts]
    return starts[int(np.argmin(problem.training_losses(begun)))]


def evolve(problem: Problem, *, generations: int | None, seed: int) -> Found:
    """Search the numbers that beat the rival on the training cells; keep the best by the selection.

    It begins at the best of the heuristics that the form holds, with or without each hold rule.
    Every trial meets the same requests and the same draws, so trials differ by their numbers only. The
    search ends when a third of its generations brought nothing on the selection cells.

    Raises:
        UnsupportedError: the package `cma` is not installed.
    """
    try:
        import cma
    except ImportError as error:
        raise UnsupportedError(
            "training by evolution needs the package cma", fix="pip install 'workloadlab[learn]'"
        ) from error
    gradients, generations = gradients_of(problem.cluster), generations or GENERATIONS

    best, holds = best_start(problem, gradients)

    def at(points: Sequence[Floats]) -> list[LearnedRouter]:
        return [router_at(point, gradients, holds=holds) for point in points]

    spread = [_OPTIONS.get(name, (0.0, 1.0))[1] for name in _NAMES]
    options = {"seed": seed + 1, "verbose": -9, "popsize": OFFSPRING, "CMA_stds": spread}
    search = cma.CMAEvolutionStrategy(best, SIGMA, options)
    [lowest] = problem.selection_losses(at([best]))
    since, curve = 0, []
    for generation in range(generations):
        points = search.ask()
        found = problem.training_losses(at(points))
        search.tell(points, found)
        chosen = [search.mean, points[int(np.argmin(found))]]
        selected = problem.selection_losses(at(chosen))
        k = int(np.argmin(selected))
        since += 1
        if selected[k] < lowest:
            best, lowest, since = chosen[k], selected[k], 0
        curve.append((float(min(found)), lowest))
        problem.say(
            f"es, seed {seed}, generation {generation + 1} of {generations}: training "
            f"{min(found):+.3f}, selection {lowest:+.3f}"
        )
        if since > _PATIENCE * generations:
            break
    [router] = at([best])
    return Found(router, problem.training_losses([router])[0], lowest, curve, seed)
