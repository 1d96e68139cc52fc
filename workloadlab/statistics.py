"""The few statistics that every room shares, each with its one definition."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["finite", "quantiles"]


def finite(value: float | np.floating[Any]) -> float | None:
    """Return `value` as a Python float, or None where it is not a number."""
    return float(value) if math.isfinite(value) else None


def quantiles(values: NDArray[Any], probabilities: Sequence[float]) -> list[float]:
    """Return linear quantiles: of n sorted values, position (n - 1) p, interpolated.

    Hyndman and Fan's type 7, the default of numpy and of SQL's `quantile_cont`.

    Example:
        >>> quantiles(np.array([10, 20, 30, 40]), [0.5, 0.9])
        [25.0, 37.0]
    """
    return [float(q) for q in np.quantile(values, probabilities, method="linear")]
