"""A measure: a metric, or one part of a latency's summary, as people name it: `p99 ttft_s`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.arguments import checked
from workloadlab.distributions import normal_quantile
from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean
from workloadlab.scoring.intervals import (
    Interval,
    mean_interval,
    percentile_intervals,
    requests_needed,
    wilson_interval,
)
from workloadlab.scoring.metric import PERCENTILES
from workloadlab.scoring.metrics import METRICS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.scoring.metric import Context, Metric
    from workloadlab.scoring.timings import Timings

__all__ = ["Measure", "run_intervals"]


@dataclass(frozen=True)
class Measure:
    """One number about a run.

    Attributes:
        metric: of the list.
        part: "mean", "p50", ... of a latency, else "".

    Example:
        >>> found = Measure.named("p99 ttft_s")
        >>> found.name, found.noun, Measure.named("goodput_rps").noun
        ('p99 ttft_s', 'p99 TTFT', 'goodput')
    """

    metric: Metric
    part: str = ""

    @classmethod
    @checked
    def named(cls, text: str) -> Measure:
        """Return the measure that a person names; a latency alone means its mean.

        Raises:
            UsageError: no such metric, or a part that it does not have.
        """
        *parts, name = text.split() or [""]
        metric = next((m for m in METRICS if m.name == name), None)
        metric = metric or next((m for m in METRICS if m.name == f"{name}_s"), None)
        if metric is None:
            fix = did_you_mean(
                name, [m.name for m in METRICS], all_of_them="workloadlab score --list-metrics"
            )
            raise UsageError(f"no metric is called {name!r}", fix=fix)
        if not metric.parts:
            if parts:
                raise UsageError(f"{metric.name} has no {' '.join(parts)}", fix="leave it out")
            return cls(metric)
        part = parts[0] if parts else "mean"
        if len(parts) > 1 or part not in ("mean", *PERCENTILES):
            raise UsageError(
                f"{metric.name} has no {' '.join(parts)}",
                fix=f"use mean, {', '.join(PERCENTILES)}",
            )
        return cls(metric, part)

    @property
    def name(self) -> str:
        """Its name on the command line and in JSON."""
        return f"{self.part} {self.metric.name}".strip()

    @property
    def noun(self) -> str:
        """Its name inside a sentence."""
        return f"{self.part} {self.metric.noun or self.metric.label}".strip()

    @property
    def requests_needed(self) -> int:
        """Fewest requests for an interval: 2 for a mean, 368 for a p99."""
        return requests_needed(PERCENTILES[self.part]) if self.part in PERCENTILES else 2

    def estimate(self, values: NDArray[np.float64]) -> float:
        """Return the measure of values; NaN is left out."""
        known = values[np.isfinite(values)]
        if self.part in PERCENTILES:
            return float(np.quantile(known, PERCENTILES[self.part], method="linear"))
        return float(known.mean())

    def influence(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each request adds to the estimate's error; they sum to about 0.

        Of a mean (value - mean) / n; of the p-quantile q (p - [value <= q]) / (n f), with the density f
        at q from the distance of two order statistics (Hall and Sheather, JRSS B 50, 1988).

        Args:
            values: in order of arrival, NaN where a request has none.
        """
        known = np.isfinite(values)
        n, estimate = int(known.sum()), self.estimate(values)
        if self.part not in PERCENTILES:
            return np.where(known, values - estimate, 0.0) / n
        level = PERCENTILES[self.part]
        below = np.where(known, level - (values <= estimate), 0.0)
        return below * (_spacing(values[known], level) / n)

    def contrast(
        self, ours: NDArray[np.float64], theirs: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return what each request says for a difference, whose sum is 0 on average if there is none.

        Of a mean the difference over n. Of a percentile, which run has the request above the percentile
        of both together: tails come in few bursts, and counts of them need no density.

        Args:
            ours: in order of arrival.
            theirs: of the same requests; NaN in both where one has none.
        """
        known = np.isfinite(ours)
        n = int(known.sum())
        if self.part not in PERCENTILES:
            return np.where(known, ours - theirs, 0.0) / n
        border = self.estimate(np.concatenate((ours, theirs)))
        above = (ours > border).astype(np.float64) - (theirs > border)
        return np.where(known, above, 0.0) / n


def _spacing(values: NDArray[np.float64], level: float) -> float:
    """Return 1 / density at a quantile: the slope of the quantile function around it."""
    z, at = normal_quantile(0.975), normal_quantile(level)
    height = np.exp(-at * at / 2) / np.sqrt(2 * np.pi)
    width = (z * z / len(values) * 1.5 * height**2 / (2 * at * at + 1)) ** (1 / 3)
    width = min(max(width, 1 / len(values)), (1 - level) / 2, level / 2)
    low, high = np.quantile(values, [level - width, level + width], method="linear")
    return float((high - low) / (2 * width))


def run_intervals(timings: Timings, context: Context) -> dict[str, Interval]:
    """Return the interval of every measure that averages over requests, by its name."""
    found: dict[str, Interval] = {}
    for metric in METRICS:
        values = metric.values(timings, context) if metric.values else None
        if values is None:
            continue
        arrived = values[timings.by_arrival]
        if metric.parts:
            found[Measure(metric, "mean").name] = mean_interval(arrived)
            intervals = percentile_intervals(arrived, PERCENTILES.values())
            for part, interval in zip(PERCENTILES, intervals, strict=True):
                found[Measure(metric, part).name] = interval
        else:
            of = wilson_interval if metric.unit == "share" else mean_interval
            found[metric.name] = of(arrived)
    return found
