"""Whether a cluster holds its load: what it serves of what it is offered, and how its backlog drifts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.distributions import student_quantile
from workloadlab.scoring.windows import LEVEL
from workloadlab.words import share, three

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.scoring.timings import Timings

__all__ = ["Saturation", "saturation"]

WINDOWS = 20
"""Of equal time; the first four fill the empty cluster and are left out."""

FILLING = 4

FEWEST = 100
"""Requests below which nothing is said about a steady state."""

MATERIAL = 0.02
"""A backlog that grows by less than this share of the offered rate is none that matters."""


@dataclass(frozen=True)
class Saturation:
    """Rates between the first arrival and the last, in requests/s.

    Attributes:
        offered_rps: arrivals.
        served_rps: requests that ended well, from when the cluster has filled.
        served_share: of the requests offered in that time.
        drift_rps: growth of the requests in flight, waiting ones among them; of those that wait for
            their first token where the time is too short for the first requests to have ended.
        drift_low_rps, drift_high_rps: interval of the drift.
        steady: whether the drift's interval reaches 2 % of the offered rate or less.

    Example:
        >>> from workloadlab.scoring.timings import read_timings
        >>> from workloadlab.trace import Trace
        >>> trace = Trace.of([(number / 10, 10, 1) for number in range(1000)])
        >>> import polars as pl
        >>> slower = Trace(trace.frame.with_columns(e2e_ns=pl.col("arrival_ns") // 2), trace.provenance)
        >>> found = saturation(read_timings(slower))
        >>> found.steady, round(found.served_share, 2), round(found.drift_rps, 1)
        (False, 0.67, 3.3)
    """

    offered_rps: float
    served_rps: float
    served_share: float
    drift_rps: float
    drift_low_rps: float
    drift_high_rps: float
    steady: bool

    def __str__(self) -> str:
        """Return the rates as a clause."""
        said = (
            f"{three(self.offered_rps)} requests/s offered, {three(self.served_rps)} served "
            f"({share(self.served_share)})"
        )
        if self.steady:
            return said
        low, high = three(self.drift_low_rps), three(self.drift_high_rps)
        return f"{said}; the backlog grows by {three(self.drift_rps)} ({low} to {high}) per second"


def saturation(timings: Timings) -> Saturation | None:
    """Measure whether the backlog grows; None for under 100 requests, or without ends or a span.

    The time from the first arrival to the last is cut into 20 windows, the first four left out. In each,
    the net flow is arrivals less ends over its width; their mean is the drift, with Student's interval
    (batch means). A request that was not served leaves when it ends, or when it came. Where one of ten
    early requests takes longer than the windows left out, the cluster is still filling with requests
    that run, and only those that wait for their first token count.

    Args:
        timings: of a run, or of a log.
    """
    ends_s = _ends_s(timings)
    arrivals_s = timings.arrival_s[np.isfinite(ends_s)]
    if len(arrivals_s) < FEWEST or not timings.served.any() or np.ptp(arrivals_s) == 0:
        return None
    edges = np.linspace(arrivals_s.min(), arrivals_s.max(), WINDOWS + 1)
    width_s = float(edges[1] - edges[0])
    came, left, served = (
        _counts(moments, edges) / width_s
        for moments in (arrivals_s, ends_s, ends_s[timings.served])
    )
    early = timings.served & (timings.arrival_s < edges[1])
    if early.any() and np.nanquantile(timings.e2e_s[early], 0.9) > FILLING * width_s:
        begun_s = np.where(timings.served, timings.arrival_s + timings.ttft_s, ends_s)
        left = _counts(begun_s, edges) / width_s
    drift, margin = _mean(came - left)
    offered = float(came.mean())
    offered_then, served_then = float(came[FILLING:].mean()), float(served[FILLING:].mean())
    return Saturation(
        offered_rps=offered,
        served_rps=served_then,
        served_share=served_then / offered_then if offered_then else 1.0,
        drift_rps=drift,
        drift_low_rps=drift - margin,
        drift_high_rps=drift + margin,
        steady=not drift - margin > MATERIAL * offered_then,
    )


def _ends_s(timings: Timings) -> NDArray[np.float64]:
    """Return when each request left; NaN where a log does not say."""
    lasted_s = np.where(timings.served, timings.e2e_s, np.nan_to_num(timings.e2e_s))
    ends: NDArray[np.float64] = timings.arrival_s + lasted_s
    return ends


def _counts(moments: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.histogram(moments[np.isfinite(moments)], edges)[0].astype(np.float64)


def _mean(flows: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean of the windows after the filling, and half the width of its interval."""
    kept = flows[FILLING:]
    se = float(kept.std(ddof=1) / len(kept) ** 0.5)
    return float(kept.mean()), student_quantile((1 + LEVEL) / 2, len(kept) - 1) * se
