"""The rate over time, beside what a constant rate would give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.reporting.canvas import MUTED, SERIES, canvas, time_unit
from workloadlab.reporting.facts import BAND, Key, Plot
from workloadlab.words import plural, seconds, share, three

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from workloadlab.characterization import Arrivals
    from workloadlab.reporting.workload.place import Place

__all__ = ["Rate", "plot_rate"]

INSIDE = 0.98
LEAST_PER_BIN, LEAST_BINS = 5, 25


@dataclass(frozen=True)
class Rate:
    """Requests per second in bins of one width since the first arrival."""

    kind: ClassVar = "rate"

    bin_s: float
    rate_rps: tuple[float, ...]
    mean_rps: float
    band_rps: tuple[float, float]

    def draw(self) -> Figure:
        """Draw the rate as steps, its mean as a line, chance as a band."""
        figure, axes = canvas()
        rates = np.array(self.rate_rps)
        edges = np.arange(len(rates) + 1) * self.bin_s
        unit, size = time_unit(edges[-1])
        axes.axhspan(*self.band_rps, color=MUTED, alpha=0.18, linewidth=0)
        axes.axhline(self.mean_rps, color=MUTED, linewidth=1)
        axes.stairs(rates, edges / size, color=SERIES[0], linewidth=1.2, baseline=None)
        axes.set_xlim(0, edges[-1] / size)
        axes.set_ylim(0, max(rates.max(), self.band_rps[1]) * 1.08)
        axes.set_xlabel(f"{unit} since the first arrival")
        axes.set_ylabel("requests/s")
        return figure


def plot_rate(arrivals: Arrivals, place: Place) -> Plot:
    """Say how far the rate is from a constant one."""
    title, plot_id = "Arrival rate over time", place.id("rate")
    bin_s, counts = _readable_bins(arrivals.rate_series.bin_s, arrivals.rate_series.counts)
    if len(counts) < 2:
        return Plot(
            id=plot_id,
            title=title,
            reading=f"The span of {seconds(arrivals.span_s)} holds no two whole bins.",
        )
    mean = float(counts.mean())
    low, high = _poisson_band(mean)
    outside = float(np.mean((counts < low) | (counts > high)))
    chance = "as a constant rate would give" if outside <= 2 * (1 - INSIDE) else "the rate drifts"
    minutes = arrivals.per_minute.complete or arrivals.per_minute
    busiest = (
        f"The busiest minute has {plural(minutes.max, 'request')}, "
        f"{three(minutes.peak_to_mean)} times the mean of {three(minutes.mean)}. "
        if arrivals.span_s >= 120
        else ""
    )
    return Plot(
        id=plot_id,
        title=title,
        reading=f"{busiest}{share(outside)} of the bins lie outside the band that would hold "
        f"{INSIDE:.0%} of them if arrivals were Poisson at the mean rate: {chance}.",
        definition=f"Requests per bin of {seconds(bin_s)} since the first arrival, over the bin "
        f"width; the unfinished last bin is left out. Band: the {(1 - INSIDE) / 2:.0%} and "
        f"{(1 + INSIDE) / 2:.0%} quantiles of Poisson counts with the mean of the bins.",
        n=f"{plural(arrivals.requests, 'request')} in {plural(len(counts), 'bin')}",
        drawing=Rate(
            bin_s=bin_s,
            rate_rps=tuple((counts / bin_s).tolist()),
            mean_rps=mean / bin_s,
            band_rps=(low / bin_s, high / bin_s),
        ),
        legend=(Key("requests per second", 0), Key("Poisson at the mean rate, 98% band", BAND)),
    )


def _readable_bins(bin_s: float, counts: tuple[int, ...]) -> tuple[float, NDArray[np.int64]]:
    """Return the complete bins, merged until they hold a few requests each or would get too few."""
    complete = np.array(counts[:-1], dtype=np.int64)
    merged = 1
    for factor in (2, 5, 10, 20):
        sparse = merged * complete.sum() < LEAST_PER_BIN * len(complete)
        if sparse and len(complete) >= factor * LEAST_BINS:
            merged = factor
    whole = len(complete) // merged * merged
    return bin_s * merged, complete[:whole].reshape(-1, merged).sum(axis=1)


def _poisson_band(mean: float) -> tuple[float, float]:
    """Return the quantiles of a Poisson count that enclose `INSIDE` of it."""
    from scipy.special import pdtr, pdtrik

    def quantile(level: float) -> float:
        k = max(0.0, float(np.ceil(np.nan_to_num(pdtrik(level, mean)))))
        return k - 1 if k >= 1 and pdtr(k - 1, mean) >= level else k

    return quantile((1 - INSIDE) / 2), quantile((1 + INSIDE) / 2)
