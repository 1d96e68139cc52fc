"""Gauss-Newton for residuals that come out of a simulator.

A simulation is piecewise smooth: a little more or less time per step reorders who meets whom in a
batch. Differences over a step that is large at first and shrinks with the progress average over that,
and each kind of residual is weighted by its own spread, so that noise in one does not drown another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.execution import run_lanes

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Fit", "loss_of", "minimise", "weights_of"]

Floats = Any

_FLOOR = 1e-4
_WIDEST, _FINEST = 0.02, 2e-4
_ITERATIONS = 30


@dataclass(frozen=True)
class Fit:
    """Where the search ended.

    Attributes:
        shares: the parameters.
        residuals: there.
        jacobian: of the residuals with respect to the shares.
        loss: see `loss_of`.
        evaluations: simulations run.
    """

    shares: Floats
    residuals: Floats
    jacobian: Floats
    loss: float
    evaluations: int


def _spreads(residuals: Floats, groups: Floats) -> Floats:
    count = np.bincount(groups)
    return np.bincount(groups, np.abs(residuals)) / np.maximum(count, 1) + _FLOOR


def loss_of(residuals: Floats, groups: Floats, emphasis: Floats) -> float:
    """Sum over kinds of residual of emphasis x log of the mean absolute residual.

    The likelihood of Laplace noise with an unknown scale per kind.
    """
    return float(emphasis @ np.log(_spreads(residuals, groups)))


def weights_of(residuals: Floats, groups: Floats, emphasis: Floats) -> Floats:
    """Weights whose least-squares step lowers `loss_of`: 1/|r| beyond half the kind's spread."""
    spread = _spreads(residuals, groups)
    count = np.bincount(groups)
    scale = spread[groups]
    per_row = (emphasis / np.maximum(count, 1))[groups]
    return per_row / (scale * np.maximum(np.abs(residuals), 0.5 * scale))


def minimise(
    residuals: Callable[[Floats], Floats], groups: Floats, emphasis: Floats, start: Floats
) -> Fit:
    """Search the non-negative shares that bring the residuals nearest to zero."""
    shares = np.asarray(start, float)
    now = residuals(shares)
    loss = loss_of(now, groups, emphasis)
    width, damping, evaluations, stuck = _WIDEST, 1e-3, 1, 0
    jacobian = np.zeros((len(now), len(shares)))
    for _ in range(_ITERATIONS):
        jacobian, spent = _jacobian(residuals, shares, now, width)
        evaluations += spent
        weight = weights_of(now, groups, emphasis)
        better = None
        for _ in range(4):
            trial = _step(jacobian, now, weight, shares, damping)
            found = residuals(trial)
            evaluations += 1
            if (lower := loss_of(found, groups, emphasis)) < loss:
                better = trial, found, lower
                damping = max(damping / 5, 1e-6)
                break
            damping *= 8
        moved = width if better is None else float(np.abs(better[0] - shares).max())
        if better is None:
            damping = 1e-3
        gain = 0.0 if better is None else loss - better[2]
        if better is not None:
            shares, now, loss = better
        stuck = stuck + 1 if gain < 1e-3 * emphasis.sum() else 0
        if width <= _FINEST and (better is None or stuck >= 3):
            break
        if better is None or stuck:
            width = max(_FINEST, width / 3)
        else:
            width = min(_WIDEST, max(_FINEST, moved / 2))
    return Fit(shares, now, jacobian, loss, evaluations)


def _jacobian(
    residuals: Callable[[Floats], Floats], shares: Floats, now: Floats, width: float
) -> tuple[Floats, int]:
    points = []
    for index in range(len(shares)):
        for side in (1, -1):
            point = shares.copy()
            point[index] = max(0.0, point[index] + side * width)
            points.append(point)
    found = run_lanes(residuals, ((point,) for point in points))
    columns = []
    for index in range(len(shares)):
        above, below = 2 * index, 2 * index + 1
        span = points[above][index] - points[below][index]
        columns.append((found[above] - found[below]) / span)
    return np.column_stack(columns), len(points)


def _step(
    jacobian: Floats, now: Floats, weight: Floats, shares: Floats, damping: float
) -> Floats:
    """Minimise the damped weighted squares of the linearised residuals over shares >= 0."""
    from scipy.optimize import nnls

    normal = (jacobian * weight[:, None]).T @ jacobian
    size = np.diag(normal)
    ridge = damping * (size + 1e-3 * max(float(size.max()), 1e-12))
    normal = normal + np.diag(ridge)
    slope = jacobian.T @ (weight * now)
    root = np.linalg.cholesky(normal).T
    target = root @ shares - np.linalg.solve(root.T, slope)
    solution, _ = nnls(root, target)
    if not math.isfinite(float(solution.sum())):
        return shares
    return np.minimum(solution, 20.0)
