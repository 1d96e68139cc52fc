"""How far an average of neighbouring requests may be off: windows of consecutive arrivals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEVEL", "Error", "standard_error"]

LEVEL = 0.95
"""Of every interval."""

POWER = 0.8
"""Chance with which the least detectable effect would have been found."""

WINDOWS, FEWEST = 24, 12
CORRELATED = 1.0
"""Windows whose lag-1 correlation exceeds this over the root of their number still share their fate."""


@dataclass(frozen=True)
class Error:
    """Standard error of an estimate, and what it was computed from.

    Attributes:
        se: in the estimate's unit.
        windows: of consecutive arrivals.
        freedom: Student's degrees of freedom.
    """

    se: float
    windows: int
    freedom: float

    @property
    def margin(self) -> float:
        """Half the width of the interval."""
        return self._t((1 + LEVEL) / 2) * self.se

    @property
    def detectable(self) -> float:
        """Least difference that is found with a chance of 80 %."""
        return (self._t((1 + LEVEL) / 2) + self._t(POWER)) * self.se

    def p_value(self, estimate: float) -> float:
        """Return the two-sided chance of an estimate so far from 0, were it 0 in truth."""
        from scipy.special import stdtr

        if self.se == 0:
            return float(estimate == 0)
        return float(2 * stdtr(self.freedom, -abs(estimate) / self.se))

    def _t(self, probability: float) -> float:
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, probability))


def standard_error(influence: NDArray[np.float64]) -> Error | None:
    """Return the error of an estimate from what each request, in order of arrival, adds to it.

    Batch means (Law and Kelton, Simulation Modeling and Analysis, section 9.5.3): the requests are cut
    into 24 windows of equal size, whose sums are nearly independent where a window outlasts a busy
    period. If neighbours are correlated, the windows are joined in pairs; if they still are, with the
    correlation r, the variance is raised by (1 + r) / (1 - r), as of a first-order autoregression, and
    the degrees of freedom fall by as much. None for fewer than two requests.

    Args:
        influence: per request, (value - mean) / n for a mean; sums to about 0.

    Example:
        >>> values = np.random.default_rng(0).normal(size=4800)
        >>> error = standard_error((values - values.mean()) / len(values))
        >>> error.windows, round(error.se * 4800**0.5, 1)
        (24, 1.0)
    """
    requests = len(influence)
    windows = min(WINDOWS, requests)
    if windows < 2:
        return None
    sums = np.add.reduceat(influence, np.arange(windows) * requests // windows)
    while len(sums) >= 2 * FEWEST and _lag_one(sums) > CORRELATED / len(sums) ** 0.5:
        sums = sums[: len(sums) // 2 * 2].reshape(-1, 2).sum(axis=1)
    windows = len(sums)
    spread = sums - sums.mean()
    variance, freedom = windows / (windows - 1) * float(spread @ spread), windows - 1.0
    if FEWEST <= windows < 2 * FEWEST and _lag_one(sums) > CORRELATED / windows**0.5:
        # A correlation found in few windows is too low by about (1 + 3 r) / windows (Kendall 1954).
        correlation = min(0.95, (_lag_one(sums) + 1 / windows) / (1 - 3 / windows))
        inflation = (1 + correlation) / (1 - correlation)
        variance, freedom = variance * inflation, max(1.0, freedom / inflation)
    return Error(variance**0.5, windows, freedom)


def _lag_one(sums: NDArray[np.float64]) -> float:
    spread = sums - sums.mean()
    total = float(spread @ spread)
    return float(spread[1:] @ spread[:-1]) / total if total else 0.0
