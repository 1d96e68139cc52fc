"""Whether a router uses the instances that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from workloadlab.scoring.timings import Timings

__all__ = ["Imbalance", "imbalance"]

MOST_OF_THE_WORK = 0.9
FEWEST = 10
"""Requests per instance below which chance alone leaves some of them idle."""

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Imbalance:
    """The busiest instances, which take nearly all of the work though they are half or fewer.

    Attributes:
        busy: instances that take it.
        instances: of the cluster.
        share: of the tokens (input and output) that they served.
    """

    busy: int
    instances: int
    share: float

    def __str__(self) -> str:
        """Return the finding as a clause."""
        count = NUMBERS[self.busy] if self.busy < len(NUMBERS) else f"{self.busy:,}"
        takes = "takes" if self.busy == 1 else "take"
        return f"{count} of {self.instances:,} instances {takes} {self.share:.0%} of the tokens"


def imbalance(timings: Timings, instances: int | None = None) -> Imbalance | None:
    """Return the few instances that take 90 % of the tokens; None if that needs over half of them.

    Args:
        timings: of a run, or of a log that records instances.
        instances: size of the cluster; None takes those that occur.
    """
    placed = timings.served & (timings.instance >= 0)
    count = max(instances or 0, len(timings.instances))
    if count < 2 or placed.sum() < FEWEST * count:
        return None
    load = np.bincount(
        timings.instance[placed], weights=timings.total_tokens[placed], minlength=count
    )
    taken = np.cumsum(np.sort(load)[::-1]) / load.sum()
    busy = int(np.searchsorted(taken, MOST_OF_THE_WORK)) + 1
    return Imbalance(busy, count, float(taken[busy - 1])) if 2 * busy <= count else None
