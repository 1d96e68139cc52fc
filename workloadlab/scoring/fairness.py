"""Whether tenants are served alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.scoring.timings import Timings

__all__ = ["jain", "tenant_means"]

FEWEST = 30
"""Requests below which a tenant's mean is mostly chance."""


def tenant_means(
    timings: Timings, values: NDArray[np.float64], *, fewest: int = FEWEST
) -> NDArray[np.float64]:
    """Return the mean of each tenant's values; empty where tenants are not recorded.

    Args:
        timings: of a run, or of a log.
        values: one per request, NaN where it has none.
        fewest: values below which a tenant is left out.
    """
    tenants = timings.parties.get("tenant_id")
    if tenants is None:
        return np.zeros(0)
    known = np.isfinite(values) & (tenants.codes >= 0)
    counts = np.bincount(tenants.codes[known], minlength=len(tenants.names))
    sums = np.bincount(tenants.codes[known], weights=values[known], minlength=len(tenants.names))
    enough = counts >= fewest
    means: NDArray[np.float64] = sums[enough] / counts[enough]
    return means


def jain(values: NDArray[np.float64]) -> float | None:
    """Return Jain's index, (sum of x)^2 / (n sum of x^2); None for fewer than two values.

    Example:
        >>> jain(np.array([1.0, 1.0])), jain(np.array([1.0, 0.0]))
        (1.0, 0.5)
    """
    squares = float(values @ values)
    return (
        float(values.sum()) ** 2 / (len(values) * squares) if len(values) > 1 and squares else None
    )
