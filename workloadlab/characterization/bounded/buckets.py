"""Counts of integers by bucket: exact for small ones, within a stated share for large ones.

A bucket is the exponent of a number with its first binary digits, so a number below 2^(digits + 1)
has a bucket of its own, and in any other bucket no number is further from the middle than
2^-(digits + 1) of itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.jit import helper

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["bucket_of", "buckets", "error", "lowest", "middles", "places_of"]

ONE = 1023 << 52
"""The bits of 1.0."""


@helper
def bucket_of(number: Any, digits: Any) -> Any:
    """Return the bucket of an integer; negative ones go with 0."""
    if number <= 0:
        return np.int64(0)
    bits = np.float64(number).view(np.int64)
    return ((bits - np.int64(ONE)) >> (np.int64(52) - digits)) + np.int64(1)


def buckets(bits: int, digits: int) -> int:
    """Return how many buckets numbers below 2^bits have.

    Example:
        >>> buckets(4, 2)
        17
    """
    return (bits << digits) + 1


def error(digits: int) -> float:
    """Return the largest distance of a number from the middle of its bucket, as its share."""
    return float(2.0 ** -(digits + 1))


def places_of(numbers: NDArray[np.int64], digits: int) -> NDArray[np.int64]:
    """Return the bucket of each integer, as `bucket_of` does."""
    bits = np.maximum(numbers, 1).astype(np.float64).view(np.int64)
    return np.where(numbers > 0, ((bits - ONE) >> (52 - digits)) + 1, 0)


def lowest(places: NDArray[np.int64], digits: int) -> NDArray[np.int64]:
    """Return the smallest number of each bucket.

    Example:
        >>> lowest(np.array([0, 1, 2, 3, 5, 9, 10]), 2).tolist()
        [0, 1, 2, 2, 2, 4, 5]
    """
    bits = ((places - 1) << (52 - digits)) + ONE
    return np.where(places > 0, np.ceil(bits.view(np.float64)).astype(np.int64), 0)


def middles(places: NDArray[np.int64], digits: int) -> NDArray[np.float64]:
    """Return the middle of the integers of each bucket."""
    return (lowest(places, digits) + lowest(places + 1, digits) - 1) / 2
