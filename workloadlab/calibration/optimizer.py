"""The search for the parameters of a simulation: Gauss-Newton steps, then CMA-ES.

A simulation is smooth only on average: a little more time per step changes which requests share a
batch, and every residual is noisy. So derivatives are differences over a wide step, taken twice with
different widths: the noise of the two is independent, and in their product it averages out. Each kind
of residual is weighted by its own spread, so that noise in one does not hide another.

Where two parameters cost alike, the loss has a long valley with a noisy floor. CMA-ES (Hansen, "The CMA
evolution strategy: a tutorial", 2016) learns its direction from the good trials and follows it. The
floor has many local minima, so several searches run, each from the end of another descent. The best
counts, and its distance from the runner-up says how well a search can know a parameter at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.execution import run_lanes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "Fit",
    "Target",
    "follow",
    "normal_matrix",
    "search",
    "silent",
    "steady_pair",
    "weights_of",
]

Floats = Any

_FLOOR = 1e-4
_WIDEST, _FINEST = 0.03, 2e-4
_LARGEST = 20.0
_ITERATIONS, _PATIENCE = 40, 4
_WIDTHS = (1.0, 0.5, 1.7, 0.25)
_OFFSPRING = 12
_SEARCHES = 3
_SILENT = 1e-9
_FIRST_REACH = 0.3
"""Standard deviation of the first trials, in fractions of the parameter that it moves most."""
_FOLLOWED = 6
_STEADY = (0.04, 0.035, 0.03, 0.025, 0.02, 0.018, 0.016, 0.014)


@dataclass(frozen=True)
class Target:
    """The residuals that a search brings to zero.

    Attributes:
        residuals: of shares.
        groups: the kind of each residual.
        emphasis: weight of each kind.
        balance: weight of each residual within its kind, on average 1.
        smooth: the residuals are hardly noisy, as those of a closed loop. Then one Jacobian is enough,
            and a descent ends with its first step that gains next to nothing.
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
    """A point of a search.

    Attributes:
        shares: the parameters.
        residuals: there.
        loss: `Target.loss` of them.
        pair: two Jacobians of the residuals in the shares with independent errors.
        evaluations: simulations so far.
        ends: where descents ended and what the evolution tried, with their loss: those about as good
            as the best are rivals.
        others: where the other searches ended, the best of them first.
    """

    shares: Floats
    residuals: Floats
    loss: float
    pair: tuple[Floats, Floats]
    evaluations: int
    ends: tuple[tuple[Floats, float], ...] = ()
    others: tuple[Floats, ...] = ()


def weights_of(target: Target, residuals: Floats) -> Floats:
    """Weights whose least-squares step lowers the loss: 1/|r| beyond half the kind's spread."""
    scale = target.spreads(residuals)[target.groups]
    per_row = (target.emphasis / np.maximum(np.bincount(target.groups), 1))[target.groups]
    return per_row * target.balance / (scale * np.maximum(np.abs(residuals), 0.5 * scale))


def search(target: Target, starts: Sequence[Floats], *, trials: int) -> Fit:
    """Search the non-negative shares that bring the residuals nearest to zero; deterministic.

    Args:
        target: the residuals to bring to zero.
        starts: where to descend from. The best ends evolve, each on its own, and then the best of all.
        trials: number of them for all evolutions together.
    """
    found = sorted((_descend(target, start) for start in starts), key=_loss)
    spent = sum(fit.evaluations for fit in found)
    ends = [(fit.shares, fit.loss) for fit in found]
    if trials:
        generations = trials // (_OFFSPRING * (len(found[:_SEARCHES]) + 1))
        found = [
            _evolved(target, fit, generations, seed) for seed, fit in enumerate(found[:_SEARCHES])
        ]
        found = sorted(found, key=_loss)
        found.insert(0, _evolved(target, found.pop(0), generations, len(found) + 1))
        spent += sum(fit.evaluations for fit in found)
        ends += [end for fit in found for end in fit.ends]
    others = tuple(fit.shares for fit in found[1:])
    return replace(found[0], evaluations=spent, ends=tuple(ends), others=others)


def _loss(fit: Fit) -> float:
    return fit.loss


def _evolved(target: Target, fit: Fit, generations: int, seed: int) -> Fit:
    """Evolve from a fit and descend from the best trial; evaluations and ends add up over calls."""
    evolved = _evolve(target, fit, generations, seed)
    again = _descend(target, evolved.shares)
    best = min(fit, evolved, again, key=_loss)
    before = fit.evaluations if fit.ends else 0
    spent = before + evolved.evaluations + again.evaluations
    return replace(
        best, evaluations=spent, ends=(*fit.ends, *evolved.ends, (again.shares, again.loss))
    )


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


