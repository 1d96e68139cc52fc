"""Counts of arrivals per bin: their spread, their series, their dispersion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from workloadlab.characterization.statistics.measures import occupied_bins
from workloadlab.statistics import quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.statistics.clock import Clock

__all__ = [
    "DISPERSION_S",
    "Arrived",
    "CountSummary",
    "Counted",
    "PerMinute",
    "RateSeries",
    "Rates",
    "complete_counts",
    "count_rates",
    "dispersion",
    "per_minute",
    "rate_series",
    "round_width",
]

MINUTE_NS = 60_000_000_000
DISPERSION_S = (0.1, 1, 10, 60, 300, 3600)
RATE_BINS_S = (1, 10, 60, 600, 3600, 86400)
SERIES_BINS = 500
MOST_BINS = 4_000_000


class Counted(Protocol):
    """Arrivals that can be counted per bin; bin 0 starts at the first arrival."""

    @property
    def n(self) -> int:
        """Number of arrivals."""

    @property
    def span_ns(self) -> int:
        """Nanoseconds from the first to the last."""

    def bins(self, width_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the bins that hold arrivals, ascending, and how many each holds."""

    def squares(self, width_ns: int) -> tuple[int, int]:
        """Return the arrivals in complete bins, and the sum of the squares of their counts."""


@dataclass(frozen=True)
class Arrived:
    """All arrivals, ascending, since the first.

    Example:
        >>> Arrived(np.array([0, 1, 5, 9])).squares(4)
        (3, 5)
    """

    since_first_ns: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Number of arrivals."""
        return len(self.since_first_ns)

    @property
    def span_ns(self) -> int:
        """Nanoseconds from the first to the last."""
        return int(self.since_first_ns[-1])

    def bins(self, width_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the bins that hold arrivals, ascending, and how many each holds."""
        return occupied_bins(self.since_first_ns, width_ns)

    def squares(self, width_ns: int) -> tuple[int, int]:
        """Return the arrivals in complete bins, and the sum of the squares of their counts."""
        complete = self.span_ns // width_ns
        places, counts = self.bins(width_ns)
        inside = counts[places < complete]
        return int(inside.sum()), int(np.dot(inside, inside))


@dataclass(frozen=True)
class CountSummary:
    """Requests per bin.

    Attributes:
        bins: number of bins, empty ones included.
        peak_to_mean: max / mean.
    """

    bins: int
    min: int
    mean: float
    max: int
    peak_to_mean: float


@dataclass(frozen=True)
class PerMinute(CountSummary):
    """Requests per minute since the first arrival, the unfinished last minute included.

    Attributes:
        last_minute_s: seconds of the last minute that the trace covers; its count is low for that.
        complete: the same over complete minutes alone; None for a trace of under a minute.
    """

    last_minute_s: float
    complete: CountSummary | None


@dataclass(frozen=True)
class RateSeries:
    """Requests per bin since the first arrival, at most 500 bins; the last one may be partial."""

    bin_s: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Rates:
    """Requests per complete bin since the first arrival.

    Attributes:
        bins: complete bins, empty ones included.
        p99_to_mean, peak_to_mean, trough_to_mean: relative to the mean count.
        zero_share: share of the bins without an arrival.
    """

    bins: int
    min: int
    mean: float
    p99: float
    max: int
    p99_to_mean: float
    peak_to_mean: float
    trough_to_mean: float
    zero_share: float


def dispersion(arrivals: Counted, width_s: float) -> float | None:
    """Return the index of dispersion for counts, Var N / E N with n - 1 in the variance.

    Counts come from the complete bins of `width_s` seconds; their sums are exact integers.
    None for fewer than two complete bins.

    Example:
        >>> dispersion(Arrived(np.array([0, 1, 2, 11, 20]) * 1_000_000_000), 10)
        1.0
    """
    width_ns = round(width_s * 1e9)
    bins = arrivals.span_ns // width_ns
    if bins < 2:
        return None
    total, squares = arrivals.squares(width_ns)
    return (bins * squares - total * total) / ((bins - 1) * total)


