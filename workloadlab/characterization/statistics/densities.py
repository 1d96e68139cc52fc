"""Log densities and survival functions of positive distributions, of values and parameters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = [
    "Floats",
    "gamma_log_density",
    "gamma_survival",
    "hyperexponential_log_density",
    "lognormal_log_density",
    "lognormal_survival",
    "pareto_lognormal_log_density",
    "pareto_lognormal_survival",
    "weibull_log_density",
    "weibull_survival",
]

Floats = np.ndarray[Any, np.dtype[np.float64]]


def lognormal_log_density(x: Floats, p: Floats) -> Floats:
    """Return the log density; `p` is mu, sigma."""
    logs = np.log(x)
    density: Floats = (
        -((logs - p[0]) ** 2) / (2 * p[1] ** 2) - logs - math.log(p[1] * 2.5066282746310002)
    )
    return density


def lognormal_survival(x: Floats, p: Floats) -> Floats:
    """Return the probability of more than `x`; `p` is mu, sigma."""
    from scipy.special import ndtr

    return np.asarray(ndtr((p[0] - np.log(x)) / p[1]), dtype=np.float64)


def gamma_log_density(x: Floats, p: Floats) -> Floats:
    """Return the log density; `p` is shape, scale."""
    from scipy.special import gammaln

    k, scale = p
    density: Floats = (k - 1) * np.log(x) - x / scale - float(gammaln(k)) - k * math.log(scale)
    return density


def gamma_survival(x: Floats, p: Floats) -> Floats:
    """Return the probability of more than `x`; `p` is shape, scale."""
    from scipy.special import gammaincc

    return np.asarray(gammaincc(p[0], x / p[1]), dtype=np.float64)


def weibull_log_density(x: Floats, p: Floats) -> Floats:
    """Return the log density; `p` is shape, scale."""
    logs = np.log(x / p[1])
    density: Floats = (
        math.log(p[0] / p[1]) + (p[0] - 1) * logs - np.exp(np.minimum(p[0] * logs, 700))
    )
    return density


def weibull_survival(x: Floats, p: Floats) -> Floats:
    """Return the probability of more than `x`; `p` is shape, scale."""
    survival: Floats = np.exp(-np.exp(np.minimum(p[0] * np.log(x / p[1]), 700)))
    return survival


def hyperexponential_log_density(x: Floats, p: Floats) -> Floats:
    """Return the log density; `p` is share, scale_short, scale_long."""
    share, short, long = p
    first, second = math.log(share / short), math.log((1 - share) / long)
    return np.asarray(np.logaddexp(first - x / short, second - x / long), dtype=np.float64)


def pareto_lognormal_log_density(x: Floats, p: Floats) -> Floats:
    """Return the log density; `p` is mu, sigma, tail_share, tail_start, alpha."""
    mu, sigma, tail, start, alpha = p
    body = math.log(1 - tail) + lognormal_log_density(x, np.array([mu, sigma]))
    logs = np.log(x)
    heavy = math.log(tail * alpha) + alpha * math.log(start) - (alpha + 1) * logs
    return np.where(x >= start, np.logaddexp(body, heavy), body)


def pareto_lognormal_survival(x: Floats, p: Floats) -> Floats:
    """Return the probability of more than `x`; `p` is mu, sigma, tail_share, tail_start, alpha."""
    mu, sigma, tail, start, alpha = p
    heavy = np.exp(-alpha * np.maximum(np.log(x / start), 0.0))
    survival: Floats = (1 - tail) * lognormal_survival(x, np.array([mu, sigma])) + tail * heavy
    return survival
