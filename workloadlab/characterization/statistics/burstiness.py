"""Bursts, and how Poisson the arrivals are once the changing rate is taken out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.statistics.counts import complete_counts
from workloadlab.characterization.statistics.measures import sample_sd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.statistics.clock import Clock

__all__ = ["Bursts", "Rescaled", "find_bursts", "rescale_time"]

RATE_BINS_S = (60, 600, 3600)
LEAST_PER_BIN = 10
MOST_GAPS = 1_000_000
BURST_BINS_S = (1, 10, 60, 600, 3600)
BURST_MEAN = 5
BURST_FACTOR = 2.0
BURST_SIGMAS = 5
BASELINE_BINS = 61


@dataclass(frozen=True)
class Rescaled:
    """Gaps in a time that runs as fast as the requests come, bin by bin.

    A Poisson process whose rate is constant within a bin has exponential gaps of mean 1 there.

    Attributes:
        gaps: how many were compared: all, or a million evenly spaced ones.
        ks: largest distance to the exponential distribution function.
        cv: sd / mean; 1 for Poisson arrivals.
    """

    gaps: int
    ks: float
    cv: float | None


@dataclass(frozen=True)
class Bursts:
    """Runs of bins with over twice the local baseline, and five of its standard deviations above it.

    Attributes:
        bin_s: smallest of 1 s, 10 s, 1 min, 10 min, 1 h that holds five requests on average.
        baseline_s: width of the moving average that a bin is compared with.
        count: number of runs.
        longest_s: of the longest run.
        highest: largest count of a bin / its baseline, within runs.
        request_share: share of the requests that arrive within runs.
        time_share: share of the bins within runs.
    """

    bin_s: float
    baseline_s: float
    count: int
    longest_s: float
    highest: float | None
    request_share: float
    time_share: float


def rescale_time(since_first_ns: NDArray[np.int64], clock: Clock) -> dict[str, Rescaled | None]:
    """Compare rescaled gaps with the exponential law, for rates per minute, 10 min and hour.

    None where a bin holds fewer than ten requests on average, or the clock is too coarse.
    """
    return {
        str(width_s): _rescale(since_first_ns, width_s) if clock.resolves_gaps else None
        for width_s in RATE_BINS_S
    }


def _rescale(since_first_ns: NDArray[np.int64], width_s: int) -> Rescaled | None:
    counts = complete_counts(since_first_ns, width_s)
    if counts is None or counts.mean() < LEAST_PER_BIN:
        return None
    width_ns = width_s * 1_000_000_000
    inside = int(np.searchsorted(since_first_ns, len(counts) * width_ns))
    before = np.cumsum(counts) - counts
    first = np.arange(inside - 1)
    if inside - 1 > MOST_GAPS:
        first = np.linspace(0, inside - 2, MOST_GAPS).astype(np.int64)

    def rescaled(times: NDArray[np.int64]) -> NDArray[np.float64]:
        bins = times // width_ns
        within = (times - bins * width_ns) / width_ns
        return np.asarray(before[bins] + counts[bins] * within, dtype=np.float64)

    gaps = np.sort(rescaled(since_first_ns[first + 1]) - rescaled(since_first_ns[first]))
    n = len(gaps)
    expected = -np.expm1(-gaps)
    ranks = np.arange(n + 1) / n
    mean = float(gaps.mean())
    sd = sample_sd(gaps, mean)
    return Rescaled(
        gaps=n,
        ks=float(max(np.max(ranks[1:] - expected), np.max(expected - ranks[:-1]))),
        cv=None if sd is None or not mean else sd / mean,
    )


def find_bursts(since_first_ns: NDArray[np.int64], clock: Clock) -> Bursts | Unsupported:
    """Find the runs of bins that stand out from the hour, minute or seconds around them."""
    span_s, n = int(since_first_ns[-1]) / 1e9, len(since_first_ns)
    width_s = next(
        (w for w in BURST_BINS_S if n * w / span_s >= BURST_MEAN and clock.resolves(w)), None
    )
    counts = complete_counts(since_first_ns, width_s) if width_s else None
    if width_s is None or counts is None or len(counts) < BASELINE_BINS:
        return Unsupported(
            "too few requests, or too short a span, to tell a burst from its baseline"
        )
    half = BASELINE_BINS // 2
    sums = np.concatenate(([0], np.cumsum(counts)))
    places = np.arange(len(counts))
    low, high = np.maximum(places - half, 0), np.minimum(places + half + 1, len(counts))
    baseline = (sums[high] - sums[low]) / (high - low)
    inside = (counts > BURST_FACTOR * baseline) & (
        counts - baseline > BURST_SIGMAS * np.sqrt(baseline)
    )
    edges = np.flatnonzero(np.diff(np.concatenate(([False], inside, [False])).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return Bursts(
        bin_s=float(width_s),
        baseline_s=float(width_s * BASELINE_BINS),
        count=len(lengths),
        longest_s=float(int(lengths.max(initial=0)) * width_s),
        highest=float(np.max(counts[inside] / baseline[inside])) if len(lengths) else None,
        request_share=int(counts[inside].sum()) / int(counts.sum()),
        time_share=int(np.count_nonzero(inside)) / len(counts),
    )
