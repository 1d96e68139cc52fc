"""The arrival process: rate over time, gaps between arrivals, burstiness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.measures import (
    occupied_bins,
    sample_sd,
    spread_ranks,
)
from workloadlab.statistics import quantiles
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.clock import Clock

__all__ = [
    "DISPERSION_S",
    "Arrivals",
    "CountSummary",
    "Gaps",
    "PerMinute",
    "RateSeries",
    "WindowedCv",
    "dispersion",
    "measure_arrivals",
    "windowed_cv",
]

MINUTE_NS = 60_000_000_000
DISPERSION_S = (0.1, 1, 10, 60, 300)
CV_WINDOWS_S = (60, 600)
GAPS_PER_WINDOW = 30
SERIES_BINS = 500
CURVE_POINTS = 200


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
class Gaps:
    """Gaps between consecutive arrivals, in seconds; sd and cv with n - 1.

    Attributes:
        cv: sd / mean; 1 for a Poisson process. None for one gap, or where the clock is too coarse.
    """

    n: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float
    sd: float | None
    cv: float | None


@dataclass(frozen=True)
class WindowedCv:
    """Coefficient of variation of the gaps inside windows, over the windows with enough gaps.

    Attributes:
        windows: how many windows have at least 30 gaps between arrivals that both lie inside.
    """

    p50: float | None
    mean: float | None
    max: float | None
    windows: int


@dataclass(frozen=True)
class RateSeries:
    """Requests per bin since the first arrival, at most 500 bins; the last one may be partial."""

    bin_s: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Arrivals:
    """The arrival process.

    Attributes:
        requests: arrivals measured.
        rate_rps: requests / span.
        windowed_iat_cv: by window in seconds ("60", "600"): burstiness net of slow rate changes.
        dispersion: variance / mean of the counts per window, by window in seconds ("0.1" ...);
            1 for a Poisson process. None under two ticks of the clock or over half the span.
        iat_ccdf: at most 200 points (gap in seconds, share of gaps at least as long).
    """

    requests: int
    span_s: float
    rate_rps: float
    per_minute: PerMinute
    iat_s: Gaps
    windowed_iat_cv: dict[str, WindowedCv]
    dispersion: dict[str, float | None]
    rate_series: RateSeries
    iat_ccdf: tuple[tuple[float, ...], ...]

    def tables(self) -> list[Table]:
        """Return the topic as tables for people."""
        m, g = self.per_minute, self.iat_s
        minutes: list[list[Cell]] = [["all", m.bins, m.min, m.mean, m.max, m.peak_to_mean]]
        if m.complete:
            c = m.complete
            minutes.append(["complete", c.bins, c.min, c.mean, c.max, c.peak_to_mean])
        return [
            Table(
                "Requests per minute", ["minutes", "n", "min", "mean", "max", "peak/mean"], minutes
            ),
            Table(
                "Gaps between arrivals",
                ["seconds", "mean", "p50", "p90", "p99", "max", "sd", "CV"],
                [["gap", g.mean, g.p50, g.p90, g.p99, g.max, g.sd, g.cv]],
            ),
            Table(
                "CV of the gaps inside windows",
                ["window", "n", "median", "mean", "max"],
                [
                    [f"{w} s", c.windows, c.p50, c.mean, c.max]
                    for w, c in self.windowed_iat_cv.items()
                ],
            ),
            Table(
                "Dispersion of counts, variance/mean (Poisson: 1)",
                ["window", *(f"{w} s" for w in self.dispersion)],
                [["dispersion", *self.dispersion.values()]],
            ),
        ]


def measure_arrivals(arrival_ns: NDArray[np.int64], clock: Clock) -> Arrivals | Unsupported:
    """Measure the arrival process of ascending integer nanoseconds.

    Bins and windows start at the first arrival. What the clock cannot resolve is None.
    """
    n = len(arrival_ns)
    if n < 2:
        return Unsupported(
            "one request has no gap to another" if n else "the trace has no requests to measure"
        )
    since_first = arrival_ns - arrival_ns[0]
    span_ns = int(since_first[-1])
    if span_ns == 0:
        return Unsupported(f"all {n:,} requests arrive at one instant, so there is no rate")
    gaps = np.sort(np.diff(arrival_ns))
    return Arrivals(
        requests=n,
        span_s=span_ns / 1e9,
        rate_rps=n / (span_ns / 1e9),
        per_minute=_per_minute(since_first),
        iat_s=_summarize_gaps(gaps, clock),
        windowed_iat_cv={
            str(width_s): windowed_cv(since_first, width_s, clock) for width_s in CV_WINDOWS_S
        },
        dispersion={
            str(width_s): dispersion(since_first, width_s) if clock.resolves(width_s) else None
            for width_s in DISPERSION_S
        },
        rate_series=_rate_series(since_first, clock),
        iat_ccdf=_ccdf(gaps),
    )


def dispersion(since_first_ns: NDArray[np.int64], width_s: float) -> float | None:
    """Return the index of dispersion for counts, Var N / E N with n - 1 in the variance.

    Counts come from the complete bins of `width_s` seconds; their sums are exact integers.
    None for fewer than two complete bins.

    Example:
        >>> dispersion(np.array([0, 1, 2, 11, 20]) * 1_000_000_000, 10)
        1.0
    """
    width_ns = round(width_s * 1e9)
    bins = int(since_first_ns[-1]) // width_ns
    if bins < 2:
        return None
    inside = since_first_ns[: np.searchsorted(since_first_ns, bins * width_ns)]
    counts = occupied_bins(inside, width_ns)[1]
    total, squares = len(inside), int(np.dot(counts, counts))
    return (bins * squares - total * total) / ((bins - 1) * total)


def windowed_cv(since_first_ns: NDArray[np.int64], width_s: float, clock: Clock) -> WindowedCv:
    """Return the CV of the gaps inside consecutive windows (ddof 1), over windows with >= 30 gaps.

    A gap counts when both its arrivals lie in the window. The last window may be partial. None
    where the mean gap of the median window is under two ticks: the clock makes that CV.
    """
    _, counts = occupied_bins(since_first_ns, round(width_s * 1e9))
    ends = np.cumsum(counts)
    full = counts > GAPS_PER_WINDOW
    firsts, n_gaps = ends[full] - counts[full], counts[full] - 1
    spans = since_first_ns[ends[full] - 1] - since_first_ns[firsts]
    firsts, n_gaps, spans = firsts[spans > 0], n_gaps[spans > 0], spans[spans > 0]
    means = spans / n_gaps
    if not len(means) or not clock.resolves(quantiles(means, [0.5])[0] / 1e9):
        return WindowedCv(p50=None, mean=None, max=None, windows=len(means))
    squares = [
        float(np.sum((np.diff(since_first_ns[first : first + gaps + 1]) - mean) ** 2))
        for first, gaps, mean in zip(firsts.tolist(), n_gaps.tolist(), means.tolist(), strict=True)
    ]
    cvs = np.sqrt(np.array(squares) / (n_gaps - 1)) / means
    return WindowedCv(
        p50=quantiles(cvs, [0.5])[0],
        mean=float(cvs.mean()),
        max=float(cvs.max()),
        windows=len(cvs),
    )


def _summarize_gaps(ascending_ns: NDArray[np.int64], clock: Clock) -> Gaps:
    mean_ns = int(ascending_ns.sum()) / len(ascending_ns)
    sd_ns = sample_sd(ascending_ns, mean_ns)
    p50, p90, p99 = (q / 1e9 for q in quantiles(ascending_ns, [0.5, 0.9, 0.99]))
    return Gaps(
        n=len(ascending_ns),
        mean=mean_ns / 1e9,
        p50=p50,
        p90=p90,
        p99=p99,
        max=int(ascending_ns[-1]) / 1e9,
        sd=None if sd_ns is None else sd_ns / 1e9,
        cv=None if sd_ns is None or not clock.resolves_gaps else sd_ns / mean_ns,
    )


def _per_minute(since_first_ns: NDArray[np.int64]) -> PerMinute:
    span_ns = int(since_first_ns[-1])
    complete = span_ns // MINUTE_NS
    inside = since_first_ns[: np.searchsorted(since_first_ns, complete * MINUTE_NS)]
    everything = _summarize_counts(since_first_ns, complete + 1)
    return PerMinute(
        bins=everything.bins,
        min=everything.min,
        mean=everything.mean,
        max=everything.max,
        peak_to_mean=everything.peak_to_mean,
        last_minute_s=(span_ns - complete * MINUTE_NS) / 1e9,
        complete=_summarize_counts(inside, complete) if complete else None,
    )


def _summarize_counts(since_first_ns: NDArray[np.int64], bins: int) -> CountSummary:
    counts = occupied_bins(since_first_ns, MINUTE_NS)[1]
    mean, most = len(since_first_ns) / bins, int(counts.max())
    least = int(counts.min()) if len(counts) == bins else 0
    return CountSummary(bins=bins, min=least, mean=mean, max=most, peak_to_mean=most / mean)


def _rate_series(since_first_ns: NDArray[np.int64], clock: Clock) -> RateSeries:
    span_s = int(since_first_ns[-1]) / 1e9
    bin_s = _round_width(max(span_s / (SERIES_BINS - 1), 2 * (clock.tick_s or 0.0), 1e-6))
    bins, counts = occupied_bins(since_first_ns, round(bin_s * 1e9))
    series = np.zeros(int(bins[-1]) + 1, dtype=np.int64)
    series[bins] = counts
    return RateSeries(bin_s=bin_s, counts=tuple(series.tolist()))


def _round_width(at_least_s: float) -> float:
    """Return the next width that reads well: 1, 2, 5 x 10^k seconds, or clock units above that."""
    for width_s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200):
        if 0.5 < at_least_s <= width_s:
            return float(width_s)
    if at_least_s > 43200:
        return 86400.0 * math.ceil(at_least_s / 86400)
    decade = math.floor(math.log10(at_least_s))
    widths = (round(m * 10.0**k, 9) for k in (decade, decade + 1) for m in (1, 2, 5))
    return next(width_s for width_s in widths if width_s >= at_least_s)


def _ccdf(ascending_ns: NDArray[np.int64]) -> tuple[tuple[float, ...], ...]:
    gaps = np.unique(ascending_ns[spread_ranks(len(ascending_ns), CURVE_POINTS)])
    shares = 1 - np.searchsorted(ascending_ns, gaps) / len(ascending_ns)
    return tuple(zip((gaps / 1e9).tolist(), shares.tolist(), strict=True))
