"""Where a request model was fitted: the box and the cells of its features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["RequestDomain"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

SHARES = ("kv_usage", "cached_share")
"""Features from 0 to 1; cells take them in percent."""


@dataclass(frozen=True, kw_only=True)
class RequestDomain:
    """The rows of features that a fit saw.

    A box alone says little: two mixes, short prompts on an idle instance and long ones on a busy one,
    span a box that holds short prompts on a busy one. So the cells that the rows lie in count too. A
    cell spans a factor of four along every feature at once.

    Attributes:
        features: names, in the order of the columns.
        low, high: smallest and largest value of each.
        cells: codes of the cells with at least one row, rising.

    Example:
        >>> seen = RequestDomain.of(("input_tokens", "running"), np.array([[10.0, 1], [4000, 60]]))
        >>> seen.contains(np.array([[12.0, 1], [3900, 50], [12, 50], [9000, 60]]))
        array([ True,  True, False, False])
    """

    features: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    cells: tuple[int, ...]

    @classmethod
    def of(cls, features: tuple[str, ...], inputs: Floats) -> RequestDomain:
        """Bound (rows, features) and note their cells."""
        return cls(
            features=features,
            low=tuple(inputs.min(axis=0).tolist()),
            high=tuple(inputs.max(axis=0).tolist()),
            cells=tuple(np.unique(_cells(features, inputs)).tolist()),
        )

    def contains(self, inputs: Floats) -> Bools:
        """Say for each row whether it lies within the box and in a cell that the fit saw."""
        boxed = ((inputs >= np.array(self.low)) & (inputs <= np.array(self.high))).all(axis=1)
        return np.asarray(boxed & np.isin(_cells(self.features, inputs), self.cells))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; the model names the features."""
        return {"low": list(self.low), "high": list(self.high), "cells": list(self.cells)}


def _cells(features: tuple[str, ...], inputs: Floats) -> np.ndarray[Any, np.dtype[np.int64]]:
    codes = np.zeros(len(inputs), np.int64)
    for name, values in zip(features, inputs.T, strict=True):
        units = 100.0 * values if name in SHARES else values
        codes = codes * 32 + np.minimum(np.rint(np.log2(1.0 + units) / 2), 31).astype(np.int64)
    return codes
