"""How evenly instances are loaded at each moment, where a sum over the run hides what changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.scoring.timings import Timings

__all__ = ["balance"]

MOMENTS = 200


def balance(timings: Timings, instances: int | None = None) -> float | None:
    """Return the coefficient of variation of requests in flight over instances, averaged over time.

    Looked at in 200 moments at even distances from the first arrival to the last; moments at which
    nothing is in flight do not count. None for one instance, or where instances are not recorded.

    Args:
        timings: of a run, or of a log that records instances.
        instances: size of the cluster; None takes those that occur.

    Example:
        >>> from workloadlab.scoring.timings import read_timings
        >>> from workloadlab.trace import Trace
        >>> import polars as pl
        >>> trace = Trace.from_frame(pl.DataFrame({
        ...     "arrival_ns": [0, 0, 10**9], "input_tokens": 1, "e2e_ns": 2 * 10**9,
        ...     "ttft_ns": 1, "instance_id": ["a", "b", "a"]}))
        >>> round(balance(read_timings(trace)), 2)
        0.0
    """
    placed = timings.served & (timings.instance >= 0) & np.isfinite(timings.e2e_s)
    count = max(instances or 0, len(timings.instances))
    if count < 2 or not placed.any():
        return None
    instance, start_s = timings.instance[placed], timings.arrival_s[placed]
    edges = np.linspace(start_s.min(), start_s.max(), MOMENTS)
    steps = np.zeros((MOMENTS + 1, count))
    for moments_s, change in ((start_s, 1.0), (start_s + timings.e2e_s[placed], -1.0)):
        at = np.searchsorted(edges, moments_s) * count + instance
        steps += change * np.bincount(at, minlength=steps.size).reshape(steps.shape)
    loads: NDArray[np.float64] = steps[:-1].cumsum(axis=0)
    busy = loads[loads.sum(axis=1) > 0]
    if not len(busy):
        return None
    return float((busy.std(axis=1) / busy.mean(axis=1)).mean())
