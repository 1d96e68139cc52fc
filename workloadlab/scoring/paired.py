"""Whether one router beats another: paired differences over the same windows and seeds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.scoring.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.scoring.timings import Timings
    from workloadlab.trace import RunInfo

__all__ = ["PairedDifference", "paired_differences"]

WINDOWS = 50
RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """The mean of `router` less that of `other` on the same requests and seeds.

    Attributes:
        router, other: names; a negative difference means that `router` is faster.
        rate_scale: at which both ran.
        metric: the latency compared.
        mean_difference, low, high: seconds; the bounds hold the difference with `level`.
        level: of the interval.
        requests: pairs, over all seeds; a request counts if both routers served it.
        windows: of consecutive arrivals, which the interval resamples.
        significant: whether the interval excludes 0.
    """

    router: str
    other: str
    rate_scale: float
    metric: str
    mean_difference: float
    low: float
    high: float
    level: float
    requests: int
    windows: int
    significant: bool


def paired_differences(runs: Sequence[tuple[RunInfo, Timings]]) -> list[PairedDifference]:
    """Return, per rate scale and pair of routers, the mean difference with its interval.

    Requests are grouped into windows of consecutive arrivals, each with the same number of requests;
    the interval is the percentile bootstrap over windows (Efron and Tibshirani 1993), which respects
    that neighbouring requests share their fate. Windows are resampled jointly for all seeds.

    Args:
        runs: every run with its timings; all replay the same trace.
    """
    by_run = {(info.router, info.rate_scale, info.seed): timings for info, timings in runs}
    routers = list(dict.fromkeys(info.router for info, _ in runs))
    scales = list(dict.fromkeys(info.rate_scale for info, _ in runs))
    seeds = list(dict.fromkeys(info.seed for info, _ in runs))
    compared = [metric.name for metric in METRICS if metric.paired]
    found = []
    for scale in scales:
        for router, other in combinations(routers, 2):
            pairs = [(by_run[router, scale, s], by_run[other, scale, s]) for s in seeds]
            for metric in compared:
                difference = _difference(
                    [(getattr(a, metric), getattr(b, metric)) for a, b in pairs]
                )
                if difference:
                    found.append(
                        PairedDifference(
                            router=router,
                            other=other,
                            rate_scale=scale,
                            metric=metric,
                            **difference,
                        )
                    )
    return found


def _difference(pairs: list[tuple[Any, Any]]) -> dict[str, Any] | None:
    difference = np.array([a - b for a, b in pairs])
    known = np.isfinite(difference)
    requests = difference.shape[1]
    windows = min(WINDOWS, requests)
    if windows < 2 or not known.any():
        return None
    edges = np.arange(windows) * requests // windows
    sums = np.add.reduceat(np.where(known, difference, 0.0).sum(axis=0), edges)
    counts = np.add.reduceat(known.sum(axis=0), edges)
    mean = float(sums.sum() / counts.sum())
    picks = np.random.default_rng(0).integers(0, windows, (RESAMPLES, windows))
    resampled = sums[picks].sum(axis=1) / np.maximum(counts[picks].sum(axis=1), 1)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {
        "mean_difference": mean,
        "low": float(low),
        "high": float(high),
        "level": LEVEL,
        "requests": int(counts.sum()),
        "windows": windows,
        "significant": bool(low > 0 or high < 0),
    }