def per_minute(arrivals: Counted) -> PerMinute:
    """Count arrivals per minute."""
    span_ns = arrivals.span_ns
    complete = span_ns // MINUTE_NS
    minutes, counts = arrivals.bins(MINUTE_NS)
    everything = _summarize_counts(counts, complete + 1)
    return PerMinute(
        bins=everything.bins,
        min=everything.min,
        mean=everything.mean,
        max=everything.max,
        peak_to_mean=everything.peak_to_mean,
        last_minute_s=(span_ns - complete * MINUTE_NS) / 1e9,
        complete=_summarize_counts(counts[minutes < complete], complete) if complete else None,
    )


def _summarize_counts(counts: NDArray[np.int64], bins: int) -> CountSummary:
    mean, most = int(counts.sum()) / bins, int(counts.max())
    least = int(counts.min()) if len(counts) == bins else 0
    return CountSummary(bins=bins, min=least, mean=mean, max=most, peak_to_mean=most / mean)


def rate_series(arrivals: Counted, clock: Clock) -> RateSeries:
    """Count arrivals in at most 500 bins of a width that reads well."""
    span_s = arrivals.span_ns / 1e9
    bin_s = round_width(max(span_s / (SERIES_BINS - 1), 2 * (clock.tick_s or 0.0), 1e-6))
    bins, counts = arrivals.bins(round(bin_s * 1e9))
    series = np.zeros(int(bins[-1]) + 1, dtype=np.int64)
    series[bins] = counts
    return RateSeries(bin_s=bin_s, counts=tuple(series.tolist()))


def round_width(at_least_s: float) -> float:
    """Return the next width that reads well: 1, 2, 5 x 10^k seconds, or clock units above that."""
    for width_s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200):
        if 0.5 < at_least_s <= width_s:
            return float(width_s)
    if at_least_s > 43200:
        return 86400.0 * math.ceil(at_least_s / 86400)
    decade = math.floor(math.log10(at_least_s))
    widths = (round(m * 10.0**k, 9) for k in (decade, decade + 1) for m in (1, 2, 5))
    return next(width_s for width_s in widths if width_s >= at_least_s)


def complete_counts(
    arrivals: Counted, width_s: float, *, partial: bool = False
) -> NDArray[np.int64] | None:
    """Return the counts of all complete bins; None where there are none or over four million.

    Args:
        arrivals: the arrivals.
        width_s: width of a bin; bin 0 starts at the first arrival.
        partial: count the unfinished last bin too.
    """
    width_ns = round(width_s * 1e9)
    bins = arrivals.span_ns // width_ns + partial
    if not 1 <= bins <= MOST_BINS:
        return None
    places, counts = arrivals.bins(width_ns)
    series = np.zeros(max(int(places[-1]) + 1, bins), dtype=np.int64)
    series[places] = counts
    return series[:bins]


def count_rates(arrivals: Counted, clock: Clock) -> dict[str, Rates | None]:
    """Summarize the counts per second, 10 s, minute, 10 min, hour and day.

    None for fewer than two complete bins, too many to hold, or bins under two ticks.
    """
    found: dict[str, Rates | None] = {}
    for width_s in RATE_BINS_S:
        counts = complete_counts(arrivals, width_s) if clock.resolves(width_s) else None
        if counts is None or len(counts) < 2 or not counts.any():
            found[str(width_s)] = None
            continue
        mean, most, least = float(counts.mean()), int(counts.max()), int(counts.min())
        p99 = quantiles(counts, [0.99])[0]
        found[str(width_s)] = Rates(
            bins=len(counts),
            min=least,
            mean=mean,
            p99=p99,
            max=most,
            p99_to_mean=p99 / mean,
            peak_to_mean=most / mean,
            trough_to_mean=least / mean,
            zero_share=1 - int(np.count_nonzero(counts)) / len(counts),
        )
    return found
