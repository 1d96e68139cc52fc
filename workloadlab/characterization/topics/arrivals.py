"""The arrival process: rate over time, gaps between arrivals, burstiness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.frequencies import Frequencies
from workloadlab.characterization.statistics.burstiness import (
    Bursts,
    Rescaled,
    WindowedCv,
    find_bursts,
    pick_gaps,
    rescale_time,
    windowed_cv,
)
from workloadlab.characterization.statistics.counts import (
    DISPERSION_S,
    Arrived,
    Counted,
    PerMinute,
    Rates,
    RateSeries,
    count_rates,
    dispersion,
    per_minute,
    rate_series,
)
from workloadlab.characterization.statistics.dependence import (
    Period,
    count_acf,
    estimate_hurst,
    find_periods,
)
from workloadlab.characterization.statistics.fits import Fit, fit_families, fits_table, sample_of
from workloadlab.characterization.statistics.measures import spread_ranks
from workloadlab.characterization.statistics.weekly import HourByWeekday, hour_by_weekday
from workloadlab.characterization.study import Topic
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.statistics.clock import Clock
    from workloadlab.characterization.study import Study

__all__ = [
    "ARRIVALS",
    "CV_WINDOWS_S",
    "Arrivals",
    "Gaps",
    "arrival_facts",
    "measure_arrivals",
]

CV_WINDOWS_S = (60, 600)
CURVE_POINTS = 200
FAMILIES = ("exponential", "gamma", "weibull", "lognormal", "hyperexponential")


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
class Arrivals:
    """The arrival process.

    Attributes:
        requests: arrivals measured.
        rate_rps: requests / span.
        windowed_iat_cv: by window in seconds ("60", "600"): burstiness net of slow rate changes.
        dispersion: variance / mean of the counts per window, by window in seconds ("0.1" ...);
            1 for a Poisson process. None under two ticks of the clock or over half the span.
        iat_ccdf: at most 200 points (gap in seconds, share of gaps at least as long).
        rates: counts per complete bin, by bin in seconds ("1" to "86400").
        count_acf: autocorrelation of the counts by bin in seconds ("1", "60"), from lag 1 on.
        periods: the largest peaks of the periodogram.
        hurst: 1 + b/2 with b the variance-time slope over `variance_time`; 0.5 without memory.
        variance_time: (window in seconds, variance of the mean count) pairs.
        fits: families fitted to the positive gaps in seconds, best AIC first; none where the clock is
            too coarse or there are under 50 gaps.
        time_rescaled: gaps net of the rate per bin, by bin in seconds ("60", "600", "3600").
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
    rates: dict[str, Rates | None]
    count_acf: dict[str, tuple[float | None, ...] | None]
    periods: tuple[Period, ...]
    hurst: float | None
    variance_time: tuple[tuple[float, ...], ...]
    fits: tuple[Fit, ...]
    time_rescaled: dict[str, Rescaled | None]
    bursts: Bursts | Unsupported
    hour_by_weekday: HourByWeekday | Unsupported

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
            *([fits_table("Families fitted to the gaps", self.fits)] if self.fits else []),
        ]


def measure_arrivals(study: Study) -> Arrivals | Unsupported:
    """Measure the arrival process.

    Bins and windows start at the first arrival. Statistics finer than the clock are None.
    """
    arrival_ns, clock = study.requests.arrival_ns, study.clock
    n = len(arrival_ns)
    if n < 2:
        return Unsupported(
            "one request has no gap to another" if n else "the trace has no requests to measure"
        )
    since_first = arrival_ns - arrival_ns[0]
    gaps = Frequencies.of(np.diff(arrival_ns))
    return arrival_facts(
        Arrived(since_first),
        gaps,
        clock,
        sd_ns=gaps.sd(int(since_first[-1]) / (n - 1)),
        largest_ns=int(gaps.values[-1]),
        windowed={
            str(width_s): windowed_cv(since_first, width_s, clock) for width_s in CV_WINDOWS_S
        },
        picked=pick_gaps(since_first),
        by_hour=hour_by_weekday(arrival_ns, study.trace.provenance.t0_unix_ns),
    )


def arrival_facts(
    arrivals: Counted,
    gaps: Frequencies,
    clock: Clock,
    *,
    sd_ns: float | None,
    largest_ns: int,
    windowed: dict[str, WindowedCv],
    picked: tuple[NDArray[np.int64], NDArray[np.int64]],
    by_hour: HourByWeekday | Unsupported,
) -> Arrivals | Unsupported:
    """Make the facts of two or more arrivals, however they are held.

    Args:
        arrivals: counts per bin.
        gaps: in ns.
        clock: that stamped them.
        sd_ns: of the gaps, exactly.
        largest_ns: likewise.
        windowed: CV of the gaps inside windows, by width.
        picked: begins and lengths of gaps, for the rescaled time.
        by_hour: the load by weekday and hour.
    """
    n, span_ns = arrivals.n, arrivals.span_ns
    if span_ns == 0:
        return Unsupported(f"all {n:,} requests arrive at one instant, so there is no rate")
    sample = None
    if clock.resolves_gaps:
        sample = sample_of(Frequencies(gaps.values / 1e9, gaps.counts))
    memory = estimate_hurst(arrivals, clock)
    return Arrivals(
        requests=n,
        span_s=span_ns / 1e9,
        rate_rps=n / (span_ns / 1e9),
        per_minute=per_minute(arrivals),
        iat_s=_summarize_gaps(gaps, span_ns / gaps.n, sd_ns, largest_ns, clock),
        windowed_iat_cv=windowed,
        dispersion={
            str(width_s): dispersion(arrivals, width_s) if clock.resolves(width_s) else None
            for width_s in DISPERSION_S
        },
        rate_series=rate_series(arrivals, clock),
        iat_ccdf=_ccdf(gaps),
        rates=count_rates(arrivals, clock),
        count_acf=count_acf(arrivals, clock),
        periods=find_periods(arrivals, clock),
        hurst=memory.value if memory else None,
        variance_time=memory.variance_time if memory else (),
        fits=fit_families(sample, FAMILIES) if sample else (),
        time_rescaled=rescale_time(arrivals, *picked, clock),
        bursts=find_bursts(arrivals, clock),
        hour_by_weekday=by_hour,
    )


def _summarize_gaps(
    gaps: Frequencies, mean_ns: float, sd_ns: float | None, largest_ns: int, clock: Clock
) -> Gaps:
    p50, p90, p99 = (q / 1e9 for q in gaps.quantiles([0.5, 0.9, 0.99]))
    return Gaps(
        n=gaps.n,
        mean=mean_ns / 1e9,
        p50=p50,
        p90=p90,
        p99=p99,
        max=largest_ns / 1e9,
        sd=None if sd_ns is None else sd_ns / 1e9,
        cv=None if sd_ns is None or not clock.resolves_gaps else sd_ns / mean_ns,
    )


def _ccdf(gaps: Frequencies) -> tuple[tuple[float, ...], ...]:
    points = np.unique(gaps.at(spread_ranks(gaps.n, CURVE_POINTS)))
    shares = 1 - gaps.below(points) / gaps.n
    return tuple(zip((points / 1e9).tolist(), shares.tolist(), strict=True))


ARRIVALS = Topic(
    name="arrivals",
    about="rate, gaps, burstiness",
    needs=(),
    facts=Arrivals,
    measure=measure_arrivals,
)
