"""Maximum likelihood estimates of positive distributions, without censoring."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from workloadlab.characterization.statistics.densities import Floats, pareto_lognormal_log_density

__all__ = [
    "Sample",
    "estimate_exponential",
    "estimate_gamma",
    "estimate_hyperexponential",
    "estimate_lognormal",
    "estimate_pareto_lognormal",
    "estimate_weibull",
]

EM_ROUNDS = 200
THRESHOLDS = (0.5, 0.75, 0.9, 0.95)


@dataclass(frozen=True)
class Sample:
    """Positive observations with weights, some of them perhaps cut off at a limit.

    Several samples of one size travel as rows: what estimates one then estimates each of them at once.

    Attributes:
        values: ascending, all below `limit`; distinct, or each of weight 1.
        weights: how many observations each stands for.
        limit: value from which on observations are only known to be at least that large.
        censored: how many are.
    """

    values: Floats
    weights: Floats
    limit: float | None = None
    censored: float = 0.0

    @property
    def total(self) -> float:
        """Number of observations."""
        return float(self.weights.sum()) + self.censored

    def mean(self, of: Floats) -> Floats:
        """Return the weighted mean over the observations below the limit, row by row."""
        return np.asarray(np.sum(self.weights * of, axis=-1) / np.sum(self.weights))


def estimate_exponential(sample: Sample) -> Floats:
    """Return the mean."""
    return np.array([sample.mean(sample.values)])


def estimate_lognormal(sample: Sample) -> Floats:
    """Return mean and standard deviation of the logs."""
    logs = np.log(sample.values)
    mu = sample.mean(logs)
    return np.array([mu, np.sqrt(sample.mean((logs - mu[..., np.newaxis]) ** 2))])


def estimate_gamma(sample: Sample) -> Floats:
    """Solve log k - digamma(k) = log mean - mean log by Newton's method on log k."""
    from scipy.special import digamma, polygamma

    mean = sample.mean(sample.values)
    gap = np.maximum(np.log(mean) - sample.mean(np.log(sample.values)), 1e-12)
    k = (3 - gap + np.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)
    for _ in range(50):
        error = np.log(k) - digamma(k) - gap
        step = error / (1 - k * polygamma(1, k))
        k = k * np.exp(-np.clip(step, -1, 1))
        if np.all(np.abs(step) < 1e-13):
            break
    return np.array([k, mean / k])


def estimate_weibull(sample: Sample) -> Floats:
    """Solve sum(w x^k log x)/sum(w x^k) - 1/k = mean log x by Newton's method on log k."""
    logs = np.log(sample.values)
    center = sample.mean(logs)
    logs = logs - center[..., np.newaxis]
    k = math.pi / np.sqrt(6 * sample.mean(logs**2))
    for _ in range(100):
        powers = k[..., np.newaxis] * logs
        shares = sample.weights * np.exp(powers - powers.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        first = np.sum(shares * logs, axis=-1)
        slope = k * (np.sum(shares * logs**2, axis=-1) - first**2) + 1 / k
        step = (first - 1 / k) / slope
        k = k * np.exp(-np.clip(step, -1, 1))
        if np.all(np.abs(step) < 1e-13):
            break
    powers = k[..., np.newaxis] * logs
    top = powers.max(axis=-1)
    moment = sample.mean(np.exp(powers - top[..., np.newaxis]))
    return np.array([k, np.exp(center + (top + np.log(moment)) / k)])


def estimate_hyperexponential(sample: Sample) -> Floats:
    """Fit two exponential phases by expectation maximization, from the halves of the sample."""
    x, weights = sample.values, sample.weights / sample.weights.sum()
    mean = np.sum(weights * x, axis=-1)
    phases = np.array([np.full(mean.shape, 0.5), mean / 2, 2 * mean])
    for _ in range(EM_ROUNDS):
        share, short, long = phases[..., np.newaxis]
        lean = np.clip(x * (1 / short - 1 / long) + np.log(short / long), -700, 700)
        mine = weights / (1 + (1 - share) / share * np.exp(lean))
        of_short = np.maximum(mine.sum(axis=-1), 1e-12)
        within_short = np.sum(mine * x, axis=-1)
        before, phases = phases, np.array([
            np.clip(of_short, 1e-9, 1 - 1e-9),
            np.maximum(within_short / of_short, 1e-300),
            np.maximum((mean - within_short) / np.maximum(1 - of_short, 1e-12), 1e-300),
        ])  # fmt: skip
        if np.all(np.abs(phases - before) <= 1e-8 * phases):
            break
    return phases


def estimate_pareto_lognormal(sample: Sample) -> Floats:
    """Fit a lognormal and a Pareto tail by expectation maximization, its start tried at quantiles."""
    x = sample.values
    logs, weights = np.log(x), sample.weights / sample.weights.sum()
    below = np.cumsum(weights)
    best, best_likelihood = np.empty(0), -math.inf
    for probability in THRESHOLDS:
        start = float(x[min(int(np.searchsorted(below, probability)), len(x) - 1)])
        parameters = _mixture_from(logs, weights, start, probability)
        likelihood = float(np.sum(weights * pareto_lognormal_log_density(x, parameters)))
        if likelihood > best_likelihood:
            best, best_likelihood = parameters, likelihood
    return best


def _mixture_from(logs: Floats, weights: Floats, start: float, probability: float) -> Floats:
    beyond = logs >= math.log(start)
    excess = np.where(beyond, logs - math.log(start), 0.0)
    mu = float(np.sum(weights * logs))
    sigma = max(math.sqrt(float(np.sum(weights * (logs - mu) ** 2))), 1e-6)
    tail, alpha = (1 - probability) / 2, 1.5
    for _ in range(EM_ROUNDS // 4):
        body = (1 - tail) * np.exp(-(((logs - mu) / sigma) ** 2) / 2) / (sigma * 2.5066282746310002)
        heavy = np.where(beyond, tail * alpha * np.exp(-alpha * excess), 0.0)
        total = body + heavy
        mine = weights * np.divide(heavy, total, out=np.zeros_like(heavy), where=total > 0)
        rest = weights - mine
        tail = min(max(float(mine.sum()), 1e-9), 1 - 1e-9)
        alpha = min(tail / max(float(np.sum(mine * excess)), 1e-9), 1e6)
        mu = float(np.sum(rest * logs)) / max(1 - tail, 1e-12)
        sigma = max(math.sqrt(float(np.sum(rest * (logs - mu) ** 2)) / max(1 - tail, 1e-12)), 1e-6)
    return np.array([mu, sigma, tail, start, alpha])
