"""The axis that both figures of sessions share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["turn_axis"]


def turn_axis(axes: Axes, turns: NDArray[np.float64]) -> None:
    """Label the horizontal axis with whole turns, from the first given to the last."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(turns[0] - 0.5, turns[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.set_xlabel("turn of the session")
