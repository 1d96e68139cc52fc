"""How two partial results of the same quantity become one: integers only, in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from numpy.typing import NDArray

    Rule: TypeAlias = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]

__all__ = [
    "add",
    "add_by_key",
    "add_by_two_keys",
    "divisor",
    "grouped",
    "largest",
    "least",
    "summed",
    "together",
]


def add(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return the sum, place by place."""
    return np.asarray(a + b, dtype=a.dtype)


def least(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return the smaller, place by place."""
    return np.asarray(np.minimum(a, b))


def largest(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return the larger, place by place."""
    return np.asarray(np.maximum(a, b))


def divisor(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return the greatest common divisor, place by place; 0 divides nothing."""
    return np.asarray(np.gcd(a, b))


def add_by_key(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return the rows of both by their first column, ascending; rows of one key are added.

    Example:
        >>> add_by_key(np.array([[1, 5], [4, 1]]), np.array([[4, 2]])).tolist()
        [[1, 5], [4, 3]]
    """
    return _added(a, b, 1)


def add_by_two_keys(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return the rows of both by their first two columns, ascending; rows of one key are added."""
    return _added(a, b, 2)


def together(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return the rows of both, ascending by their first two columns."""
    apart = _apart(a, b)
    if apart is not None:
        return apart
    rows = np.concatenate((a, b))
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))]


def grouped(rows: NDArray[Any], keys: int) -> NDArray[Any]:
    """Return rows ascending by their first columns, those of one key added."""
    return summed(rows[np.lexsort([rows[:, k] for k in reversed(range(keys))])], keys)


def summed(rows: NDArray[Any], keys: int) -> NDArray[Any]:
    """Return rows that ascend by their first columns, those of one key added; at least one row."""
    starts = np.flatnonzero(np.append(True, np.any(rows[1:, :keys] != rows[:-1, :keys], axis=1)))
    sums = np.add.reduceat(rows, starts, axis=0)
    sums[:, :keys] = rows[starts, :keys]
    return np.asarray(sums, dtype=rows.dtype)


def _apart(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any] | None:
    """Return the rows of both where all keys of one come before those of the other, else None."""
    if not len(a) or not len(b):
        return b if len(b) else a
    for first, second in ((a, b), (b, a)):
        if first[-1, 0] < second[0, 0]:
            return np.concatenate((first, second))
    return None


def _added(a: NDArray[Any], b: NDArray[Any], keys: int) -> NDArray[Any]:
    """Return the rows of both, those of one key added; few are where parts follow each other."""
    if not len(a) or not len(b):
        return b if len(b) else a
    low, high = max(a[0, 0], b[0, 0]), min(a[-1, 0], b[-1, 0])
    (a0, a1), (b0, b1) = (
        (np.searchsorted(each, low), np.searchsorted(each, high, side="right"))
        for each in (a[:, 0], b[:, 0])
    )
    both = np.concatenate((a[a0:a1], b[b0:b1]))
    middle = grouped(both, keys) if len(both) else both
    return np.concatenate((a[:a0], b[:b0], middle, a[a1:], b[b1:]))
