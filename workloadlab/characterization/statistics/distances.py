"""How far one distribution lies from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Distance", "distance", "share_divergence"]

PSI_BINS = 10
LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class Distance:
    """How far a distribution lies from a reference.

    Attributes:
        ks: largest distance between the distribution functions.
        wasserstein: area between them, in the column's unit.
        psi: population stability index over tenths of the reference, sum((q - p) log(q / p)), shares
            below 0.0001 taken as that: under 0.1 is no drift, over 0.25 is large.
    """

    ks: float
    wasserstein: float
    psi: float


def distance(reference: NDArray[Any], other: NDArray[Any]) -> Distance:
    """Return the distances of two samples.

    Example:
        >>> distance(np.array([1, 2, 3, 4]), np.array([2, 3, 4, 5])).wasserstein
        1.0
    """
    a, b = np.sort(reference), np.sort(other)
    points = np.unique(np.concatenate((a, b)))
    below_a = np.searchsorted(a, points, side="right") / len(a)
    below_b = np.searchsorted(b, points, side="right") / len(b)
    apart = np.abs(below_a - below_b)
    edges = np.quantile(a, np.arange(1, PSI_BINS) / PSI_BINS, method="linear")
    p, q = (
        np.maximum(
            np.bincount(np.searchsorted(edges, v, side="right"), minlength=PSI_BINS) / len(v),
            LEAST_SHARE,
        )
        for v in (a, b)
    )
    return Distance(
        ks=float(apart.max()),
        wasserstein=float(np.sum(apart[:-1] * np.diff(points.astype(np.float64)))),
        psi=float(np.sum((q - p) * np.log(q / p))),
    )


def share_divergence(reference: dict[str, int], other: dict[str, int]) -> float:
    """Return the Jensen-Shannon divergence of two sets of counts, in bits.

    Example:
        >>> share_divergence({"a": 5}, {"b": 1}), share_divergence({"a": 5}, {"a": 1})
        (1.0, 0.0)
    """
    names = sorted({*reference, *other})
    p, q = (
        np.array([counts.get(name, 0) for name in names]) / sum(counts.values())
        for counts in (reference, other)
    )
    middle = (p + q) / 2

    def entropy(shares: NDArray[np.float64]) -> float:
        held = shares[shares > 0]
        return -float(np.sum(held * np.log2(held)))

    return max(0.0, entropy(middle) - (entropy(p) + entropy(q)) / 2)
