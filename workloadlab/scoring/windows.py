"""How far an average of neighbouring requests may be off: windows of consecutive arrivals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.distributions import root, student_quantile, student_tail, student_tails

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "EPISODES",
    "INDEPENDENT",
    "LEVEL",
    "Error",
    "error_of_sums",
    "standard_error",
    "window_sums",
]

LEVEL = 0.95
"""Of every interval."""

POWER = 0.8
"""Chance with which the least detectable effect would have been found."""

WINDOWS = 14
INDEPENDENT, EPISODES = 0.85, 0.7
"""Chance, before any data, that windows do not share their fate; the second for targets, which are
missed in episodes."""

ENOUGH, FEWER = 1000, 0.4
"""From so many requests on a window outlasts most busy periods. Below, the chance falls with this power
of their number, since 14 short windows cannot show that they move as one. Chosen, with the chances, so
that a router differs from itself in at most 7 % of comparisons of 150 to 3,000 requests at loads from
0.5 to 0.95, in attainment in at most 9 % (tests/bench/against_itself.py)."""

VARIES = 1.1
"""Intervals of one length of log vary from log to log; a difference that is found in 80 % of them is so
much larger than were they all alike."""


@dataclass(frozen=True)
class Error:
    """Error of an estimate: Student's, averaged over the correlations that its windows may have.

    Attributes:
        scales: standard error for each correlation, of none first, in the estimate's unit.
        chances: of each correlation, given the windows.
        windows: of consecutive arrivals.
    """

    scales: NDArray[np.float64]
    chances: NDArray[np.float64]
    windows: int

    @property
    def se(self) -> float:
        """Standard error that Student's interval of the same width would have."""
        return self.margin / student_quantile((1 + LEVEL) / 2, self.windows - 1)

    @cached_property
    def margin(self) -> float:
        """Half the width of the interval."""
        return self._beyond(1 - LEVEL)

    @property
    def detectable(self) -> float:
        """Least difference that is found with a chance of 80 %.

        That holds for logs whose windows are alike and independent. Near saturation few windows decide:
        there a latency that is longer by the least factor is found in 56 to 73 %, not in 80 %
        (`tests/bench/against_itself.py`).
        """
        return VARIES * (self.margin + self._beyond(2 * (1 - POWER)))

    def p_value(self, estimate: float) -> float:
        """Return the two-sided chance of an estimate so far from 0, were it 0 in truth.

        By Student's distribution of the interval's width, so that both say the same. The average over
        correlations has a heavier tail, of those that the windows all but exclude; by it, many pairs at
        once would never be told apart.
        """
        if not self.scales.any():
            return float(estimate == 0)
        return student_tail(abs(estimate) / self.se, self.windows - 1)

    def _chance(self, distance: float) -> float:
        if distance == 0:
            return float(self.chances.sum())
        with np.errstate(divide="ignore"):
            return float(self.chances @ student_tails(distance / self.scales, self.windows - 1))

    def _beyond(self, chance: float) -> float:
        """Return the distance that an estimate without effect exceeds with this chance."""
        if not self.scales.any():
            return 0.0
        at_most = student_quantile(1 - chance / 2, self.windows - 1) * float(self.scales.max())
        return root(lambda distance: self._chance(distance) - chance, 0.0, at_most * 1.001)


def standard_error(
    influence: NDArray[np.float64], independent: float = INDEPENDENT
) -> Error | None:
    """Return the error of an estimate from what each request, in order of arrival, adds to it.

    Batch means (Law and Kelton, Simulation Modeling and Analysis, section 9.5.3): the requests are cut
    into 14 windows of equal size. Where a window outlasts a busy period their sums are independent;
    near saturation none does, and sums are taken as a first-order autoregression. A correlation that
    is estimated from 14 sums is too low, often by much, so none is chosen: each counts by its
    restricted likelihood (Harville, JASA 72, 1977) times its chance before the data, which for r > 0
    goes by 1 / sqrt(1 - r). None for fewer than two requests.

    Args:
        influence: per request, (value - mean) / n for a mean; sums to about 0.
        independent: chance, before the data, that windows of a long log do not share their fate.

    Example:
        >>> values = np.random.default_rng(0).normal(size=4800)
        >>> error = standard_error((values - values.mean()) / len(values))
        >>> error.windows, round(error.se * 4800**0.5, 1)
        (14, 1.1)
    """
    return error_of_sums(window_sums(influence), len(influence), independent)


def window_sums(values: NDArray[Any]) -> NDArray[Any]:
    """Return the sums of windows of equal size; marks are counted."""
    requests = len(values)
    windows = min(WINDOWS, requests)
    if not windows:
        return np.zeros(0)
    dtype = np.int64 if values.dtype == bool else None
    return np.add.reduceat(values, np.arange(windows) * requests // windows, dtype=dtype)


def error_of_sums(
    sums: NDArray[np.float64], requests: int, independent: float = INDEPENDENT
) -> Error | None:
    """Return what `standard_error` returns, from the sums of the windows of so many requests."""
    windows = len(sums)
    if windows < 2:
        return None
    chance = round(min(independent, INDEPENDENT * (requests / ENOUGH) ** FEWER), 2)
    grid = _correlations(windows, chance)
    spread = sums - (grid.weights @ sums)[:, None]
    squares = np.einsum("ri,rij,rj->r", spread, grid.inverse, spread)
    if not squares.any():
        return Error(np.zeros(1), np.ones(1), windows)
    tiny = np.finfo(float).tiny
    evidence = grid.evidence - (windows - 1) / 2 * np.log(np.maximum(squares, tiny))
    chances = np.exp(evidence - evidence.max())
    return Error(np.sqrt(squares / (windows - 1) * grid.variance), chances / chances.sum(), windows)


@dataclass(frozen=True)
class _Correlations:
    """What of an autoregression does not depend on the data, for each correlation of neighbours.

    Attributes:
        inverse: of the correlation matrix.
        weights: of each window in the mean that fits best.
        variance: of the sum of all windows, for windows of variance 1.
        evidence: logarithm of the chance before the data, and of the likelihood's constant part.
    """

    inverse: NDArray[np.float64]
    weights: NDArray[np.float64]
    variance: NDArray[np.float64]
    evidence: NDArray[np.float64]


@lru_cache(maxsize=128)
def _correlations(windows: int, independent: float) -> _Correlations:
    correlated = np.concatenate((np.linspace(0.02, 0.98, 49), [0.99, 0.995]))
    weight = np.gradient(correlated) / np.sqrt(1 - correlated)
    before = np.concatenate(([independent], (1 - independent) * weight / weight.sum()))
    lags = np.abs(np.subtract.outer(np.arange(windows), np.arange(windows)))
    matrices = np.concatenate(([0.0], correlated))[:, None, None] ** lags
    inverse = np.linalg.inv(matrices)
    fit = inverse.sum(axis=1)
    evidence = np.log(before) - (np.linalg.slogdet(matrices)[1] + np.log(fit.sum(axis=1))) / 2
    return _Correlations(
        inverse, fit / fit.sum(axis=1, keepdims=True), matrices.sum(axis=(1, 2)), evidence
    )
