"""Prompt and output lengths: each alone, and the two together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.measures import (
    average_ranks,
    correlation,
    sample_sd,
    spread_ranks,
)
from workloadlab.statistics import finite, quantiles
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.measured import Measured

__all__ = [
    "Density",
    "Joint",
    "LengthColumn",
    "Lengths",
    "MostFrequent",
    "gini",
    "measure_lengths",
    "top_share",
]

CURVE_POINTS = 200
KENDALL_ROWS = 50_000


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


@dataclass(frozen=True)
class Density:
    """Rows per cell of input by output, half-octave bins [edge, next edge).

    Attributes:
        counts: one row per input bin, one column per output bin.
    """

    input_edges: tuple[int, ...]
    output_edges: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Joint:
    """Input against output over the rows that record both; None where a side does not vary.

    Attributes:
        kendall: tau-b.
        kendall_rows: rows it was computed on: all, or 50,000 evenly spaced in arrival order.
        pearson_log: Pearson of the natural logs over the `pearson_log_rows` rows without a zero.
        input_output_ratio: sum of inputs / sum of outputs.
    """

    rows: int
    pearson: float | None
    spearman: float | None
    kendall: float | None
    kendall_rows: int
    pearson_log: float | None
    pearson_log_rows: int
    input_output_ratio: float | None
    density: Density


@dataclass(frozen=True)
class Lengths:
    """Prompt lengths, output lengths, and how they go together."""

    input: LengthColumn | Unsupported
    output: LengthColumn | Unsupported
    joint: Joint | Unsupported

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


def measure_lengths(requests: Measured) -> Lengths:
    """Measure token counts; what no row records is Unsupported, with the reason."""
    if requests.n == 0:
        none = Unsupported("the trace has no requests to measure")
        return Lengths(input=none, output=none, joint=none)
    inputs, recorded = requests.input_tokens, requests.output_recorded
    input_column = _measure_column(inputs, missing=0)
    if not recorded.any():
        none = Unsupported("no request records output_tokens")
        return Lengths(input=input_column, output=none, joint=none)
    complete = bool(recorded.all())
    outputs = requests.output_tokens if complete else requests.output_tokens[recorded]
    inputs = inputs if complete else inputs[recorded]
    return Lengths(
        input=input_column,
        output=_measure_column(outputs, missing=requests.n - len(outputs)),
        joint=_measure_joint(inputs, outputs),
    )


def gini(ascending: NDArray[np.integer]) -> float | None:
    """Return Gini's coefficient, sum((2 i - n - 1) x_i) / (n sum x) with i from 1; None for all 0.

    Example:
        >>> gini(np.array([0, 0, 0, 8])), gini(np.array([5, 5]))
        (0.75, 0.0)
    """
    n, total = len(ascending), int(ascending.sum(dtype=np.int64))
    if total == 0:
        return None
    weights = np.arange(1 - n, n, 2, dtype=np.float64)
    return max(0.0, float(np.sum(weights * ascending)) / (n * total))


def top_share(ascending: NDArray[np.integer], percent: int) -> float | None:
    """Return the share of the sum held by the largest n * percent // 100 values, at least one.

    The count is rounded down, so that it never holds more than the percentage named. None for
    a sum of 0.

    Example:
        >>> top_share(np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 11]), 10)
        0.55
    """
    total = int(ascending.sum(dtype=np.int64))
    top = max(1, len(ascending) * percent // 100)
    return int(ascending[-top:].sum(dtype=np.int64)) / total if total else None


def _measure_column(values: NDArray[np.uint32], *, missing: int) -> LengthColumn:
    ascending = np.sort(values)
    n, total = len(ascending), int(ascending.sum(dtype=np.int64))
    distinct, counts = np.unique(ascending, return_counts=True)
    commonest = int(counts.argmax())
    p25, p50, p75, p90, p95, p99 = quantiles(ascending, [0.25, 0.5, 0.75, 0.9, 0.95, 0.99])
    points = distinct
    if len(distinct) > CURVE_POINTS:
        points = np.unique(ascending[spread_ranks(n, CURVE_POINTS)])
    below = np.searchsorted(ascending, points, side="right") / n
    return LengthColumn(
        n=n,
        missing=missing,
        sum=total,
        mean=total / n,
        sd=sample_sd(ascending, total / n),
        min=int(ascending[0]),
        p25=p25,
        p50=p50,
        p75=p75,
        p90=p90,
        p95=p95,
        p99=p99,
        max=int(ascending[-1]),
        zeros=n - int(np.count_nonzero(ascending)),
        gini=gini(ascending),
        top1_token_share=top_share(ascending, 1),
        top10_token_share=top_share(ascending, 10),
        most_frequent=MostFrequent(
            value=int(distinct[commonest]),
            count=int(counts[commonest]),
            share=int(counts[commonest]) / n,
        ),
        cdf=tuple(zip(points.tolist(), below.tolist(), strict=True)),
    )


def _measure_joint(inputs: NDArray[np.uint32], outputs: NDArray[np.uint32]) -> Joint:
    output_sum = int(outputs.sum(dtype=np.int64))
    kendall, kendall_rows = _kendall(inputs, outputs)
    logged = (inputs > 0) & (outputs > 0)
    return Joint(
        rows=len(inputs),
        pearson=correlation(inputs, outputs),
        spearman=correlation(average_ranks(inputs), average_ranks(outputs)),
        kendall=kendall,
        kendall_rows=kendall_rows,
        pearson_log=correlation(np.log(inputs[logged]), np.log(outputs[logged])),
        pearson_log_rows=int(np.count_nonzero(logged)),
        input_output_ratio=int(inputs.sum(dtype=np.int64)) / output_sum if output_sum else None,
        density=_density(inputs, outputs),
    )


def _kendall(inputs: NDArray[np.uint32], outputs: NDArray[np.uint32]) -> tuple[float | None, int]:
    from scipy.stats import kendalltau

    n = len(inputs)
    if n > KENDALL_ROWS:
        rows = np.linspace(0, n - 1, KENDALL_ROWS).round().astype(np.int64)
        inputs, outputs = inputs[rows], outputs[rows]
    varies = inputs.min() < inputs.max() and outputs.min() < outputs.max()
    return finite(kendalltau(inputs, outputs).statistic) if varies else None, len(inputs)


def _density(inputs: NDArray[np.uint32], outputs: NDArray[np.uint32]) -> Density:
    input_edges, output_edges = _half_octaves(inputs), _half_octaves(outputs)
    columns = len(output_edges) - 1
    cells = (np.searchsorted(input_edges, inputs, side="right") - 1) * columns
    cells += np.searchsorted(output_edges, outputs, side="right") - 1
    counts = np.bincount(cells, minlength=(len(input_edges) - 1) * columns)
    return Density(
        input_edges=tuple(input_edges.tolist()),
        output_edges=tuple(output_edges.tolist()),
        counts=tuple(tuple(row) for row in counts.reshape(-1, columns).tolist()),
    )


def _half_octaves(values: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return integer edges 0, 1, 2, 3, 4, 6, 8, 12, 16, 23 ... that just enclose the values."""
    edges = np.array(sorted({0, *(math.ceil(2 ** (k / 2)) for k in range(66))}), dtype=np.int64)
    first = int(np.searchsorted(edges, values.min(), side="right")) - 1
    return edges[first : int(np.searchsorted(edges, values.max(), side="right")) + 1]
