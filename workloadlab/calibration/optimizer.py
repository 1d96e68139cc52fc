"""The search for the parameters of a simulation: Gauss-Newton steps, then a cloud of trials.

A simulation is smooth only on average: a little more time per step reorders who meets whom in a
batch, and every residual trembles. So derivatives are differences over a wide step, taken along two
crosses of directions: the trembling of the two is independent, and in their product it averages out.
Each kind of residual is weighted by its own spread, so that noise in one does not drown another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.execution import run_lanes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Fit", "Target", "normal_matrix", "search", "steady_pair", "weights_of"]

Floats = Any

_FLOOR = 1e-4
_WIDEST, _FINEST = 0.03, 2e-4
_LARGEST = 20.0
_ITERATIONS, _PATIENCE = 40, 4
_WIDTHS = (1.0, 0.5, 1.7, 0.25)
_GENERATIONS, _OFFSPRING = 30, 12
_STEADY = (0.04, 0.035, 0.03, 0.025, 0.02, 0.018, 0.016, 0.014)


@dataclass(frozen=True)
class Target:
    """What is brought to zero.

    Attributes:
        residuals: of shares.
        groups: the kind of each residual.
        emphasis: weight of each kind.
        balance: weight of each residual within its kind, on average 1.
        smooth: whether the residuals hardly tremble, as those of a closed loop: then one cross of
            directions is enough, and a descent ends with its first step that gains next to nothing.
        threads: simulations at a time; 1 where one is too short to gain from threads.
    """

    residuals: Callable[[Floats], Floats]
    groups: Floats
    emphasis: Floats
    balance: Floats
    smooth: bool = False
    threads: int | None = None

    def at(self, points: Sequence[Floats]) -> list[Floats]:
        """Return the residuals at several points."""
        if self.threads == 1:
            return [self.residuals(point) for point in points]
        return run_lanes(self.residuals, ((point,) for point in points), threads=self.threads)

    def spreads(self, residuals: Floats) -> Floats:
        """Mean absolute residual of each kind."""
        count = np.bincount(self.groups)
        total = np.bincount(self.groups, self.balance * np.abs(residuals))
        return total / np.maximum(count, 1) + _FLOOR

    def loss(self, residuals: Floats) -> float:
        """Sum over kinds of emphasis x log(mean absolute residual): Laplace noise, unknown scale."""
        return float(self.emphasis @ np.log(self.spreads(residuals)))


@dataclass(frozen=True)
class Fit:
    """Where the search is.

    Attributes:
        shares: the parameters.
        residuals: there.
        loss: `Target.loss` of them.
        pair: two Jacobians of the residuals in the shares with independent errors.
        evaluations: simulations so far.
        ends: where descents ended, with their loss: those as good as the best are rivals.
    """

    shares: Floats
    residuals: Floats
    loss: float
    pair: tuple[Floats, Floats]
    evaluations: int
    ends: tuple[tuple[Floats, float], ...] = ()


def weights_of(target: Target, residuals: Floats) -> Floats:
    """Weights whose least-squares step lowers the loss: 1/|r| beyond half the kind's spread."""
    scale = target.spreads(residuals)[target.groups]
    per_row = (target.emphasis / np.maximum(np.bincount(target.groups), 1))[target.groups]
    return per_row * target.balance / (scale * np.maximum(np.abs(residuals), 0.5 * scale))


def search(target: Target, starts: Sequence[Floats], *, rounds: int) -> Fit:
    """Search the non-negative shares that bring the residuals nearest to zero; deterministic.

    Args:
        target: what is brought to zero.
        starts: where to descend from; the best end counts.
        rounds: how often to scatter trials around it and to descend again.
    """
    rng = np.random.default_rng(0)
    found = [_descend(target, start) for start in starts]
    best = min(found, key=lambda fit: fit.loss)
    spent = sum(fit.evaluations for fit in found)
    for _ in range(rounds):
        scattered = _scatter(target, best, rng)
        again = _descend(target, scattered.shares)
        spent += scattered.evaluations + again.evaluations
        found.append(again)
        best = again if again.loss <= scattered.loss else scattered
    ends = tuple((fit.shares, fit.loss) for fit in found)
    return Fit(best.shares, best.residuals, best.loss, best.pair, spent, ends)