def _evolve(target: Target, fit: Fit, generations: int, seed: int) -> Fit:
    """Follow the valley around a fit by CMA-ES, in its notation: C, sigma, p_c, p_sigma."""
    rng = np.random.default_rng(seed)
    n, parents = len(fit.shares), _OFFSPRING // 2
    weight = np.log(parents + 0.5) - np.log(np.arange(1, parents + 1))
    weight /= weight.sum()
    mu = 1 / (weight**2).sum()
    c_c = (4 + mu / n) / (n + 4 + 2 * mu / n)
    c_s = (mu + 2) / (n + mu + 5)
    c_1 = 2 / ((n + 1.3) ** 2 + mu)
    c_mu = min(1 - c_1, 2 * (mu - 2 + 1 / mu) / ((n + 2) ** 2 + mu))
    damping = 1 + 2 * max(0.0, np.sqrt((mu - 1) / (n + 1)) - 1) + c_s
    expected = np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))
    size, basis = np.linalg.eigh(normal_matrix(fit.pair, weights_of(target, fit.residuals)))
    shape = (basis / size) @ basis.T
    mean, path_c, path_s = fit.shares, np.zeros(n), np.zeros(n)
    sigma = _FIRST_REACH * float(
        (np.maximum(mean, 1e-3) / np.sqrt(np.maximum(np.diag(shape), 1e-300))).min()
    )
    shares, now, loss = fit.shares, fit.residuals, fit.loss
    met: list[tuple[Floats, float]] = []
    for generation in range(generations):
        variance, basis = np.linalg.eigh(shape)
        deviation = np.sqrt(np.maximum(variance, 1e-300))
        tosses = (rng.standard_normal((_OFFSPRING, n)) * deviation) @ basis.T
        trials = np.clip(mean + sigma * tosses, 0.0, _LARGEST)
        found = target.at(trials)
        losses = [target.loss(one) for one in found]
        met += zip(trials, losses, strict=True)
        order = np.argsort(losses, kind="stable")
        if losses[order[0]] < loss:
            shares, now, loss = trials[order[0]], found[order[0]], losses[order[0]]
        chosen = (trials[order[:parents]] - mean) / sigma
        step = weight @ chosen
        mean = mean + sigma * step
        path_s = (1 - c_s) * path_s
        path_s += np.sqrt(c_s * (2 - c_s) * mu) * (basis @ ((basis.T @ step) / deviation))
        length = float(np.linalg.norm(path_s))
        early = np.sqrt(1 - (1 - c_s) ** (2 * (generation + 1)))
        moving = length / early < (1.4 + 2 / (n + 1)) * expected
        path_c = (1 - c_c) * path_c + moving * np.sqrt(c_c * (2 - c_c) * mu) * step
        kept = 1 - c_1 - c_mu + (1 - moving) * c_1 * c_c * (2 - c_c)
        shape = kept * shape + c_1 * np.outer(path_c, path_c) + c_mu * (chosen.T * weight) @ chosen
        sigma *= float(np.exp(min(1.0, (c_s / damping) * (length / expected - 1))))
    return Fit(shares, now, loss, fit.pair, generations * _OFFSPRING, tuple(met))


def follow(target: Target, start: Floats, pair: tuple[Floats, Floats]) -> Fit:
    """Descend with Jacobians that are known already: a few residuals instead of hundreds."""
    shares = start
    now = target.residuals(shares)
    loss, damping, evaluations = target.loss(now), 1e-2, 1
    for _ in range(_FOLLOWED):
        trial = _step(pair, now, weights_of(target, now), shares, damping)
        found = target.residuals(trial)
        evaluations += 1
        if (lower := target.loss(found)) < loss:
            shares, now, loss = trial, found, lower
        else:
            damping *= 16
    return Fit(shares, now, loss, pair, evaluations)


def steady_pair(target: Target, shares: Floats) -> tuple[Floats, Floats]:
    """Return two Jacobians of a small error each, for the intervals; one twice if it is smooth."""
    widths = _STEADY[::4] if target.smooth else _STEADY
    found = [_jacobian(target, shares, width) for width in widths]
    if target.smooth:
        mean = sum(found) / len(found)
        return mean, mean
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


def silent(jacobian: Floats) -> Floats:
    """Mark the parameters that no residual depends on.

    Example:
        >>> silent(np.array([[0.0, 2.0], [0.0, -1.0]]))
        array([ True, False])
    """
    return np.abs(jacobian).max(axis=0) < _SILENT


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
