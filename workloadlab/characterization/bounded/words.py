"""Sums too large for 64 bits: two words in kernels, four limbs in partial results, Python's after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["as_floats", "limbs", "total"]

_LOW = np.uint64(0xFFFFFFFF)


def limbs(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return sums of two words, the upper first, as four limbs of 32 bits, the lowest first.

    Limbs of several sums may be added as they are.
    """
    shift = np.uint64(32)
    high, low = words[..., 0], words[..., 1]
    parts = (low & _LOW, low >> shift, high & _LOW, high >> shift)
    return np.stack(parts, axis=-1).astype(np.int64)


def total(held: NDArray[Any]) -> int:
    """Return the number that four limbs hold, signed.

    Example:
        >>> total(limbs(np.array([0, 5], np.uint64))), total(np.array([2**32 - 1] * 4))
        (5, -1)
    """
    value = sum(int(limb) << (32 * k) for k, limb in enumerate(held.tolist())) % (1 << 128)
    return value - (1 << 128) if value >> 127 else value


def as_floats(held: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the numbers, not negative, that rows of four limbs hold."""
    return np.asarray(held.astype(np.float64) @ np.array([1.0, 2.0**32, 2.0**64, 2.0**96]))
