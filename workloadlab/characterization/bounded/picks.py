"""Evenly spaced rows, where a statistic needs rows but not all of them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.statistics.measures import evenly

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MOST", "joined", "picked", "picked_of_halves"]


MOST = 1_000_000


@lru_cache(maxsize=16)
def _places(n: int, most: int) -> NDArray[np.int64]:
    return evenly(n, most)


def picked(n: int, start: int, stop: int, most: int = MOST) -> NDArray[np.int64]:
    """Return those of at most `most` evenly spaced places of n that lie in [start, stop).

    Example:
        >>> picked(9, 2, 8, most=3).tolist(), picked_of_halves(5, 1, 4).tolist()
        ([4], [1, 2, 3])
    """
    places = _places(max(n, 0), most)
    low, high = np.searchsorted(places, [start, stop])
    return places[low:high]


def picked_of_halves(n: int, start: int, stop: int, most: int = MOST) -> NDArray[np.int64]:
    """Return the same for evenly spaced places of each half of n."""
    n = max(n, 0)
    middle = n // 2
    first = picked(middle, min(start, middle), min(stop, middle), most)
    second = picked(n - middle, max(start - middle, 0), max(stop - middle, 0), most)
    return np.concatenate((first, second + middle))


def joined(kept: list[NDArray[np.int64]], columns: int) -> NDArray[np.int64]:
    """Return rows that were kept batch by batch as one array."""
    return np.concatenate([np.zeros((0, columns), np.int64), *kept])
