"""Whether a cluster holds its load: what it serves of what it is offered, and how many pile up in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.distributions import student_quantile
from workloadlab.scoring.windows import LEVEL
from workloadlab.words import seconds, share, three

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.scoring.timings import Timings

__all__ = ["Saturation", "saturation"]

WINDOWS = 40
"""Of equal time, behind the filling."""

EARLY, NEARLY_ALL = 0.25, 0.9
"""The cluster has filled when so many of the requests that come in this share of the time have left."""

LEAST_FILLING, MOST_FILLING = 0.1, 1 / 3
"""Share of the time that is left out at least; a log that fills for longer is too short to tell."""

MOST_RUNNING = 0.15
"""Of the time, the life of early requests: a log of fewer lives may fill all along, if none waits."""

LAST = 1 / 8
"""Of the time, in which a burst may end the log."""

FEWEST = 100
"""Requests below which nothing is said about a steady state."""

MATERIAL = 0.02
"""Requests that pile up at less than this share of the offered rate do not matter."""


@dataclass(frozen=True)
class Saturation:
    """Rates from when the cluster has filled to the last arrival, in requests/s.

    Attributes:
        offered_rps: arrivals.
        served_rps: requests that ended well.
        served_share: of those offered.
        drift_rps: growth of what is in the system, waiting or running.
        drift_low_rps, drift_high_rps: interval of the drift.
        in_system: requests that came and have not left when the last one comes.
        waiting: those of them that wait for their first token; None where the log does not say.
        overdue: those of them that came so long before the last one that early requests would have left.
        burst: requests that the last eighth of the time brought beyond the mean rate.
        span_s: from the first arrival to the last.
        filling_s: life of the early requests.
        steady: whether the load is held; None where the log is too short, or the drift too close, to
            tell.

    Example:
        >>> from workloadlab.scoring.timings import read_timings
        >>> from workloadlab.trace import Trace
        >>> trace = Trace.of([(number / 10, 10, 1) for number in range(1000)])
        >>> import polars as pl
        >>> slower = Trace(trace.frame.with_columns(e2e_ns=pl.col("arrival_ns") // 2), trace.provenance)
        >>> found = saturation(read_timings(slower))
        >>> found.steady, round(found.served_share, 2), round(found.drift_rps, 1), found.in_system
        (False, 0.67, 3.3, 333)
    """

    offered_rps: float
    served_rps: float
    served_share: float
    drift_rps: float
    drift_low_rps: float
    drift_high_rps: float
    in_system: int
    waiting: int | None
    overdue: int
    burst: int
    span_s: float
    filling_s: float
    steady: bool | None

    @property
    def close(self) -> bool:
        """Whether the log is long enough, and the drift too near what matters, to tell."""
        return self.steady is None and _long_enough(self.filling_s, self.span_s)

    def __str__(self) -> str:
        """Return the state as a clause."""
        served = f"{three(self.served_rps)} served ({share(self.served_share)})"
        if not self.served_rps:
            served = "none served before the last one came"
        said = f"{three(self.offered_rps)} requests/s offered, {served}"
        if self.steady:
            return said
        if self.steady is None and not self.close:
            return (
                f"the log is too short, since requests come for {seconds(self.span_s)} and early ones "
                f"take {seconds(self.filling_s)}"
            )
        if self.close:
            why = "close to saturation"
            if self.drift_low_rps > MATERIAL * self.offered_rps:
                few = "too few lives of a request to tell filling from an overload"
                last = "the log ends in a burst, and what lies behind it is not logged"
                why = few if self.filling_s > MOST_RUNNING * self.span_s else last
            said = f"{why}: {said}"
        low, high = three(self.drift_low_rps), three(self.drift_high_rps)
        wait = "" if self.waiting is None else f", of which {self.waiting:,} wait for a first token"
        return (
            f"{said}; the requests in the system grow by {three(self.drift_rps)} ({low} to {high}) "
            f"per second, to {self.in_system:,}{wait}"
        )


def saturation(timings: Timings) -> Saturation | None:
    """Measure whether requests pile up; None for under 100 requests, or without ends or a span.

    The cluster has filled once nine of ten requests that came in the first quarter of the time would
    have left. From then to the last arrival, 40 windows of equal time have a drift of arrivals less
    ends. Its interval is of the ends, given the arrivals: Student's, of what a line through the windows
    leaves of the ends. So bursts do not widen it, whether ends follow them (no overload) or do not
    (overload). A drift whose interval is above 2 % of the offered rate is an overload; one that is
    above it itself, with an interval above 0, is too close to tell. So is one at the end of a burst: no
    more requests are in the system for longer than early ones took than the last eighth of the time
    brought beyond the mean rate.

    A cluster that fills for more than a third of the time is still filling with requests that run, and
    nothing is told unless those that wait for their first token pile up. Nor is it where only those that
    run pile up, and the log is shorter than seven lives of an early one: its own rate may rise, and fill
    the cluster. A request that was not served leaves when it ends, or when it came.

    Args:
        timings: of a run, or of a log.
    """
    ends_s = _ends_s(timings)
    known = np.isfinite(ends_s)
    came_s, left_s = timings.arrival_s[known], ends_s[known]
    if len(came_s) < FEWEST or not timings.served.any() or np.ptp(came_s) == 0:
        return None
    first_s, last_s = float(came_s.min()), float(came_s.max())
    span_s, filling_s = last_s - first_s, _filling_s(timings, came_s)
    long_enough = _long_enough(filling_s, span_s)
    start_s = first_s + max(LEAST_FILLING * span_s, filling_s if long_enough else 0.0)
    edges = np.linspace(start_s, last_s, WINDOWS + 1)
    came = _rates(came_s, edges)
    offered = float(came.mean())
    drift, margin = _drift(came, _rates(left_s, edges))
    begun_s = np.where(timings.served, timings.arrival_s + timings.ttft_s, ends_s)[known]
    tells = bool(np.isfinite(begun_s).all())
    overdue = int(((came_s <= last_s - filling_s) & (left_s > last_s)).sum())
    burst = _burst(came_s)
    growing = drift - margin > MATERIAL * offered and (overdue > burst or not long_enough)
    close = drift > MATERIAL * offered and drift > margin
    if growing or not long_enough:
        waits, error = _drift(came, _rates(begun_s, edges))
        queueing = tells and waits - error > MATERIAL * offered
        growing = queueing or (growing and filling_s <= MOST_RUNNING * span_s)
    served = float(_rates(ends_s[timings.served], edges).mean())
    return Saturation(
        offered_rps=offered,
        served_rps=served,
        served_share=served / offered if offered else 1.0,
        drift_rps=drift,
        drift_low_rps=drift - margin,
        drift_high_rps=drift + margin,
        in_system=int((left_s > last_s).sum()),
        waiting=int((begun_s > last_s).sum()) if tells else None,
        overdue=overdue,
        burst=burst,
        span_s=span_s,
        filling_s=filling_s,
        steady=False if growing else True if long_enough and not close else None,
    )


def _long_enough(filling_s: float, span_s: float) -> bool:
    """Say whether a log goes on for long enough behind its filling."""
    return filling_s <= MOST_FILLING * span_s


def _ends_s(timings: Timings) -> NDArray[np.float64]:
    """Return when each request left; NaN where a log does not say."""
    lasted_s = np.where(timings.served, timings.e2e_s, np.nan_to_num(timings.e2e_s))
    ends: NDArray[np.float64] = timings.arrival_s + lasted_s
    return ends


def _filling_s(timings: Timings, came_s: NDArray[np.float64]) -> float:
    """Return how long nine of ten early requests take at most; 0 where none was served."""
    until_s = came_s.min() + EARLY * np.ptp(came_s)
    early = timings.served & (timings.arrival_s <= until_s) & np.isfinite(timings.e2e_s)
    return float(np.quantile(timings.e2e_s[early], NEARLY_ALL)) if early.any() else 0.0


def _burst(came_s: NDArray[np.float64]) -> int:
    """Return the largest excess over the mean rate, in requests, of the time from a late arrival on."""
    last_s, span_s = float(came_s.max()), float(np.ptp(came_s))
    late_s = np.sort(came_s[came_s > last_s - LAST * span_s])
    after = np.arange(len(late_s), 0, -1)
    return int((after - len(came_s) / span_s * (last_s - late_s)).max())


def _rates(moments: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = np.histogram(moments[np.isfinite(moments)], edges)[0].astype(np.float64)
    return counts / float(edges[1] - edges[0])


def _drift(came: NDArray[np.float64], left: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean of what came less what left, and half the width of its interval."""
    about, around = came - came.mean(), left - left.mean()
    square = float(about @ about)
    rest = around - about * (float(about @ around) / square if square else 0.0)
    freedom = len(left) - 2
    se = float(np.sqrt(rest @ rest / freedom / len(left)))
    return float((came - left).mean()), student_quantile((1 + LEVEL) / 2, freedom) * se
