"""Gauss-Newton for residuals that come out of a simulator.

A simulation is piecewise smooth: a little more or less time per step reorders who meets whom in a
batch. Differences over a step that is large at first and shrinks with the progress average over that,
and each kind of residual is weighted by its own spread, so that noise in one does not drown another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.execution import run_lanes

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Fit", "loss_of", "minimise", "weights_of"]

Floats = Any

_FLOOR = 1e-4
_WIDEST, _FINEST = 0.03, 2e-4
_ITERATIONS = 40
_PATIENCE = 4
_DAMPINGS = (1 / 16, 1 / 4, 1.0, 4.0, 32.0, 256.0)
_TOSSES = 0


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
    damping, evaluations, stuck = 1e-2, 1, 0
    jacobian = np.zeros((len(now), len(shares)))
    for _ in range(_ITERATIONS):
        width = float(np.clip(0.3 * _spreads(now, groups).max(), _FINEST, _WIDEST))
        width *= (1.0, 0.5, 1.7, 0.25)[stuck]
        pair = [_jacobian(residuals, shares, factor * width) for factor in (1.0, 0.6)]
        evaluations += 4 * len(shares)
        jacobian = (pair[0] + pair[1]) / 2
        weight = weights_of(now, groups, emphasis)
        trials = [
            (damping * factor, _step(pair, now, weight, shares, damping * factor) + 0.0)
            for factor in _DAMPINGS
        ]
        spread = np.abs(trials[1][1] - shares).max() * 0.5
        trials += [
            (damping, np.maximum(trials[1][1] + spread * toss * noise, 0.0))
            for toss in rng.standard_normal((_TOSSES, len(shares)))
            for noise in (_scatter(pair, weight),)
        ] if False else []
        found = run_lanes(residuals, ((trial,) for _, trial in trials))
        evaluations += len(trials)
        losses = [loss_of(one, groups, emphasis) for one in found]
        best = int(np.argmin(losses))
        gain = loss - losses[best]
        if gain > 0:
            shares, now, loss = trials[best][1], found[best], losses[best]
            damping = float(np.clip(trials[best][0], 1e-6, 1.0))
        else:
            damping *= 8
        damping = min(damping, 1.0)
        stuck = stuck + 1 if gain < 2e-3 * emphasis.sum() else 0
        if stuck == _PATIENCE:
            break
    return Fit(shares, now, jacobian, loss, evaluations)


def _jacobian(residuals: Callable[[Floats], Floats], shares: Floats, width: float) -> Floats:
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
    return np.column_stack(columns)


def _step(
    pair: list[Floats], now: Floats, weight: Floats, shares: Floats, damping: float
) -> Floats:
    """Minimise the damped weighted squares of the linearised residuals over shares >= 0.

    The squares of one noisy Jacobian are too large and its steps too short; the product of two with
    independent noise is right on average.
    """
    from scipy.optimize import nnls

    product = (pair[0] * weight[:, None]).T @ pair[1]
    size, basis = np.linalg.eigh((product + product.T) / 2)
    size = np.maximum(size, 1e-6 * max(float(size.max()), 1e-12))
    normal = (basis * size) @ basis.T
    ridge = damping * (np.diag(normal) + 1e-3 * float(np.diag(normal).max()))
    root = np.linalg.cholesky(normal + np.diag(ridge)).T
    slope = (pair[0] + pair[1]).T @ (weight * now) / 2
    solution, _ = nnls(root, root @ shares - np.linalg.solve(root.T, slope))
    return np.minimum(solution, 20.0)
