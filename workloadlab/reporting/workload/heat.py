"""Cells of a table, the fuller the larger their value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.reporting.canvas import SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["fill_cells"]

DEEPEST = 0.5
"""Opacity of the fullest cell: text on it can still be read, light or dark."""


def fill_cells(axes: Axes, values: NDArray[np.float64]) -> None:
    """Fill unit cells, rows from the top; full colour for the largest value, none for a NaN."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    rows, columns = np.nonzero(np.isfinite(values))
    most = np.nanmax(values) or 1.0
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    cells = [corners + place for place in zip(columns, rows, strict=True)]
    depths = [round(0.03 + (DEEPEST - 0.03) * float(v) / most, 3) for v in values[rows, columns]]
    colours = [to_rgba(SERIES[0], depth) for depth in depths]
    axes.add_collection(PolyCollection(cells, facecolors=colours, linewidths=0))
    axes.set_xlim(0, values.shape[1])
    axes.set_ylim(values.shape[0], 0)
    axes.grid(visible=False)
    axes.tick_params(length=0)
