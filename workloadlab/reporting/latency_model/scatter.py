"""Measured steps as points, each kind of step with a marker of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.latency.step import KINDS, kind_of
from workloadlab.reporting.canvas import series

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["StepPoints", "by_kind", "draw_points"]

MARKERS = ("o", "s", "^", "D")
"""Points of different kinds look different without colour."""


@dataclass(frozen=True)
class StepPoints:
    """The steps of one kind.

    Attributes:
        label: decode, prefill or mixed.
        style: index of its colour and marker.
        points: (x, y) pairs.
    """

    label: str
    style: int
    points: tuple[tuple[float, ...], ...]


def by_kind(features: NDArray[Any], places: NDArray[Any]) -> tuple[StepPoints, ...]:
    """Sort steps by kind; kinds without one are left out.

    Args:
        features: rows of (prefill_tokens, prefill_context_tokens, decode_seqs,
            decode_context_tokens).
        places: rows of (x, y), one per step.

    Example:
        >>> by_kind(np.array([[0, 0, 8, 100], [512, 0, 0, 0]]), np.array([[1.0, 2.0], [3.0, 4.0]]))[1]
        StepPoints(label='prefill', style=1, points=((3.0, 4.0),))
    """
    kinds = kind_of(features)
    return tuple(
        StepPoints(kind, style, tuple(map(tuple, places[kinds == style].tolist())))
        for style, kind in enumerate(KINDS)
        if (kinds == style).any()
    )


def draw_points(axes: Axes, several: Sequence[StepPoints]) -> None:
    """Draw the kinds, and say in the figure which is which."""
    for one in several:
        x, y = np.array(one.points).T
        axes.plot(x, y, MARKERS[one.style % len(MARKERS)], color=series(one.style)["color"],
                  markersize=5, markerfacecolor="none", label=one.label)  # fmt: skip
