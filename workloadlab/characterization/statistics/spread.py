"""The usual summary of a quantity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloadlab.statistics import quantiles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Spread", "spread_of", "spread_some"]


@dataclass(frozen=True)
class Spread:
    """Number, mean, linear quantiles and maximum of a quantity."""

    n: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float


def spread_of(values: NDArray[np.float64] | NDArray[np.int64]) -> Spread | None:
    """Summarize values; None for none."""
    return spread_some(values) if len(values) else None


def spread_some(values: NDArray[np.float64] | NDArray[np.int64]) -> Spread:
    """Summarize at least one value."""
    p50, p90, p99 = quantiles(values, [0.5, 0.9, 0.99])
    return Spread(len(values), float(values.mean()), p50, p90, p99, float(values.max()))
