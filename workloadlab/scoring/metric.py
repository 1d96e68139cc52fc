"""The shape of a metric, and of the values that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from workloadlab.statistics import quantiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workloadlab.scoring.service_level import SLO
    from workloadlab.scoring.timings import Timings

__all__ = ["PERCENTILES", "Context", "LatencySummary", "Metric", "Rent", "Value", "summarize"]

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class LatencySummary:
    """Mean and percentiles of one latency over the requests that have it; None where none has.

    Attributes:
        mean, p50, p90, p95, p99: seconds.
    """

    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True, kw_only=True)
class Rent:
    """What a cluster costs while it runs.

    Attributes:
        gpus: of the cluster.
        usd_per_hour: of all of them; None where unknown.
        kilowatts: of all of them under load; None where unknown.
    """

    gpus: int
    usd_per_hour: float | None = None
    kilowatts: float | None = None


Value = int | float | LatencySummary | None


def summarize(values: NDArray[np.float64]) -> LatencySummary:
    """Summarize the recorded values, in seconds; NaN is not recorded.

    Example:
        >>> summarize(np.array([1.0, 3.0, np.nan])).mean
        2.0
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return LatencySummary()
    levels = quantiles(known, list(PERCENTILES.values()))
    return LatencySummary(float(known.mean()), **dict(zip(PERCENTILES, levels, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Context:
    """Everything beside its timings that a run is measured against.

    Attributes:
        slo: targets; None, as one without targets, asks for nothing.
        instances: size of the cluster; None takes the instances that occur.
        rent: what the cluster costs; None where nobody says.
    """

    slo: SLO | None = None
    instances: int | None = None
    rent: Rent | None = None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number, or one summary of a latency, that a run is judged by.

    Attributes:
        name: key in JSON, attribute of a `RunScore`, column of `Scoreboard.frame`; ends with its unit.
        unit: `s`, `requests`, `requests/s`, `tokens/s`, `share` (0 to 1), `preemptions`,
            `$`, `kWh`, `GPU s` or `1`.
        better: which end is best; None where neither is, or where routers cannot differ in it.
        about: its meaning, as a sentence.
        compute: the value of a run; None where the run cannot give it.
        label: heading of its column.
        noun: its name inside a sentence, where that is not the label.
        parts: for a latency, which parts of its summary the tables show; empty for a plain number.
        printed: parts that the table of `str(board)` shows, "" for a plain number; the table is 80
            columns wide, so they are few.
        reported: whether the table of the report shows it.
        values: what it averages, by request in order of arrival, NaN where a request has none; its
            intervals and its differences between routers come from these. None where it is no average.
        paired: parts in which routers are compared, "" for the number itself.
        needs_slo: whether it has no value without targets.
    """

    name: str
    unit: str
    better: Literal["higher", "lower"] | None
    about: str
    compute: Callable[[Timings, Context], Value]
    label: str
    noun: str = ""
    parts: tuple[str, ...] = ()
    printed: tuple[str, ...] = ()
    reported: bool = True
    values: Callable[[Timings, Context], NDArray[np.float64] | None] | None = None
    paired: tuple[str, ...] = ()
    needs_slo: bool = False
