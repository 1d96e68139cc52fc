"""Evaluate the step time of any estimator, row by row, in compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from workloadlab.jit import entry

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["evaluate"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_NUMBER, _TABLE = types.float64, types.float64[::1]
_STEP_TIME = types.FunctionType(_NUMBER(_NUMBER, _NUMBER, _NUMBER, _NUMBER, _TABLE))


@entry(_TABLE(_STEP_TIME, types.float64[:, ::1], _TABLE), allocates=True)
def evaluate(step_time: Callable[..., float], features: Floats, table: Floats) -> Floats:
    """Return the seconds of every row of (p, x, n, c); the same bits as `step_time` one by one."""
    seconds = np.empty(features.shape[0])
    for row in range(features.shape[0]):
        seconds[row] = step_time(
            features[row, 0], features[row, 1], features[row, 2], features[row, 3], table
        )
    return seconds
