"""Lengths given something else: outputs by input, and both over time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.statistics.measures import evenly
from workloadlab.statistics import quantiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "Band",
    "LengthSeries",
    "length_series",
    "output_bands",
    "series_of_bins",
    "series_width_ns",
]

MOST_ROWS = 1_000_000
WIDTHS_S = (600, 3600, 86400)
MOST_BINS = 400
LEAST_ROWS = 30


@dataclass(frozen=True)
class Band:
    """Outputs of the requests with input_low <= input tokens <= input_high."""

    input_low: int
    input_high: int
    rows: int
    p10: float
    p50: float
    p90: float


@dataclass(frozen=True)
class LengthSeries:
    """A column of token counts over time.

    Attributes:
        bin_s: 10 min, 1 h or 1 d: the smallest with at most 400 bins since the first arrival.
        rows, mean, p50: per bin; None where no row falls in.
        median_ratio: largest / smallest median of the bins with 30 rows or more; None for one bin.
    """

    bin_s: float
    rows: tuple[int, ...]
    mean: tuple[float | None, ...]
    p50: tuple[float | None, ...]
    median_ratio: float | None


def output_bands(inputs: NDArray[np.uint32], outputs: NDArray[np.uint32]) -> tuple[Band, ...]:
    """Return quantiles of the outputs by tenths of the inputs; equal inputs stay together.

    Over a million rows are thinned to evenly spaced ones.
    """
    if len(inputs) > MOST_ROWS:
        rows = evenly(len(inputs), MOST_ROWS)
        inputs, outputs = inputs[rows], outputs[rows]
    edges = np.unique(np.quantile(inputs, np.arange(1, 10) / 10, method="inverted_cdf"))
    order = np.argsort(inputs, kind="stable")
    inputs, outputs = inputs[order], outputs[order]
    ends = np.unique(np.append(np.searchsorted(inputs, edges, side="right"), len(inputs)))
    bands = []
    for low, high in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        p10, p50, p90 = quantiles(outputs[low:high], [0.1, 0.5, 0.9])
        first, last = int(inputs[low]), int(inputs[high - 1])
        bands.append(Band(first, last, high - low, p10, p50, p90))
    return tuple(bands)


def series_width_ns(span_ns: int) -> int | None:
    """Return the bin of a series: the smallest with at most 400 bins; None over 400 days."""
    widths = (w * 1_000_000_000 for w in WIDTHS_S)
    return next((width for width in widths if span_ns // width < MOST_BINS), None)


def length_series(
    arrival_ns: NDArray[np.int64],
    values: NDArray[np.uint32],
    ends: tuple[int, int] | None = None,
) -> LengthSeries | None:
    """Return a column over time; None for a span of more than 400 days.

    Args:
        arrival_ns: ascending.
        values: one per arrival.
        ends: first and last arrival of the trace; without them those of `arrival_ns`.
    """
    first, last = ends or (int(arrival_ns[0]), int(arrival_ns[-1]))
    span_ns = last - first
    width_ns = series_width_ns(span_ns)
    if width_ns is None:
        return None
    bins = span_ns // width_ns + 1
    edges = np.searchsorted(arrival_ns, first + np.arange(bins + 1) * width_ns)
    slices = [values[low:high] for low, high in pairwise(edges.tolist())]
    return series_of_bins(
        width_ns,
        rows=[len(s) for s in slices],
        sums=[int(s.sum(dtype=np.int64)) for s in slices],
        medians=[float(np.median(s)) if len(s) else None for s in slices],
    )


def series_of_bins(
    width_ns: int, rows: Sequence[int], sums: Sequence[int], medians: Sequence[float | None]
) -> LengthSeries:
    """Make a series of what each bin holds."""
    full = [m for m, n in zip(medians, rows, strict=True) if m is not None and n >= LEAST_ROWS]
    return LengthSeries(
        bin_s=width_ns / 1e9,
        rows=tuple(rows),
        mean=tuple(total / n if n else None for total, n in zip(sums, rows, strict=True)),
        p50=tuple(medians),
        median_ratio=max(full) / min(full) if len(full) > 1 and min(full) > 0 else None,
    )
