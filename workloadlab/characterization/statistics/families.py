"""Families of positive distributions: estimate, density, survival and draws, one class each.

Parameters travel as an array in the order of `names`; `free` maps them to the whole line, where a
search and its intervals are well behaved, and `bound` maps back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FAMILIES", "Family", "Floats", "Sample"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

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


@dataclass(frozen=True)
class Family:
    """A family of distributions on the positive numbers.

    Attributes:
        names: of the parameters.
        logged: which parameters are positive; `shared` ones lie between 0 and 1, the rest anywhere.
        estimate: maximum likelihood without censoring.
        log_density: of values.
        survival: probability of more than a value.
        draw: sample of a size; None where none is needed.
    """

    names: tuple[str, ...]
    logged: tuple[str, ...]
    shared: tuple[str, ...]
    estimate: Callable[[Sample], Floats]
    log_density: Callable[[Floats, Floats], Floats]
    survival: Callable[[Floats, Floats], Floats]
    draw: Callable[[np.random.Generator, int, Floats], Floats] | None

    def free(self, parameters: Floats) -> Floats:
        """Map parameters to the whole line."""
        mapped = [
            math.log(p)
            if name in self.logged
            else math.log(p / (1 - p))
            if name in self.shared
            else p
            for name, p in zip(self.names, parameters.tolist(), strict=True)
        ]
        return np.array(mapped)

    def bound(self, free: Floats) -> Floats:
        """Map back what `free` returned."""
        mapped = [
            math.exp(min(x, 700.0))
            if name in self.logged
            else 1 / (1 + math.exp(-max(min(x, 35.0), -35.0)))
            if name in self.shared
            else x
            for name, x in zip(self.names, free.tolist(), strict=True)
        ]
        return np.array(mapped)


def _exponential(sample: Sample) -> Floats:
    return np.array([sample.mean(sample.values)])


def _lognormal(sample: Sample) -> Floats:
    logs = np.log(sample.values)
    mu = sample.mean(logs)
    return np.array([mu, math.sqrt(sample.mean((logs - mu) ** 2))])


def _gamma(sample: Sample) -> Floats:
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


def _weibull(sample: Sample) -> Floats:
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


def _hyperexponential(sample: Sample) -> Floats:
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


def _pareto_lognormal(sample: Sample) -> Floats:
    """Fit a lognormal and a Pareto tail by expectation maximization, its start tried at quantiles."""
    x = sample.values
    logs, weights = np.log(x), sample.weights / sample.weights.sum()
    below = np.cumsum(weights)
    best, best_likelihood = np.empty(0), -math.inf
    for probability in THRESHOLDS:
        start = float(x[min(int(np.searchsorted(below, probability)), len(x) - 1)])
        parameters = _mixture_from(logs, weights, start, probability)
        likelihood = float(np.sum(weights * _mixture_log_density(x, parameters)))
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


def _lognormal_log_density(x: Floats, p: Floats) -> Floats:
    logs = np.log(x)
    density: Floats = (
        -((logs - p[0]) ** 2) / (2 * p[1] ** 2) - logs - math.log(p[1] * 2.5066282746310002)
    )
    return density


def _lognormal_survival(x: Floats, p: Floats) -> Floats:
    from scipy.special import ndtr

    return np.asarray(ndtr((p[0] - np.log(x)) / p[1]), dtype=np.float64)


def _gamma_log_density(x: Floats, p: Floats) -> Floats:
    from scipy.special import gammaln

    k, scale = p
    density: Floats = (k - 1) * np.log(x) - x / scale - float(gammaln(k)) - k * math.log(scale)
    return density


def _gamma_survival(x: Floats, p: Floats) -> Floats:
    from scipy.special import gammaincc

    return np.asarray(gammaincc(p[0], x / p[1]), dtype=np.float64)


def _weibull_log_density(x: Floats, p: Floats) -> Floats:
    logs = np.log(x / p[1])
    density: Floats = (
        math.log(p[0] / p[1]) + (p[0] - 1) * logs - np.exp(np.minimum(p[0] * logs, 700))
    )
    return density


def _weibull_survival(x: Floats, p: Floats) -> Floats:
    survival: Floats = np.exp(-np.exp(np.minimum(p[0] * np.log(x / p[1]), 700)))
    return survival


def _hyper_log_density(x: Floats, p: Floats) -> Floats:
    share, short, long = p
    first, second = math.log(share / short), math.log((1 - share) / long)
    return np.asarray(np.logaddexp(first - x / short, second - x / long), dtype=np.float64)


def _mixture_log_density(x: Floats, p: Floats) -> Floats:
    mu, sigma, tail, start, alpha = p
    body = math.log(1 - tail) + _lognormal_log_density(x, np.array([mu, sigma]))
    logs = np.log(x)
    heavy = math.log(tail * alpha) + alpha * math.log(start) - (alpha + 1) * logs
    return np.where(x >= start, np.logaddexp(body, heavy), body)


def _mixture_survival(x: Floats, p: Floats) -> Floats:
    mu, sigma, tail, start, alpha = p
    heavy = np.exp(-alpha * np.maximum(np.log(x / start), 0.0))
    survival: Floats = (1 - tail) * _lognormal_survival(x, np.array([mu, sigma])) + tail * heavy
    return survival


FAMILIES = {
    "exponential": Family(
        ("scale",),
        ("scale",),
        (),
        _exponential,
        lambda x, p: -x / p[0] - math.log(p[0]),
        lambda x, p: np.exp(-x / p[0]),
        lambda rng, n, p: rng.exponential(p[0], n),
    ),
    "gamma": Family(
        ("shape", "scale"),
        ("shape", "scale"),
        (),
        _gamma,
        _gamma_log_density,
        _gamma_survival,
        lambda rng, n, p: rng.gamma(p[0], p[1], n),
    ),
    "weibull": Family(
        ("shape", "scale"),
        ("shape", "scale"),
        (),
        _weibull,
        _weibull_log_density,
        _weibull_survival,
        lambda rng, n, p: p[1] * rng.weibull(p[0], n),
    ),
    "lognormal": Family(
        ("mu", "sigma"),
        ("sigma",),
        (),
        _lognormal,
        _lognormal_log_density,
        _lognormal_survival,
        lambda rng, n, p: rng.lognormal(p[0], p[1], n),
    ),
    "hyperexponential": Family(
        ("share", "scale_short", "scale_long"),
        ("scale_short", "scale_long"),
        ("share",),
        _hyperexponential,
        _hyper_log_density,
        lambda x, p: p[0] * np.exp(-x / p[1]) + (1 - p[0]) * np.exp(-x / p[2]),
        lambda rng, n, p: rng.exponential(np.where(rng.random(n) < p[0], p[1], p[2])),
    ),
    "pareto_lognormal": Family(
        ("mu", "sigma", "tail_share", "tail_start", "alpha"),
        ("sigma", "tail_start", "alpha"),
        ("tail_share",),
        _pareto_lognormal,
        _mixture_log_density,
        _mixture_survival,
        None,
    ),
}
