"""How many requests, and tokens, are in flight over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.rows import LENGTHS, TOTAL_TOKENS, read_columns
from workloadlab.characterization.statistics.counts import round_width
from workloadlab.characterization.statistics.measures import exact_sum
from workloadlab.characterization.study import Topic
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from workloadlab.characterization.study import Study
    from workloadlab.trace import Trace

__all__ = [
    "CONCURRENCY",
    "TOO_FEW",
    "Concurrency",
    "InFlight",
    "LevelSeries",
    "Little",
    "levels_held",
    "little",
    "measure_concurrency",
    "series_bin_s",
    "sweep",
]

SERIES_BINS = 500


@dataclass(frozen=True)
class InFlight:
    """A level over time, from the first arrival to the last end, weighted by time."""

    mean: float
    p50: float
    p90: float
    p99: float
    peak: int


@dataclass(frozen=True)
class LevelSeries:
    """Mean level per bin since the first arrival, at most 500 bins."""

    bin_s: float
    mean: tuple[float, ...]


@dataclass(frozen=True)
class Little:
    """Little's law over the span of the arrivals: two ways to the same number.

    Attributes:
        l: time integral of the requests in flight / span, from the sweep over starts and ends.
        lambda_rps: requests / span.
        w_s: mean duration.
        lambda_w: their product.
        relative_error: of l against lambda_w; rounding alone.
    """

    l: float  # noqa: E741
    lambda_rps: float
    w_s: float
    lambda_w: float
    relative_error: float


@dataclass(frozen=True)
class Concurrency:
    """Requests in flight.

    Attributes:
        durations: `observed` (e2e), or `predicted` by the latency model: no queueing, 32 together.
        requests: with a duration; `missing` have none and are left out.
        tokens: of input plus output, all of them while the request is in flight; where recorded.
    """

    durations: str
    requests: int
    missing: int
    in_flight: InFlight
    tokens: InFlight | None
    little: Little
    series: LevelSeries

    def tables(self) -> list[Table]:
        """Return the topic as tables for people."""
        rows: list[list[Cell]] = [
            [name, level.mean, level.p50, level.p90, level.p99, level.peak]
            for name, level in (("requests", self.in_flight), ("tokens", self.tokens))
            if level
        ]
        header = ["in flight", "mean", "p50", "p90", "p99", "peak"]
        return [Table(f"Concurrency, durations {self.durations}", header, rows)]


@dataclass(frozen=True)
class _Timed:
    """Requests with a duration, in order of arrival.

    Attributes:
        durations: `observed` or `predicted`.
        missing: requests without one.
        tokens: of input plus output; None where an output is not recorded.
    """

    durations: str
    missing: int
    arrival_ns: NDArray[np.int64]
    duration_ns: NDArray[np.int64]
    tokens: NDArray[np.int64] | None


TOO_FEW = Unsupported("under two requests at different times have a duration")
_UNTIMED = Unsupported("no request records e2e_ns, and there is no latency model to predict it")


def _unmodelled(recorded: Collection[str], modelled: bool) -> Unsupported | None:
    return None if modelled or "e2e_ns" in recorded else _UNTIMED


def measure_concurrency(study: Study) -> Concurrency | Unsupported:
    """Measure the requests in flight, by observed durations or else predicted ones."""
    timed = _observed(study.trace) if study.trace.has("e2e_ns") else _predicted(study)
    if timed is None:
        return _UNTIMED
    arrival, duration = timed.arrival_ns, timed.duration_ns
    if len(arrival) < 2 or arrival[-1] == arrival[0]:
        return TOO_FEW
    moments, levels = sweep(arrival, duration, np.ones(len(arrival), dtype=np.int64))
    span_ns, n = int(arrival[-1] - arrival[0]), len(arrival)
    return Concurrency(
        durations=timed.durations,
        requests=n,
        missing=timed.missing,
        in_flight=_summarize(moments, levels),
        tokens=None
        if timed.tokens is None
        else _summarize(*sweep(arrival, duration, timed.tokens)),
        little=little(n, span_ns, _area(moments, levels), exact_sum(duration)),
        series=_series(moments, levels),
    )


def little(requests: int, span_ns: int, area_ns: float, busy_ns: int) -> Little:
    """Return both sides of Little's law.

    Args:
        requests: with a duration.
        span_ns: from their first arrival to their last.
        area_ns: requests in flight, added up over time.
        busy_ns: sum of their durations.
    """
    span_s, area_s, w_s = span_ns / 1e9, area_ns / 1e9, busy_ns / requests / 1e9
    return Little(
        l=area_s / span_s,
        lambda_rps=requests / span_s,
        w_s=w_s,
        lambda_w=requests / span_s * w_s,
        relative_error=abs(area_s - requests * w_s) / (requests * w_s) if w_s else 0.0,
    )


def _observed(trace: Trace) -> _Timed:
    rows = read_columns(trace, "e2e_ns", *LENGTHS)
    timed = rows.filter(pl.col("e2e_ns") >= 0)
    total = timed.select(TOTAL_TOKENS).to_series()
    return _Timed(
        durations="observed",
        missing=len(rows) - len(timed),
        arrival_ns=timed["arrival_ns"].to_numpy(),
        duration_ns=timed["e2e_ns"].to_numpy(),
        tokens=None if total.null_count() else total.to_numpy(),
    )


def _predicted(study: Study) -> _Timed | None:
    times = study.phase_times
    if times is None or isinstance(times, Unsupported):
        return None
    return _Timed(
        durations="predicted",
        missing=0,
        arrival_ns=times.arrival_ns,
        duration_ns=np.rint((times.prefill_s + times.decode_s) * 1e9).astype(np.int64),
        tokens=times.total_tokens,
    )


def sweep(
    start_ns: NDArray[np.int64], duration_ns: NDArray[np.int64], amounts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the moments at which something starts or ends, ascending, and the level from each on.

    Example:
        >>> moments, levels = sweep(np.array([0, 2]), np.array([5, 1]), np.array([1, 1]))
        >>> moments.tolist(), levels.tolist()
        ([0, 2, 3, 5], [1, 2, 1, 0])
    """
    moments = np.concatenate((start_ns, start_ns + duration_ns))
    order = np.argsort(moments, kind="stable")
    moments = moments[order]
    levels = np.cumsum(np.concatenate((amounts, -amounts))[order])
    last = np.append(moments[1:] != moments[:-1], True)
    return moments[last], levels[last]