def _descend(target: Target, start: Floats) -> Fit:
    """Damped Gauss-Newton until nothing improves at any width."""
    shares = np.asarray(start, float)
    now = target.residuals(shares)
    loss, damping, evaluations, stuck = target.loss(now), 1e-2, 1, 0
    pair = (np.empty(0), np.empty(0))
    for _ in range(_ITERATIONS):
        width = float(np.clip(0.3 * target.spreads(now).max(), _FINEST, _WIDEST)) * _WIDTHS[stuck]
        first = _jacobian(target, shares, width)
        pair = (first, first if target.smooth else _jacobian(target, shares, 0.6 * width))
        evaluations += (2 if target.smooth else 4) * len(shares)
        weight = weights_of(target, now)
        gain = 0.0
        for _ in range(5):
            trial = _step(pair, now, weight, shares, damping)
            found = target.residuals(trial)
            evaluations += 1
            if (lower := target.loss(found)) < loss:
                gain = loss - lower
                shares, now, loss = trial, found, lower
                damping = max(damping / 4, 1e-6)
                break
            damping *= 4
        damping = min(damping, 1.0)
        stuck = stuck + 1 if gain < 2e-3 * target.emphasis.sum() else 0
        if stuck == (1 if target.smooth else _PATIENCE):
            break
    return Fit(shares, now, loss, pair, evaluations)


def _scatter(target: Target, fit: Fit, rng: np.random.Generator) -> Fit:
    """Random trials around a fit, farther where the residuals say less."""
    size, basis = np.linalg.eigh(normal_matrix(fit.pair, weights_of(target, fit.residuals)))
    shape = basis / np.sqrt(size) * np.sqrt(len(fit.residuals)) * 0.1
    shares, now, loss, reach = fit.shares, fit.residuals, fit.loss, 1.0
    for _ in range(_GENERATIONS):
        tosses = rng.standard_normal((_OFFSPRING, len(shares))) @ shape.T
        tosses *= rng.choice([0.1, 0.3, 1.0], _OFFSPRING)[:, None]
        trials = np.clip(shares + reach * tosses, 0.0, _LARGEST)
        found = target.at(trials)
        losses = [target.loss(one) for one in found]
        best = int(np.argmin(losses))
        if losses[best] < loss:
            shares, now, loss = trials[best], found[best], losses[best]
            reach *= 1.5
        else:
            reach *= 0.75
    return Fit(shares, now, loss, fit.pair, _GENERATIONS * _OFFSPRING)


def steady_pair(target: Target, shares: Floats) -> tuple[Floats, Floats]:
    """Return two Jacobians of a small error each, for the intervals."""
    widths = _STEADY[::4] if target.smooth else _STEADY
    found = [_jacobian(target, shares, width) for width in widths]
    return sum(found[::2]) / len(found[::2]), sum(found[1::2]) / len(found[1::2])


def _jacobian(target: Target, shares: Floats, width: float) -> Floats:
    points = []
    for index in range(len(shares)):
        for side in (1, -1):
            point = shares.copy()
            point[index] = max(0.0, point[index] + side * width)
            points.append(point)
    found = target.at(points)
    columns = []
    for index in range(len(shares)):
        above, below = 2 * index, 2 * index + 1
        span = points[above][index] - points[below][index]
        columns.append((found[above] - found[below]) / span)
    return np.column_stack(columns)


def normal_matrix(pair: tuple[Floats, Floats], weight: Floats) -> Floats:
    """Return J'WJ without the squared errors of J, made positive."""
    product = (pair[0] * weight[:, None]).T @ pair[1]
    size, basis = np.linalg.eigh((product + product.T) / 2)
    size = np.maximum(size, 1e-6 * max(float(size.max()), 1e-12))
    return (basis * size) @ basis.T


def _step(
    pair: tuple[Floats, Floats], now: Floats, weight: Floats, shares: Floats, damping: float
) -> Floats:
    """Minimise the damped weighted squares of the linearised residuals over shares >= 0."""
    from scipy.optimize import nnls

    normal = normal_matrix(pair, weight)
    ridge = damping * (np.diag(normal) + 1e-3 * float(np.diag(normal).max()))
    root = np.linalg.cholesky(normal + np.diag(ridge)).T
    slope = (pair[0] + pair[1]).T @ (weight * now) / 2
    solution, _ = nnls(root, root @ shares - np.linalg.solve(root.T, slope))
    return np.minimum(solution, _LARGEST)
