"""What buckets tell of the numbers counted in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.characterization.bounded.buckets import middles
from workloadlab.characterization.frequencies import Frequencies

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["sketched"]


def sketched(table: NDArray[np.int64], digits: int) -> Frequencies:
    """Return rows of (bucket, count) as frequencies: the middle of a bucket stands for what is in it.

    Example:
        >>> import numpy as np
        >>> sketched(np.array([[1, 2], [5, 1]]), 2).quantiles([0.5, 1.0])
        [1.0, 2.0]
    """
    return Frequencies(middles(table[:, 0], digits), table[:, 1])
