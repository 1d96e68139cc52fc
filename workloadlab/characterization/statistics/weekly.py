"""The load by weekday and hour, for traces that know when they were recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Unsupported

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["HourByWeekday", "hour_by_weekday", "weekly_rates"]

HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True)
class HourByWeekday:
    """Mean rate by weekday and hour of the day, UTC.

    Attributes:
        rate_rps: seven rows from Monday, 24 hours each; None for hours that the trace does not cover.
        requests: likewise, how many arrived.
        covered_s: likewise, seconds of the trace.
        peak_to_mean: largest rate / the rate of the whole trace.
    """

    rate_rps: tuple[tuple[float | None, ...], ...]
    requests: tuple[tuple[int, ...], ...]
    covered_s: tuple[tuple[float, ...], ...]
    peak_to_mean: float


def hour_by_weekday(
    arrival_ns: NDArray[np.int64], t0_unix_ns: int | None
) -> HourByWeekday | Unsupported:
    """Count ascending arrivals by weekday and hour of their absolute time in UTC.

    Args:
        arrival_ns: since t0.
        t0_unix_ns: absolute time of t0; without one there are no hours of the day.
    """
    if t0_unix_ns is None:
        return Unsupported("the trace has no absolute time, so no hours of the day")
    first, last = int(arrival_ns[0]) + t0_unix_ns, int(arrival_ns[-1]) + t0_unix_ns
    first_hour, last_hour = first // HOUR_NS, last // HOUR_NS
    if last_hour - first_hour > 24 * 366 * 20:
        return Unsupported("the trace spans over 20 years")
    edges = np.arange(first_hour, last_hour + 2) * HOUR_NS - t0_unix_ns
    counts = np.diff(np.searchsorted(arrival_ns, edges))
    return weekly_rates(counts, first, last)


def weekly_rates(
    counts: NDArray[np.int64], first_ns: int, last_ns: int
) -> HourByWeekday | Unsupported:
    """Spread counts per hour of absolute time over the hours of the week.

    Args:
        counts: one per hour, from that of the first arrival to that of the last.
        first_ns: absolute time of the first arrival.
        last_ns: of the last.
    """
    if first_ns == last_ns:
        return Unsupported("all requests arrive at one instant")
    first_hour = first_ns // HOUR_NS
    last_hour = last_ns // HOUR_NS
    edges = np.arange(first_hour, last_hour + 2) * HOUR_NS
    clipped = np.clip(edges, first_ns, last_ns)
    # The epoch was a Thursday: hour 0 of the week is Monday's.
    cells = (np.arange(first_hour, last_hour + 1) + 3 * 24) % 168
    requests = np.bincount(cells, weights=counts, minlength=168).astype(np.int64)
    covered = np.bincount(cells, weights=np.diff(clipped) / 1e9, minlength=168)
    rates = [
        n / seconds if seconds >= 1 else None
        for n, seconds in zip(requests.tolist(), covered.tolist(), strict=True)
    ]
    mean = int(counts.sum()) * 1e9 / (last_ns - first_ns)
    return HourByWeekday(
        rate_rps=tuple(tuple(rates[day * 24 : day * 24 + 24]) for day in range(7)),
        requests=tuple(map(tuple, requests.reshape(7, 24).tolist())),
        covered_s=tuple(map(tuple, covered.reshape(7, 24).tolist())),
        peak_to_mean=max((rate for rate in rates if rate is not None), default=0.0) / mean,
    )
