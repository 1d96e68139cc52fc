"""Where a column of lengths is cut off by a limit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["find_cap"]

CAP_BAND = 0.0005
CAP_ROWS = 10
CAP_SHARE = 0.001
CAP_EXCESS = 5


def find_cap(column: str, values: NDArray[np.uint32]) -> Iterator[Finding]:
    """Find a point mass at the maximum, as a context or output limit leaves it.

    The values within 0.05 % of the maximum are compared with the ten bands of that width below:
    a cap holds at least 10 rows, 0.1 % of all, and 5 times what those bands hold on average.
    """
    if len(values) == 0 or values.min() == values.max():
        return
    most = int(values.max())
    width = math.ceil(most * CAP_BAND)
    band = values[values > most - width]
    near = np.count_nonzero(values > most - 11 * width) - len(band)
    share = len(band) / len(values)
    if len(band) < CAP_ROWS or share < CAP_SHARE or len(band) < CAP_EXCESS * near / 10:
        return
    least = int(band.min())
    at = f"at {most:,}" if least == most else f"between {least:,} and {most:,}"
    yield Finding(
        "length_cap",
        "warning",
        f"{len(band):,} rows ({share:.2%}) have {column} {at}, the maximum: a limit cuts the tail "
        "there, so quantiles at it and fitted tails describe the limit.",
        {"column": column, "value": most, "lowest": least, "rows": len(band), "share": share},
    )
