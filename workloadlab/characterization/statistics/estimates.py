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

    Attributes:
        values: ascending and distinct, all below `limit`.
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

    def mean(self, of: Floats) -> float:
        """Return the weighted mean over the observations below the limit."""
        return float(np.sum(self.weights * of) / np.sum(self.weights))


def estimate_exponential(sample: Sample) -> Floats:
    """Return the mean."""
    return np.array([sample.mean(sample.values)])


def estimate_lognormal(sample: Sample) -> Floats:
    """Return mean and standard deviation of the logs."""
    logs = np.log(sample.values)
    mu = sample.mean(logs)
    return np.array([mu, math.sqrt(sample.mean((logs - mu) ** 2))])


def estimate_gamma(sample: Sample) -> Floats:
    """Solve log k - digamma(k) = log mean - mean log by Newton's method on log k."""
    from scipy.special import digamma, polygamma

    mean = sample.mean(sample.values)
    gap = max(math.log(mean) - sample.mean(np.log(sample.values)), 1e-12)
    k = (3 - gap + math.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)
    for _ in range(50):
        error = math.log(k) - float(digamma(k)) - gap
        step = error / (1 - k * float(polygamma(1, k)))
        k *= math.exp(-max(-1.0, min(1.0, step)))
        if abs(step) < 1e-13:
            break
    return np.array([k, mean / k])


def estimate_weibull(sample: Sample) -> Floats:
    """Solve sum(w x^k log x)/sum(w x^k) - 1/k = mean log x by Newton's method on log k."""
    logs = np.log(sample.values)
    center = sample.mean(logs)
    logs = logs - center
    k = math.pi / math.sqrt(6 * sample.mean(logs**2))
    for _ in range(100):
        powers = k * logs
        shares = sample.weights * np.exp(powers - powers.max())
        shares /= shares.sum()
        first = float(np.sum(shares * logs))
        slope = k * (float(np.sum(shares * logs**2)) - first**2) + 1 / k
        step = (first - 1 / k) / slope
        k *= math.exp(-max(-1.0, min(1.0, step)))
        if abs(step) < 1e-13:
            break
    powers = k * logs
    top = float(powers.max())
    moment = sample.mean(np.exp(powers - top))
    return np.array([k, math.exp(center + (top + math.log(moment)) / k)])


def estimate_hyperexponential(sample: Sample) -> Floats:
    """Fit two exponential phases by expectation maximization, from the halves of the sample."""
    x, weights = sample.values, sample.weights / sample.weights.sum()
    mean = float(np.sum(weights * x))
    share, short, long = 0.5, mean / 2, 2 * mean
    for _ in range(EM_ROUNDS):
        lean = np.clip(x / short - x / long + math.log(short / long), -700, 700)
        odds = (1 - share) / share * np.exp(lean)
        mine = weights / (1 + odds)
        of_short = max(float(mine.sum()), 1e-12)
        before = (share, short, long)
        share = min(max(of_short, 1e-9), 1 - 1e-9)
        short = max(float(np.sum(mine * x)) / of_short, 1e-300)
        long = max(float(np.sum((weights - mine) * x)) / max(1 - of_short, 1e-12), 1e-300)
        if all(abs(a - b) <= 1e-8 * a for a, b in zip((share, short, long), before, strict=True)):
            break
    return np.array([share, short, long])


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
