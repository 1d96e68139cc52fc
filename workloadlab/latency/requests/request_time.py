"""The compiled prediction of a request model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workloadlab.jit import entry
from workloadlab.latency.estimators.trees_kernel import tree_sum

__all__ = ["request_time"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


@entry("float64(float64[::1], float64[::1])", allocates=True)
def request_time(features: Floats, table: Floats) -> float:
    """Seconds of one request; features and table come from `RequestModel.kernel`.

    Runs compiled, and as plain Python through `.py_func` with the same bits.
    """
    return math.exp(tree_sum(features, table, 0))
