"""Bursts, and how Poisson the arrivals are once the changing rate is taken out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.statistics.counts import complete_counts
from workloadlab.characterization.statistics.measures import evenly, occupied_bins, sample_sd
from workloadlab.statistics import quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.statistics.clock import Clock
    from workloadlab.characterization.statistics.counts import Counted

__all__ = [
    "GAPS_PER_WINDOW",
    "Bursts",
    "Rescaled",
    "WindowedCv",
    "cv_of_windows",
    "find_bursts",
    "pick_gaps",
    "rescale_time",
    "windowed_cv",
]

RATE_BINS_S = (60, 600, 3600)
LEAST_PER_BIN = 10
MOST_GAPS = 1_000_000
BURST_BINS_S = (1, 10, 60, 600, 3600)
BURST_MEAN = 5
BURST_FACTOR = 2.0
BURST_SIGMAS = 5
BASELINE_BINS = 61
GAPS_PER_WINDOW = 30
"""Windows with fewer gaps have no CV."""


@dataclass(frozen=True)
class Rescaled:
    """Gaps in a time that runs as fast as the requests come, bin by bin.

    A Poisson process whose rate is constant within a bin has exponential gaps of mean 1 there.

    Attributes:
        gaps: how many were compared: of all, or of a million evenly spaced ones, those in complete bins.
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


def pick_gaps(since_first_ns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the gaps that `rescale_time` looks at: where each begins, and its length."""
    first = evenly(len(since_first_ns) - 1, MOST_GAPS)
    return since_first_ns[first], since_first_ns[first + 1] - since_first_ns[first]


def rescale_time(
    arrivals: Counted, begins: NDArray[np.int64], gaps: NDArray[np.int64], clock: Clock
) -> dict[str, Rescaled | None]:
    """Compare rescaled gaps with the exponential law, for rates per minute, 10 min and hour.

    None where a bin holds fewer than ten requests on average, or the clock is too coarse.

    Args:
        arrivals: the arrivals, since the first.
        begins: where gaps begin, of `pick_gaps`.
        gaps: their lengths.
        clock: the clock that stamped them.
    """
    return {
        str(width_s): _rescale(arrivals, width_s, begins, gaps) if clock.resolves_gaps else None
        for width_s in RATE_BINS_S
    }


def _rescale(
    arrivals: Counted, width_s: int, begins: NDArray[np.int64], lengths: NDArray[np.int64]
) -> Rescaled | None:
    counts = complete_counts(arrivals, width_s)
    if counts is None or counts.mean() < LEAST_PER_BIN:
        return None
    width_ns = width_s * 1_000_000_000
    before = np.cumsum(counts) - counts
    inside = begins + lengths < len(counts) * width_ns

    def rescaled(times: NDArray[np.int64]) -> NDArray[np.float64]:
        bins = times // width_ns
        within = (times - bins * width_ns) / width_ns
        return np.asarray(before[bins] + counts[bins] * within, dtype=np.float64)

    first = begins[inside]
    gaps = np.sort(rescaled(first + lengths[inside]) - rescaled(first))
    if not len(gaps):
        return None
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


def find_bursts(arrivals: Counted, clock: Clock) -> Bursts | Unsupported:
    """Find the runs of bins that stand out from the hour, minute or seconds around them."""
    span_s, n = arrivals.span_ns / 1e9, arrivals.n
    width_s = next(
        (w for w in BURST_BINS_S if n * w / span_s >= BURST_MEAN and clock.resolves(w)), None
    )
    counts = complete_counts(arrivals, width_s) if width_s else None
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
    squares = [
        float(np.sum((np.diff(since_first_ns[first : first + gaps + 1]) - span / gaps) ** 2))
        for first, gaps, span in zip(firsts.tolist(), n_gaps.tolist(), spans.tolist(), strict=True)
    ]
    return cv_of_windows(n_gaps, spans, np.array(squares), clock)


def cv_of_windows(
    n_gaps: NDArray[np.int64],
    spans: NDArray[np.int64],
    squares: NDArray[np.float64],
    clock: Clock,
) -> WindowedCv:
    """Summarize windows by the number of their gaps, their sum, and their squared deviations."""
    known = spans > 0
    n_gaps, squares = n_gaps[known], squares[known]
    means = spans[known] / n_gaps
    if not len(means) or not clock.resolves(quantiles(means, [0.5])[0] / 1e9):
        return WindowedCv(p50=None, mean=None, max=None, windows=len(means))
    cvs = np.sqrt(squares / (n_gaps - 1)) / means
    return WindowedCv(
        p50=quantiles(cvs, [0.5])[0],
        mean=float(cvs.mean()),
        max=float(cvs.max()),
        windows=len(cvs),
    )
