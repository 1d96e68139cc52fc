"""Where a column of lengths is cut off by a limit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Finding
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.characterization.frequencies import Frequencies

__all__ = ["find_cap"]

CAP_BAND = 0.0005
CAP_ROWS = 10
CAP_SHARE = 0.001
CAP_EXCESS = 5


def find_cap(column: str, values: Frequencies) -> Iterator[Finding]:
    """Find a point mass at the maximum, as a context or output limit leaves it.

    The values within 0.05 % of the maximum are compared with the ten bands of that width below:
    a cap holds at least 10 rows, 0.1 % of all, and 5 times what those bands hold on average.
    """
    if len(values.values) < 2:
        return
    most = int(values.values[-1])
    width = math.ceil(most * CAP_BAND)
    below, far = values.below(np.array([most - width + 1, most - 11 * width + 1])).tolist()
    rows, near = values.n - below, below - far
    share = rows / values.n
    if rows < CAP_ROWS or share < CAP_SHARE or rows < CAP_EXCESS * near / 10:
        return
    least = int(values.at(np.array([below]))[0])
    at = f"at {most:,}" if least == most else f"between {least:,} and {most:,}"
    yield Finding(
        "length_cap",
        "warning",
        f"{plural(rows, 'row')} ({share:.2%}) with {column} {at}, the maximum: a limit cuts the tail "
        "there, so quantiles at it and fitted tails describe the limit.",
        {"column": column, "value": most, "lowest": least, "rows": rows, "share": share},
    )
