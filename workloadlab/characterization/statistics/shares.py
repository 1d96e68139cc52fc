"""How unequally a total is spread over those who share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.frequencies import Frequencies

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Shares", "gini", "share_out", "top_share"]

CURVE_POINTS = 100


@dataclass(frozen=True)
class Shares:
    """How unequally a total is spread.

    Attributes:
        count: parties.
        top1, top5, top10: share of the largest ones.
        k50, k90, k99: least number of parties that hold that share.
        gini: 0 when all are equal.
        hhi: sum of squared shares; 1 / hhi is the number of equal parties that looks like this.
        curve: at most 100 pairs (k, share of the k largest).
    """

    count: int
    top1: float
    top5: float
    top10: float
    k50: int
    k90: int
    k99: int
    gini: float | None
    hhi: float
    curve: tuple[tuple[float, ...], ...]


def share_out(amounts: NDArray[Any]) -> Shares | None:
    """Return how a total is spread over parties with these amounts; None for a total of 0.

    Example:
        >>> shares = share_out(np.array([70, 20, 5, 5]))
        >>> shares.top1, shares.k50, shares.k90, round(1 / shares.hhi, 2)
        (0.7, 1, 2, 1.87)
    """
    descending = np.sort(amounts)[::-1]
    total = descending.sum()
    if not total > 0:
        return None
    held = np.cumsum(descending) / total

    def least(share: float) -> int:
        return min(int(np.searchsorted(held, share - 1e-12)) + 1, len(held))

    def top(k: int) -> float:
        return float(held[min(k, len(held)) - 1])

    ranks = np.unique(np.geomspace(1, len(held), CURVE_POINTS).round().astype(np.int64))
    return Shares(
        count=len(held),
        top1=top(1),
        top5=top(5),
        top10=top(10),
        k50=least(0.5),
        k90=least(0.9),
        k99=least(0.99),
        gini=gini(Frequencies.of(amounts)),
        hhi=float(np.sum((descending / total) ** 2)),
        curve=tuple((float(k), float(held[k - 1])) for k in ranks.tolist()),
    )


def gini(amounts: Frequencies) -> float | None:
    """Return Gini's coefficient, sum((2 i - n - 1) x_i) / (n sum x) with i from 1; None for all 0.

    Example:
        >>> gini(Frequencies.of(np.array([0, 0, 0, 8]))), gini(Frequencies.of(np.array([5, 5])))
        (0.75, 0.0)
    """
    n, total = amounts.n, amounts.total
    if not total:
        return None
    # Equal amounts share the mean of their places.
    weights = (2 * amounts.upto - amounts.counts - n) * amounts.counts.astype(np.float64)
    return max(0.0, float(np.sum(weights * amounts.values)) / (n * total))


def top_share(amounts: Frequencies, percent: int) -> float | None:
    """Return the share of the sum held by the largest n * percent // 100 values, at least one.

    The count is rounded down, so that it never holds more than the percentage named. None for
    a sum of 0.

    Example:
        >>> top_share(Frequencies.of(np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 11])), 10)
        0.55
    """
    total = amounts.total
    rest = amounts.n - max(1, amounts.n * percent // 100)
    place = int(np.searchsorted(amounts.upto, rest, side="right"))
    above = Frequencies(amounts.values[place + 1 :], amounts.counts[place + 1 :])
    split = int(amounts.upto[place] - rest) * int(amounts.values[place])
    return (above.total + split) / total if total else None
