"""The steps of a user as rows of the numbers that describe a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.arguments import pairs
from workloadlab.errors import DataError, UsageError
from workloadlab.latency.step import FEATURES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["feature_rows"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


def feature_rows(steps: pl.DataFrame | Mapping[str, Any]) -> Floats:
    """Return steps as rows of (p, x, n, c), contiguous float64.

    Args:
        steps: a frame or a mapping of columns; in a mapping an absent column is 0.

    Raises:
        UsageError: a frame lacks a column, or a column is unknown or of another length.
        DataError: a value is negative or not a number.

    Example:
        >>> feature_rows({"decode_seqs": [1, 2], "decode_context_tokens": 100})
        array([[  0.,   0.,   1., 100.],
               [  0.,   0.,   2., 100.]])
    """
    if isinstance(steps, pl.DataFrame):
        missing = [name for name in FEATURES if name not in steps.columns]
        if missing:
            raise UsageError(f"the frame lacks {', '.join(missing)}", fix=f"give {FEATURES}")
        columns = {name: steps[name].to_numpy() for name in FEATURES}
    else:
        steps = pairs("steps", steps)
        unknown = [name for name in steps if name not in FEATURES]
        if unknown or not steps:
            problem = (
                f"unknown step features: {', '.join(unknown)}" if unknown else "no steps given"
            )
            raise UsageError(problem, fix=f"use {', '.join(FEATURES)}")
        columns = {name: np.asarray(values) for name, values in steps.items()}
    try:
        given = np.broadcast_arrays(*(np.atleast_1d(values) for values in columns.values()))
    except ValueError as error:
        raise UsageError("the columns have different lengths") from error
    features = np.zeros((len(given[0]), len(FEATURES)))
    for name, values in zip(columns, given, strict=True):
        features[:, FEATURES.index(name)] = values
    bad = ~(features >= 0) | np.isinf(features)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            "is not a number of tokens or sequences",
            where=f"row {row + 1}, column {FEATURES[column]}: {features[row, column]}",
        )
    return features
