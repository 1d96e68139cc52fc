"""Which family of distributions a sample looks like, and how far from it the sample is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.frequencies import Frequencies
from workloadlab.characterization.statistics.estimates import Sample
from workloadlab.characterization.statistics.families import FAMILIES, Family
from workloadlab.tables import Table, figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.characterization.statistics.densities import Floats

__all__ = ["Fit", "fit_families", "fits_table", "kolmogorov_smirnov", "sample_of"]

LEAST_ROWS = 50
LEAST_DISTINCT = 10
MOST_AT_THE_LIMIT = 0.5
MOST_POINTS = 20_000
BOOTSTRAP_ROWS = 500
BOOTSTRAP_DRAWS = 99
DATA_DRAWS = 19
FIXED = ("tail_start",)


@dataclass(frozen=True)
class Fit:
    """A family fitted by maximum likelihood to the positive values.

    Attributes:
        family: exponential, gamma, weibull, lognormal, hyperexponential or pareto_lognormal.
        params: exponential scale; gamma and weibull shape, scale; lognormal mu, sigma of the logs;
            hyperexponential share of the phase with scale_short, else scale_long; pareto_lognormal
            mu, sigma and a Pareto tail of share tail_share from tail_start with exponent alpha.
        intervals: 95 % intervals by parameter, from the curvature of the likelihood.
        ks: largest distance between the two distribution functions (below the limit if censored):
            the effect size. With enough rows any family is rejected, so no p-value stands alone.
        aic: 2 parameters - 2 log likelihood; lower is better, only between fits of one column.
        rows: positive values fitted.
        bootstrap_p: would 500 of the values (or all, if fewer) tell themselves from the family?
            Share of refitted draws of that size with a KS at least that of the data's; None where
            censored, and for pareto_lognormal.
        censored_at: limit from which on values were taken as "at least that".
    """

    family: str
    params: dict[str, float]
    intervals: dict[str, tuple[float, ...]]
    ks: float
    aic: float
    rows: int
    bootstrap_p: float | None
    censored_at: float | None


def sample_of(column: Frequencies, *, limit: float | None = None) -> Sample | None:
    """Return the positive values as a sample; None where they are too few or too equal to fit.

    Neither is a column fitted of which more than half lies at the limit: it says little of its family.

    Of over 20,000 distinct values the 10,000 largest are kept; the others are thinned to 10,000
    evenly spaced ranks that stand for the rest.

    Args:
        column: the values.
        limit: values from here on count as censored there.
    """
    some = column.values > 0
    positive = int(column.counts[some].sum())
    if limit is not None:
        some &= column.values < limit
    values, weights = column.values[some], column.counts[some].astype(np.float64)
    below = Frequencies(values, column.counts[some])
    if below.n < max(LEAST_ROWS, (1 - MOST_AT_THE_LIMIT) * positive):
        return None
    if len(values) < LEAST_DISTINCT:
        return None
    if len(values) > MOST_POINTS:
        half = MOST_POINTS // 2
        rest = below.n - half
        ranks = ((np.arange(half) + 0.5) * rest / half).astype(np.int64)
        thinned = np.concatenate((below.at(ranks), below.at(np.arange(rest, below.n))))
        values, places = np.unique(thinned, return_inverse=True)
        each = np.repeat([rest / half, 1.0], half)
        weights = np.bincount(places, weights=each).astype(np.float64)
    return Sample(
        values=values.astype(np.float64),
        weights=weights,
        limit=limit,
        censored=float(positive - below.n),
    )


def fit_families(sample: Sample, names: Sequence[str]) -> tuple[Fit, ...]:
    """Fit families by maximum likelihood and order them by AIC, best first.

    Example:
        >>> values = Frequencies.of(np.random.default_rng(1).gamma(2.0, 3.0, 4000))
        >>> best = fit_families(sample_of(values), ["exponential", "gamma"])[0]
        >>> best.family, best.intervals["shape"][0] < 2 < best.intervals["shape"][1]
        ('gamma', True)
    """
    fits = [_fit(name, sample) for name in names]
    return tuple(sorted((fit for fit in fits if fit), key=lambda fit: fit.aic))


def kolmogorov_smirnov(sample: Sample, survival: Floats) -> Floats:
    """Return the largest distance between a sample's distribution function and a fitted one.

    Args:
        sample: the observations.
        survival: the fitted probability of more than each of the sample's values; rows of it for
            several samples, each of which gets its distance.
    """
    upto = np.cumsum(sample.weights) / sample.total
    below = upto - sample.weights / sample.total
    fitted = 1 - survival
    apart: Floats = np.maximum(np.max(upto - fitted, axis=-1), np.max(fitted - below, axis=-1))
    return apart.clip(0.0)


def fits_table(title: str, fits: Sequence[Fit]) -> Table:
    """Return fits as a table for people."""
    rows = [
        [
            fit.family,
            ", ".join(f"{name} {figure(value)}" for name, value in fit.params.items()),
            fit.ks,
            fit.aic,
            fit.bootstrap_p,
        ]
        for fit in fits
    ]
    return Table(title, ["family", "parameters", "KS", "AIC", "p of 500"], rows)


def _fit(name: str, sample: Sample) -> Fit | None:
    family = FAMILIES[name]
    scale = float(np.median(sample.values))
    parameters = _estimate(family, sample)
    likelihood = _log_likelihood(family, sample, parameters)
    if not math.isfinite(likelihood) or not np.isfinite(parameters).all() or scale <= 0:
        return None
    survival = family.survival(sample.values, parameters)
    return Fit(
        family=name,
        params=dict(zip(family.names, parameters.tolist(), strict=True)),
        intervals=_intervals(family, sample, parameters),
        ks=float(kolmogorov_smirnov(sample, survival)),
        aic=2 * len(family.names) - 2 * likelihood,
        rows=round(sample.total),
        bootstrap_p=_bootstrap(family, sample, parameters),
        censored_at=sample.limit,
    )


def _estimate(family: Family, sample: Sample) -> Floats:
    start = family.estimate(sample)
    if not sample.censored:
        return start
    from scipy.optimize import minimize

    moving = [name not in FIXED for name in family.names]
    free = family.free(start)

    def loss(moved: Floats) -> float:
        theta = free.copy()
        theta[moving] = moved
        value = _log_likelihood(family, sample, family.bound(theta)) / sample.total
        return -value if math.isfinite(value) else 1e300

    found = minimize(
        loss, free[moving], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12}
    )
    free[moving] = found.x
    return family.bound(free)


def _log_likelihood(family: Family, sample: Sample, parameters: Floats) -> float:
    with np.errstate(all="ignore"):
        value = float(np.sum(sample.weights * family.log_density(sample.values, parameters)))
        if sample.censored and sample.limit is not None:
            survival = float(family.survival(np.array([sample.limit]), parameters)[0])
            value += sample.censored * (math.log(survival) if survival > 0 else -math.inf)
    return value


def _intervals(family: Family, sample: Sample, parameters: Floats) -> dict[str, tuple[float, ...]]:
    """Return Wald intervals on the free scale, from a numerical Hessian; none where it is flat."""
    moving = [i for i, name in enumerate(family.names) if name not in FIXED]
    at = family.free(parameters)
    steps = 1e-4 * np.maximum(1.0, np.abs(at))

    def value(*moves: tuple[int, float]) -> float:
        theta = at.copy()
        for i, sign in moves:
            theta[i] += sign * steps[i]
        return _log_likelihood(family, sample, family.bound(theta))

    center = value()
    hessian = np.empty((len(moving), len(moving)))
    for a, i in enumerate(moving):
        hessian[a, a] = (value((i, 1)) - 2 * center + value((i, -1))) / steps[i] ** 2
        for b, j in enumerate(moving[:a]):
            corners = (
                value((i, 1), (j, 1))
                - value((i, 1), (j, -1))
                - value((i, -1), (j, 1))
                + value((i, -1), (j, -1))
            )
            hessian[a, b] = hessian[b, a] = corners / (4 * steps[i] * steps[j])
    if not np.isfinite(hessian).all() or np.linalg.eigvalsh(-hessian).min() <= 0:
        return {}
    errors = 1.959963984540054 * np.sqrt(np.diag(np.linalg.inv(-hessian)))
    low, high = at.copy(), at.copy()
    low[moving] -= errors
    high[moving] += errors
    bounds = np.column_stack((family.bound(low), family.bound(high))).tolist()
    return {family.names[i]: tuple(bounds[i]) for i in moving if np.isfinite(bounds[i]).all()}


def _bootstrap(family: Family, sample: Sample, parameters: Floats) -> float | None:
    """Compare the KS of small samples of the data with that of draws, both refitted."""
    if family.draw is None or sample.censored:
        return None
    rng = np.random.default_rng(0)
    rows = min(BOOTSTRAP_ROWS, int(sample.total))
    shares = np.cumsum(sample.weights) / sample.weights.sum()

    def distances(values: Floats) -> Floats:
        small = Sample(values=np.sort(values), weights=np.ones(rows))
        with np.errstate(all="ignore"):
            refitted = family.estimate(small)[..., np.newaxis]
            return kolmogorov_smirnov(small, family.survival(small.values, refitted))

    if rows < BOOTSTRAP_ROWS:
        mine = kolmogorov_smirnov(sample, family.survival(sample.values, parameters))
    else:
        picks = np.searchsorted(shares, rng.random((DATA_DRAWS, rows)), side="right")
        picks = np.minimum(picks, len(sample.values) - 1)
        mine = np.asarray(np.median(distances(sample.values[picks])))
    drawn = np.array([family.draw(rng, rows, parameters) for _ in range(BOOTSTRAP_DRAWS)])
    least = float(sample.values[0]) * 1e-9
    as_far = np.count_nonzero(distances(np.maximum(drawn, least)) >= mine)
    return (1 + int(as_far)) / (1 + BOOTSTRAP_DRAWS)
