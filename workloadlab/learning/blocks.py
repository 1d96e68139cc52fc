"""Time blocks: what a router learns on, what it is selected on, and what it is tested on."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workloadlab.arguments import checked
from workloadlab.errors import UsageError
from workloadlab.simulation.windows import Window, cut
from workloadlab.trace import Trace
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.simulation.workload import Workload
    from workloadlab.trace import AnyTrace

__all__ = ["FEWEST", "SHARES", "Blocks", "blocks_of", "time_blocks"]

SHARES = (0.5, 0.25, 0.25)
"""Shares of the requests: train, selection, test."""

FEWEST = 100
"""Requests of the smallest block that says anything."""


class Blocks(NamedTuple):
    """Three parts of a trace, one behind the other in time."""

    train: Trace
    selection: Trace
    test: Trace


@checked
def time_blocks(trace: AnyTrace, shares: Sequence[float] = SHARES) -> Blocks:
    """Cut a trace into a training, a selection and a test block, in the order of time.

    What is learned is tested on what came later, as it would be used. A block begins with its first
    request, and requests of one moment stay together.

    Args:
        trace: at least 100 requests for the smallest block.
        shares: of the requests.

    Raises:
        UsageError: shares that are none, or too few requests.

    Example:
        >>> from workloadlab import Trace
        >>> trace = Trace.of([(second, 10, 5) for second in range(400)])
        >>> [block.requests for block in time_blocks(trace)]
        [200, 100, 100]
    """
    trace = Trace.open(trace)
    arrival_ns = trace.read("arrival_ns")["arrival_ns"].to_numpy()
    edges = _edges(arrival_ns, shares)
    moments = [arrival_ns[edge] / 1e9 for edge in edges[:-1]] + [arrival_ns[-1] / 1e9 + 1.0]
    return Blocks(*(trace.window(a, b) for a, b in pairwise(moments)))


def blocks_of(workload: Workload, shares: Sequence[float] = SHARES) -> list[Workload]:
    """Return the same blocks of a workload, each with its own clock."""
    edges = _edges(workload.arrival_s, shares)
    windows = [
        Window(first, last, float(workload.arrival_s[first])) for first, last in pairwise(edges)
    ]
    return [cut(workload, window) for window in windows]


def _edges(arrivals: np.ndarray, shares: Sequence[float]) -> list[int]:
    """Return the first row of each block, and the end."""
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1.0) > 1e-9:
        raise UsageError(
            f"blocks of {shares!r}",
            fix="give three shares above 0 with the sum 1: (0.5, 0.25, 0.25)",
        )
    if len(arrivals) < FEWEST:
        raise _too_few(len(arrivals), shares)
    inner = np.round(np.cumsum(shares[:-1]) * len(arrivals)).astype(int)
    # The first request of its moment, so that no moment is cut.
    edges = [0, *(int(np.searchsorted(arrivals, arrivals[row])) for row in inner)]
    edges.append(len(arrivals))
    sizes = np.diff(edges)
    if len(sizes) < 3 or sizes.min() < FEWEST:
        raise _too_few(len(arrivals), shares)
    return edges


def _too_few(requests: int, shares: Sequence[float]) -> UsageError:
    return UsageError(
        f"{plural(requests, 'request is', 'requests are')} too few for a training, a selection "
        "and a test block",
        fix=f"use a trace with at least {int(FEWEST / min(shares)):,} requests",
    )
