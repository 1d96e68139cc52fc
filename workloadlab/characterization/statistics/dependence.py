"""How counts depend on earlier counts: autocorrelation, spectrum, long memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.statistics.counts import complete_counts, round_width

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.statistics.clock import Clock
    from workloadlab.characterization.statistics.counts import Counted

__all__ = ["Hurst", "Period", "autocorrelation", "count_acf", "estimate_hurst", "find_periods"]

ACF_BINS_S = (1, 60)
LAGS = 60
SPECTRUM_BINS = 65_536
PERIODS = 3
HURST_BASE_S = 0.1
HURST_DOUBLINGS = 8
HURST_LEAST_BINS = 30


@dataclass(frozen=True)
class Period:
    """A peak of the periodogram; `power_share` is its part of the variance of the counts."""

    period_s: float
    power_share: float


@dataclass(frozen=True)
class Hurst:
    """Long memory by the variance-time slope.

    Attributes:
        value: 1 + b/2 with b the slope of log variance on log window; 0.5 without memory.
        variance_time: (window in seconds, variance of the mean rate per base bin) pairs.
    """

    value: float
    variance_time: tuple[tuple[float, ...], ...]


def autocorrelation(counts: NDArray[np.int64], lags: int) -> tuple[float | None, ...]:
    """Return Pearson's correlation of counts with the counts k bins later, for k from 1.

    None where either side does not vary. No lag leaves less than three quarters of the bins. The sums
    are exact: whole numbers, of which a lag takes away the first and the last.

    Example:
        >>> autocorrelation(np.array([1, 2, 1, 2, 1, 2, 1, 2]), 2)
        (-1.0, 1.0)
    """
    most = min(lags, len(counts) // 4)
    if not most:
        return ()
    within_64_bits = int(counts.max()) * int(counts.sum()) < 2**63
    whole = counts if within_64_bits else counts.astype(object)
    total, squares = int(whole.sum()), int(whole @ whole)

    def at(lag: int) -> float | None:
        head, tail, bins = whole[:lag], whole[-lag:], len(whole) - lag
        early, late = total - int(tail.sum()), total - int(head.sum())
        early_varies = bins * (squares - int(tail @ tail)) - early**2
        late_varies = bins * (squares - int(head @ head)) - late**2
        together = bins * int(whole[:-lag] @ whole[lag:]) - early * late
        if not early_varies or not late_varies:
            return None
        scale = math.sqrt(early_varies) * math.sqrt(late_varies)
        return max(-1.0, min(1.0, together / scale))

    return tuple(at(lag) for lag in range(1, most + 1))


def count_acf(arrivals: Counted, clock: Clock) -> dict[str, tuple[float | None, ...] | None]:
    """Return the autocorrelation of counts per second and per minute, lags from 1 to 60 at most.

    The last bin is in it, partial as it is. None under two ticks and for fewer than eight bins.
    """
    found: dict[str, tuple[float | None, ...] | None] = {}
    for width_s in ACF_BINS_S:
        counts = None
        if clock.resolves(width_s):
            counts = complete_counts(arrivals, width_s, partial=True)
        usable = counts is not None and len(counts) >= 8
        found[str(width_s)] = (
            autocorrelation(counts, LAGS) if usable and counts is not None else None
        )
    return found


def find_periods(arrivals: Counted, clock: Clock) -> tuple[Period, ...]:
    """Return the three largest peaks of the periodogram of the counts, largest first.

    A peak is larger than both neighbours, lasts at least four bins and fits twice into the span.
    """
    span_s = arrivals.span_ns / 1e9
    width_s = round_width(max(span_s / SPECTRUM_BINS, 2 * (clock.tick_s or 0.0), 1.0))
    counts = complete_counts(arrivals, width_s)
    if counts is None or len(counts) < 16:
        return ()
    power = np.abs(np.fft.rfft(counts - counts.mean())) ** 2
    total = float(power.sum())
    if total <= 0:
        return ()
    inner = power[2:-1]
    peaks = np.flatnonzero((inner > power[1:-2]) & (inner >= power[3:])) + 2
    peaks = peaks[peaks <= len(counts) // 4]
    largest = peaks[np.argsort(-power[peaks], kind="stable")][:PERIODS]
    return tuple(
        Period(period_s=len(counts) * width_s / int(k), power_share=float(power[k]) / total)
        for k in largest
    )


def estimate_hurst(arrivals: Counted, clock: Clock) -> Hurst | None:
    """Estimate Hurst's exponent over nine windows from 0.1 s (or two ticks), each twice the last.

    Only windows with at least 30 complete bins count, and at least four must. A daily cycle within
    reach of the widest window reads as memory. Variances have n below.
    """
    base_s = HURST_BASE_S
    if not clock.resolves(base_s):
        base_s = round_width(2 * (clock.tick_s or base_s))
    base_ns = round(base_s * 1e9)
    points = []
    for doubling in range(HURST_DOUBLINGS + 1):
        merged = 2**doubling
        complete = arrivals.span_ns // base_ns // merged
        if complete < HURST_LEAST_BINS:
            break
        total, squares = arrivals.squares(base_ns * merged)
        variance = (squares / complete - (total / complete) ** 2) / merged**2
        if variance > 0:
            points.append((base_s * merged, variance))
    if len(points) < 4:
        return None
    logs = np.log(np.array(points))
    x, y = logs[:, 0] - logs[:, 0].mean(), logs[:, 1] - logs[:, 1].mean()
    return Hurst(value=1 + float(np.sum(x * y) / np.sum(x * x)) / 2, variance_time=tuple(points))
