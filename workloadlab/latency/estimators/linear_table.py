"""The table that compiled code reads instead of the linear estimator's coefficients.

A table holds the coefficients of attention, then the curve of total tokens T as pairs of (intercept,
slope): one pair per token up to 16, one per 16 tokens up to 8192, one beyond.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["ATTENTION_CELLS", "CURVE_EDGES", "LAST", "TABLE_CELLS", "with_curve"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

ATTENTION_CELLS = 19
"""Cells before the curve."""

CURVE_EDGES: tuple[int, ...] = (*range(17), *range(32, 8192 + 1, 16))
"""Where the curve's pairs change: pair b holds for totals over edge b - 1 up to edge b."""

LAST = len(CURVE_EDGES)
"""The pair beyond the last edge."""

TABLE_CELLS = ATTENTION_CELLS + 2 * (LAST + 1)
"""Length of the table."""


def with_curve(table: Floats, knots: Floats, more_s: Floats) -> Floats:
    """Return the table with seconds added to its curve, made to rise.

    Args:
        table: from `linear.kernel_table`.
        knots: totals among `CURVE_EDGES`, rising.
        more_s: seconds to add at the knots; linear between them, constant beyond.
    """
    edges = np.array(CURVE_EDGES, np.float64)
    pairs = table[ATTENTION_CELLS:].reshape(-1, 2).copy()
    ends = np.column_stack([edges[:-1], edges[1:]])
    values = pairs[1:LAST, :1] + pairs[1:LAST, 1:] * ends
    values += np.interp(ends, knots, more_s)
    line = values.ravel()
    line = np.maximum.accumulate(line) + np.minimum.accumulate(line[::-1])[::-1]
    values = np.maximum(0.0, line.reshape(-1, 2) / 2)
    slope = (values[:, 1] - values[:, 0]) / (ends[:, 1] - ends[:, 0])
    pairs[1:LAST] = np.column_stack([values[:, 0] - slope * ends[:, 0], slope])
    pairs[LAST, 0] = values[-1, 1] - pairs[LAST, 1] * edges[LAST - 1]
    corrected: Floats = np.concatenate([table[:ATTENTION_CELLS], pairs.ravel()])
    return corrected
