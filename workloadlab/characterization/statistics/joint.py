"""Prompt lengths against output lengths."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.statistics.bands import Band, output_bands
from workloadlab.characterization.statistics.measures import average_ranks, correlation
from workloadlab.statistics import finite

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Density", "Joint", "measure_joint"]

KENDALL_ROWS = 50_000


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
        output_by_input: quantiles of the output by tenths of the input.
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
    output_by_input: tuple[Band, ...]


def measure_joint(inputs: NDArray[np.uint32], outputs: NDArray[np.uint32]) -> Joint:
    """Measure how the lengths of the same requests, one at least, go together."""
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
        output_by_input=output_bands(inputs, outputs),
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
