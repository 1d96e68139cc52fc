"""The noise of an engine's steps as a log shows it, and how far such noise moves a fit.

A step that takes 3 % longer delays every request in its batch, and those that queue behind them: over
a busy minute all latencies of a log move together. The residuals of one log cannot show that, since
the fit follows what all of them share. So the engine is simulated with noisy steps, as often as needed,
and every such log is fitted again (a parametric bootstrap: Efron and Tibshirani, "An introduction
to the bootstrap", 1993, chapter 6).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.calibration.optimizer import follow, normal_matrix, weights_of

if TYPE_CHECKING:
    from workloadlab.calibration.optimizer import Fit, Target
    from workloadlab.calibration.problem import Problem, Simulated

__all__ = ["Noise", "noisy_moves", "steady_inverse"]

Floats = Any
Pair = tuple[Floats, Floats]

_LEVELS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
_LOGS, _FEW_LOGS = 64, 16
_LONG = 5000
"""Requests over which a log is long: noise averages out in it, and its simulations cost more."""
_REFITS = 20
_TAIL = 3.0
_LEAST = 0.1
_BEYOND = 0.7
"""Logarithm by which the noisiest logs must leave more than the log does after its first fit."""


@dataclass(frozen=True)
class Noise:
    """Noise of the steps of an engine.

    Attributes:
        level: standard deviation of a step's time, relative to its mean; `Pool.step_noise`.
        freedom: degrees of freedom of the estimate: 1/(2 x variance of its logarithm), the number for
            which a standard deviation of normal draws varies as much.
    """

    level: float
    freedom: float


def noisy_moves(problem: Problem, target: Target, fit: Fit, pair: Pair) -> tuple[Noise, Floats]:
    """Return the noise at which simulated logs leave as much unexplained as the log does.

    A fit explains some of the noise: of 3 % it may leave what 2 % leave at the true parameters. So each
    simulated log is fitted, from the parameters that made it, and so is the log itself, from
    parameters as far from its fit as noise may have moved them.

    Returns:
        The noise, and how far it moves the shares of a fit, one row for each simulated log.
    """
    curve = _Curve.of(problem, target, fit, pair)
    first = max(curve.level(_unexplained(target, fit.residuals)), _LEVELS[0])
    moves = _moves(problem, target, fit, pair, first)
    again = [
        _unexplained(target, follow(target, np.maximum(fit.shares + move, 0.0), pair).residuals)
        for move in moves[: curve.each]
    ]
    level = curve.level(float(np.mean(again)))
    return Noise(level, curve.freedom), moves * (level / first)


@dataclass(frozen=True)
class _Curve:
    """What noisy logs leave unexplained after a fit: (levels, logs at each), logarithms."""

    left: Floats

    @classmethod
    def of(cls, problem: Problem, target: Target, fit: Fit, pair: Pair) -> _Curve:
        each = 2 if len(problem.observed) >= _LONG else 6
        most = _unexplained(target, fit.residuals) + _BEYOND
        left: list[list[float]] = []
        for number, level in enumerate(_LEVELS):
            left.append([])
            for turn in range(each):
                log = problem.simulate(fit.shares, noise=level, seed=number * each + turn)
                fitted = follow(_against(problem, target, log), fit.shares, pair)
                left[-1].append(_unexplained(target, fitted.residuals))
            if min(left[-1]) > most:
                break
        return cls(np.array(left))

    @property
    def each(self) -> int:
        """Logs at each level."""
        return int(self.left.shape[1])

    @property
    def _typical(self) -> Floats:
        return np.maximum.accumulate(self.left.mean(axis=1) + 1e-9 * np.arange(len(self.left)))

    def level(self, unexplained: float) -> float:
        """Return the noise that leaves so much, in proportion below the lowest level."""
        typical = self._typical
        inside = np.interp(unexplained, typical, np.log(_LEVELS[: len(typical)]))
        return float(np.exp(inside + min(unexplained - typical[0], 0.0)))

    @property
    def freedom(self) -> float:
        """Degrees of freedom of a level that one log shows."""
        variance = float(self.left[-3:].var(axis=1, ddof=1).mean())
        return max(_TAIL, 0.5 / max(variance, 0.01))


def _moves(problem: Problem, target: Target, fit: Fit, pair: Pair, level: float) -> Floats:
    """Return how far a fit moves, one row for each log that a noisy engine made.

    The loss of residuals that are linear in the shares is minimised: so a search over rough ground
    ends on average.
    """
    plain = problem.simulate(fit.shares)
    logs = _FEW_LOGS if len(problem.observed) >= _LONG else _LOGS
    found = []
    for turn in range(logs):
        log = problem.simulate(fit.shares, noise=level, seed=1000 + turn)
        found.append(_move(target, pair, problem.distance(plain, log)))
    return np.array(found)


def steady_inverse(pair: Pair, weight: Floats) -> Floats:
    """Return (J'WJ)^-1 where two noisy Jacobians leave it positive, and no more than tenfold elsewhere.

    Along a direction that the log hardly shows, the product of the two may come out near 0 by chance.
    A tenth of the product of their mean is what such a direction counts for at least.
    """
    size, basis = np.linalg.eigh(normal_matrix(pair, weight))
    along = (pair[0] + pair[1]) / 2 @ basis
    least = _LEAST * (weight[:, None] * along**2).sum(axis=0)
    return (basis / np.maximum(size, least)) @ basis.T


def _move(target: Target, pair: Pair, residuals: Floats) -> Floats:
    """Minimise the loss of linear residuals by reweighted least squares."""
    jacobian = (pair[0] + pair[1]) / 2
    move = best = np.zeros(jacobian.shape[1])
    now, lowest = residuals, target.loss(residuals)
    for _ in range(_REFITS):
        weight = weights_of(target, now)
        move = move - 0.7 * steady_inverse(pair, weight) @ (jacobian.T @ (weight * now))
        now = residuals + jacobian @ move
        if (loss := target.loss(now)) < lowest:
            best, lowest = move, loss
    return best


def _against(problem: Problem, target: Target, log: Simulated) -> Target:
    return replace(target, residuals=lambda shares: problem.distance(problem.simulate(shares), log))


def _unexplained(target: Target, residuals: Floats) -> float:
    """Logarithm of the geometric mean of the spread of TTFT and of what neighbours share of TPOT's.

    Noise in steps delays all requests in them; noise of each request on its own, such as that of a
    client's clock, is not shared, and the residuals of the log itself show what it does.
    """
    tpot = residuals[target.groups == 1]
    spread = target.spreads(residuals)
    tpot = np.clip(tpot, -3 * spread[1], 3 * spread[1])
    shared = float(np.mean(tpot[1:] * tpot[:-1]))
    return float(np.log(spread[0] * (np.sqrt(max(shared, 0.0)) + 1e-5)) / 2)
