"""How heavy a tail is, by Hill's estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Unsupported

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.frequencies import Frequencies

__all__ = ["Hill", "hill_plot"]

LEAST_ROWS = 200
LEAST_TAIL = 10
POINTS = 40
STABLE_RATIO = 1.15
STABLE_POINTS = 8


@dataclass(frozen=True)
class Hill:
    """Hill's estimate of the exponent of a power-law tail, by how much of the tail is used.

    alpha(k) = (k - m) / sum of log(x_i / x_(k+1)) over the k largest, of which m lie at the limit
    (0 without one). A tail that is no power law has no range of k where alpha stays put.

    Attributes:
        alpha: median over the stable range; None where there is none.
        stable_k: the widest range of k, over an eighth of the points, in which alpha varies by at most
            15 %; empty where there is none.
        points: at most 40 pairs (k, alpha), to a fifth of the rows.
        censored: m.
    """

    alpha: float | None
    stable_k: tuple[int, ...]
    points: tuple[tuple[float, ...], ...]
    censored: int


def hill_plot(values: Frequencies, *, limit: float | None = None) -> Hill | Unsupported:
    """Estimate the tail exponent of a column.

    Args:
        values: the column; only positive values count.
        limit: values from here on were cut off here.

    Example:
        >>> from workloadlab.characterization.frequencies import Frequencies
        >>> values = np.random.default_rng(0).random(20_000) ** (-1 / 1.5)
        >>> round(hill_plot(Frequencies.of(values)).alpha, 1)
        1.5
    """
    n = values.n
    rows = n - int(values.below(np.array([1e-300]))[0])
    if rows < LEAST_ROWS:
        return Unsupported(f"under {LEAST_ROWS} positive values are too few for a tail")
    most = rows // 5
    cut = 0 if limit is None else n - int(values.below(np.array([limit]))[0])
    first = max(LEAST_TAIL, cut + LEAST_TAIL)
    if first >= most:
        return Unsupported("the limit cuts off what would be the tail")
    k = np.unique(np.geomspace(first, most, POINTS).astype(np.int64))
    positive = values.values > 0
    descending = values.values[positive][::-1].astype(np.float64)
    logs = np.log(descending if limit is None else np.minimum(descending, limit))
    counts = values.counts[positive][::-1]
    held = np.cumsum(counts)
    sums = np.cumsum(counts * logs)
    place = np.searchsorted(held, k, side="right")
    excess = sums[place] - (held[place] - k) * logs[place] - k * logs[place]
    k, excess = k[excess > 0], excess[excess > 0]
    alphas = (k - cut) / excess
    low, high = _stable(alphas)
    stable = high - low >= STABLE_POINTS
    return Hill(
        alpha=float(np.median(alphas[low:high])) if stable else None,
        stable_k=(int(k[low]), int(k[high - 1])) if stable else (),
        points=tuple(zip(k.astype(float).tolist(), alphas.tolist(), strict=True)),
        censored=cut,
    )


def _stable(alphas: NDArray[np.float64]) -> tuple[int, int]:
    """Return the widest slice whose largest value is within the ratio of its smallest."""
    best = (0, 0)
    for low in range(len(alphas)):
        high = low
        least = most = alphas[low]
        while high < len(alphas):
            least, most = min(least, alphas[high]), max(most, alphas[high])
            if most > STABLE_RATIO * least:
                break
            high += 1
        if high - low > best[1] - best[0]:
            best = (low, high)
    return best
