"""How often each value occurs: all that statistics of one column need, whatever the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Frequencies"]

DENSE = 1 << 22


@dataclass(frozen=True)
class Frequencies:
    """Distinct values of a column, ascending, and how often each occurs.

    Example:
        >>> f = Frequencies.of(np.array([3, 1, 3]))
        >>> f.n, f.quantiles([0.5]), f.at(np.array([0, 1])).tolist(), f.below(np.array([3]))
        (3, [3.0], [1, 3], array([1]))
    """

    values: NDArray[Any]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[Any]) -> Frequencies:
        """Count the values of a column, in any order."""
        if np.issubdtype(values.dtype, np.unsignedinteger) and len(values):
            most = int(values.max())
            if most < DENSE:
                counts = np.bincount(values)
                found = np.flatnonzero(counts)
                return cls(found, counts[found])
        distinct, counts = np.unique(values, return_counts=True)
        return cls(distinct, counts)

    @cached_property
    def upto(self) -> NDArray[np.int64]:
        """How many values are at most each."""
        return np.cumsum(self.counts)

    @property
    def n(self) -> int:
        """Number of values."""
        return int(self.upto[-1]) if len(self.upto) else 0

    @cached_property
    def total(self) -> int | float:
        """Sum of the values; exact for integers."""
        if not np.issubdtype(self.values.dtype, np.integer):
            return float(np.sum(self.values * self.counts))
        exact: int = np.dot(self.values.astype(object), self.counts.astype(object))
        return exact

    def at(self, ranks: NDArray[np.int64]) -> NDArray[Any]:
        """Return the values at places of the sorted column, from 0."""
        return np.asarray(self.values[np.searchsorted(self.upto, ranks, side="right")])

    def below(self, points: NDArray[Any]) -> NDArray[np.int64]:
        """Return how many values are less than each point."""
        places = np.searchsorted(self.values, points)
        return np.append(0, self.upto)[places]

    def quantiles(self, probabilities: Sequence[float]) -> list[float]:
        """Return linear quantiles, as `workloadlab.statistics.quantiles` does."""
        places = [(self.n - 1) * p for p in probabilities]
        low = np.floor(places).astype(np.int64)
        below, above = self.at(low), self.at(np.minimum(low + 1, self.n - 1))
        return [
            _between(float(a), float(b), place - int(k))
            for a, b, place, k in zip(below, above, places, low, strict=True)
        ]

    def sd(self, mean: float) -> float | None:
        """Return the standard deviation with n - 1 below the sum; None for fewer than two values."""
        if self.n < 2:
            return None
        deviations = self.values - mean
        return math.sqrt(float(np.sum(self.counts * (deviations * deviations))) / (self.n - 1))


def _between(a: float, b: float, share: float) -> float:
    """Return a + (b - a) share as numpy's quantiles round it."""
    return b - (b - a) * (1 - share) if share >= 0.5 else a + (b - a) * share