def _area(moments: NDArray[np.int64], levels: NDArray[np.int64]) -> float:
    return float(np.sum(np.diff(moments).astype(np.float64) * levels[:-1]))


def _summarize(moments: NDArray[np.int64], levels: NDArray[np.int64]) -> InFlight:
    weights = np.diff(moments).astype(np.float64)
    if not len(weights):
        return InFlight(0.0, 0.0, 0.0, 0.0, 0)
    order = np.argsort(levels[:-1], kind="stable")
    return levels_held(
        levels[:-1][order], weights[order], _area(moments, levels), int(levels.max())
    )


def levels_held(levels: NDArray[Any], held_ns: NDArray[Any], area: float, peak: int) -> InFlight:
    """Summarize levels, ascending, by how long each was held.

    Args:
        levels: ascending.
        held_ns: how long each was held; not all 0.
        area: levels, added up over time.
        peak: the highest at any moment.

    Example:
        >>> levels_held(np.array([0, 1, 5]), np.array([2, 7, 1]), 12, 5)
        InFlight(mean=1.2, p50=1.0, p90=1.0, p99=5.0, peak=5)
    """
    upto = np.cumsum(held_ns)
    p50, p90, p99 = levels[np.searchsorted(upto, np.array([0.5, 0.9, 0.99]) * upto[-1])].tolist()
    return InFlight(area / float(upto[-1]), float(p50), float(p90), float(p99), peak)


def series_bin_s(span_s: float) -> float:
    """Return the width of a bin, so that at most 500 cover the span."""
    return round_width(max(span_s / (SERIES_BINS - 1), 1e-6))


def _series(moments: NDArray[np.int64], levels: NDArray[np.int64]) -> LevelSeries:
    since = moments - moments[0]
    bin_s = series_bin_s(float(since[-1]) / 1e9)
    bin_ns = round(bin_s * 1e9)
    edges = np.arange(int(since[-1]) // bin_ns + 2) * bin_ns
    areas = np.concatenate(([0.0], np.cumsum(np.diff(since).astype(np.float64) * levels[:-1])))
    return LevelSeries(bin_s, tuple((np.diff(np.interp(edges, since, areas)) / bin_ns).tolist()))


CONCURRENCY = Topic(
    name="concurrency",
    about="requests in flight",
    needs=("e2e_ns", "output_tokens"),
    facts=Concurrency,
    measure=measure_concurrency,
    unmodelled=_unmodelled,
)
