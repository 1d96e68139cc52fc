"""Prompt and output lengths: each alone, and the two together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.frequencies import Frequencies
from workloadlab.characterization.statistics.bands import LengthSeries, length_series
from workloadlab.characterization.statistics.caps import find_cap
from workloadlab.characterization.statistics.fits import Fit, fit_families, fits_table, sample_of
from workloadlab.characterization.statistics.joint import Joint, measure_joint
from workloadlab.characterization.statistics.measures import spread_ranks
from workloadlab.characterization.statistics.reasoning import Reasoning, measure_reasoning
from workloadlab.characterization.statistics.shares import gini, top_share
from workloadlab.characterization.statistics.tails import Hill, hill_plot
from workloadlab.characterization.study import Topic
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.study import Study

__all__ = [
    "LENGTHS",
    "LengthColumn",
    "Lengths",
    "MostFrequent",
    "measure_column",
    "measure_lengths",
]

CURVE_POINTS = 200
LORENZ_POINTS = 50
FAMILIES = ("exponential", "gamma", "weibull", "lognormal", "pareto_lognormal")


@dataclass(frozen=True)
class MostFrequent:
    """The most frequent value (the smallest of equals) and its share of the rows."""

    value: int
    count: int
    share: float


@dataclass(frozen=True)
class LengthColumn:
    """One column of token counts over the rows that record it.

    Attributes:
        n: rows with a value.
        missing: rows without one.
        sum: exact.
        sd: with n - 1; None for one row.
        zeros: rows with a measured 0.
        gini: 0 when all rows are equal, towards 1 when one row holds all tokens.
        top1_token_share: share of all tokens in the longest n // 100 rows (at least one row).
        top10_token_share: the same for n // 10.
        cdf: at most 200 points (tokens, share of rows at most that long).
        skew: third central moment / sd^3, both with n below; None where the column does not vary.
        lorenz: at most 51 points (share of the shortest rows, their share of the tokens).
        limit: where the column is cut off, if it looks so; fits and tail take rows from there on as
            "at least that".
        fits: families fitted to the positive values, best AIC first.
        over_time: per 10 min, hour or day.
    """

    n: int
    missing: int
    sum: int
    mean: float
    sd: float | None
    min: int
    p25: float
    p50: float
    p75: float
    p90: float
    p95: float
    p99: float
    max: int
    zeros: int
    gini: float | None
    top1_token_share: float | None
    top10_token_share: float | None
    most_frequent: MostFrequent
    cdf: tuple[tuple[float, ...], ...]
    p1: float
    p5: float
    p999: float
    cv: float | None
    skew: float | None
    lorenz: tuple[tuple[float, ...], ...]
    limit: int | None
    fits: tuple[Fit, ...]
    hill: Hill | Unsupported
    over_time: LengthSeries | None


@dataclass(frozen=True)
class Lengths:
    """Prompt lengths, output lengths, how they go together, and the reasoning part of outputs."""

    input: LengthColumn | Unsupported
    output: LengthColumn | Unsupported
    joint: Joint | Unsupported
    reasoning: Reasoning | Unsupported

    def tables(self) -> list[Table]:
        """Return the topic as tables for people."""
        header = ["tokens", "n", "sum", "mean", "sd", "p50", "p90", "p99", "max", "Gini", "top 1 %"]
        rows = []
        for name, c in (("input", self.input), ("output", self.output)):
            cells: list[Cell] = (
                ["not recorded"] + [None] * 9
                if isinstance(c, Unsupported)
                else [
                    c.n,
                    c.sum,
                    c.mean,
                    c.sd,
                    c.p50,
                    c.p90,
                    c.p99,
                    c.max,
                    c.gini,
                    c.top1_token_share,
                ]
            )
            rows.append([name, *cells])
        tables = [Table("Lengths", header, rows)]
        for name, c in (("inputs", self.input), ("outputs", self.output)):
            if isinstance(c, LengthColumn) and c.fits:
                at = f", cut off at {c.limit:,}" if c.limit is not None else ""
                tables.append(fits_table(f"Families fitted to the {name}{at}", c.fits))
        if isinstance(self.joint, Joint):
            j = self.joint
            tables.append(
                Table(
                    "Input against output",
                    ["", "n", "Pearson", "Spearman", "Kendall", "Pearson of logs", "in/out"],
                    [
                        [
                            "both",
                            j.rows,
                            j.pearson,
                            j.spearman,
                            j.kendall,
                            j.pearson_log,
                            j.input_output_ratio,
                        ]
                    ],
                )
            )
        return tables


def measure_lengths(study: Study) -> Lengths:
    """Measure token counts; a column that no row records is Unsupported, with the reason."""
    requests = study.requests
    if requests.n == 0:
        none = Unsupported("the trace has no requests to measure")
        return Lengths(input=none, output=none, joint=none, reasoning=none)
    reasoning = measure_reasoning(study.trace)
    inputs, recorded = requests.input_tokens, requests.output_recorded
    series = length_series(requests.arrival_ns, inputs)
    input_column = measure_column("input_tokens", Frequencies.of(inputs), series, missing=0)
    if not recorded.any():
        none = Unsupported("no request records output_tokens")
        return Lengths(input=input_column, output=none, joint=none, reasoning=reasoning)
    arrival, outputs = requests.arrival_ns, requests.output_tokens
    if not recorded.all():
        arrival, inputs, outputs = arrival[recorded], inputs[recorded], outputs[recorded]
    ends = int(requests.arrival_ns[0]), int(requests.arrival_ns[-1])
    series = length_series(arrival, outputs, ends)
    missing = requests.n - len(outputs)
    return Lengths(
        input=input_column,
        output=measure_column("output_tokens", Frequencies.of(outputs), series, missing=missing),
        joint=measure_joint(inputs, outputs),
        reasoning=reasoning,
    )


def measure_column(
    name: str, column: Frequencies, over_time: LengthSeries | None, *, missing: int
) -> LengthColumn:
    """Measure a column of token counts by how often each occurs."""
    limit = next((int(cap.numbers["lowest"]) for cap in find_cap(name, column)), None)
    sample = sample_of(column, limit=limit)
    n, total = column.n, int(column.total)
    distinct, counts = column.values, column.counts
    commonest = int(counts.argmax())
    mean = total / n
    sd = column.sd(mean)
    p1, p5, p25, p50, p75, p90, p95, p99, p999 = column.quantiles(
        [0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999]
    )
    points = distinct
    if len(distinct) > CURVE_POINTS:
        points = np.unique(column.at(spread_ranks(n, CURVE_POINTS)))
    below = column.below(points + 1) / n
    return LengthColumn(
        n=n,
        missing=missing,
        sum=total,
        mean=mean,
        sd=sd,
        min=int(distinct[0]),
        p25=p25,
        p50=p50,
        p75=p75,
        p90=p90,
        p95=p95,
        p99=p99,
        max=int(distinct[-1]),
        zeros=int(counts[0]) if distinct[0] == 0 else 0,
        gini=gini(column),
        top1_token_share=top_share(column, 1),
        top10_token_share=top_share(column, 10),
        most_frequent=MostFrequent(
            value=int(distinct[commonest]),
            count=int(counts[commonest]),
            share=int(counts[commonest]) / n,
        ),
        cdf=tuple(zip(points.tolist(), below.tolist(), strict=True)),
        p1=p1,
        p5=p5,
        p999=p999,
        cv=sd / mean if sd is not None and mean else None,
        skew=_skew(distinct, counts, mean),
        lorenz=_lorenz(distinct, counts),
        limit=limit,
        fits=fit_families(sample, FAMILIES) if sample else (),
        hill=hill_plot(column, limit=limit),
        over_time=over_time,
    )


def _skew(distinct: NDArray[np.uint32], counts: NDArray[np.int64], mean: float) -> float | None:
    deviations = distinct - mean
    variance = float(np.sum(counts * deviations**2) / np.sum(counts))
    third = float(np.sum(counts * deviations**3) / np.sum(counts))
    return third / variance**1.5 if len(distinct) > 1 else None


def _lorenz(
    distinct: NDArray[np.uint32], counts: NDArray[np.int64]
) -> tuple[tuple[float, ...], ...]:
    rows, tokens = np.cumsum(counts), np.cumsum(counts * distinct.astype(np.int64))
    if not tokens[-1]:
        return ()
    picks = np.searchsorted(rows, np.arange(1, LORENZ_POINTS + 1) * rows[-1] / LORENZ_POINTS)
    picks = np.unique(np.minimum(picks, len(rows) - 1))
    points = zip(
        (rows[picks] / rows[-1]).tolist(), (tokens[picks] / tokens[-1]).tolist(), strict=True
    )
    return ((0.0, 0.0), *points)


LENGTHS = Topic(
    name="lengths",
    about="prompt and output lengths",
    needs=(),
    facts=Lengths,
    measure=measure_lengths,
)
