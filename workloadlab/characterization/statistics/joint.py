"""Prompt lengths against output lengths."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.statistics.bands import Band, output_bands
from workloadlab.characterization.statistics.measures import average_ranks, correlation, evenly
from workloadlab.statistics import finite

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "HALF_OCTAVES",
    "KENDALL_ROWS",
    "Density",
    "Joint",
    "half_octaves",
    "joint_facts",
    "measure_joint",
]

KENDALL_ROWS = 50_000
HALF_OCTAVES = np.array(sorted({0, *(math.ceil(2 ** (k / 2)) for k in range(66))}), dtype=np.int64)
"""0, 1, 2, 3, 4, 6, 8, 12, 16, 23 ... tokens."""


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
    input_edges, output_edges = (
        half_octaves(inputs.min(), inputs.max()),
        half_octaves(outputs.min(), outputs.max()),
    )
    columns = len(output_edges) - 1
    cells = (np.searchsorted(input_edges, inputs, side="right") - 1) * columns
    cells += np.searchsorted(output_edges, outputs, side="right") - 1
    counts = np.bincount(cells, minlength=(len(input_edges) - 1) * columns)
    rows = evenly(len(inputs), KENDALL_ROWS)
    return joint_facts(
        rows=len(inputs),
        sums=(int(inputs.sum(dtype=np.int64)), int(outputs.sum(dtype=np.int64))),
        pearson=correlation(inputs, outputs),
        few=(inputs[rows], outputs[rows]),
        many=(inputs, outputs),
        density=Density(
            input_edges=tuple(input_edges.tolist()),
            output_edges=tuple(output_edges.tolist()),
            counts=tuple(tuple(row) for row in counts.reshape(-1, columns).tolist()),
        ),
    )


def joint_facts(
    *,
    rows: int,
    sums: tuple[int, int],
    pearson: float | None,
    few: tuple[NDArray[Any], NDArray[Any]],
    many: tuple[NDArray[Any], NDArray[Any]],
    density: Density,
) -> Joint:
    """Make the facts of two columns.

    Args:
        rows: that record both.
        sums: of the inputs, and of the outputs.
        pearson: their correlation.
        few: inputs and outputs of some of the rows, or all: for Kendall.
        many: likewise, for the rest.
        density: rows by both.
    """
    inputs, outputs = many
    logged = (inputs > 0) & (outputs > 0)
    return Joint(
        rows=rows,
        pearson=pearson,
        spearman=correlation(average_ranks(inputs), average_ranks(outputs)),
        kendall=_kendall(*few),
        kendall_rows=len(few[0]),
        pearson_log=correlation(np.log(inputs[logged]), np.log(outputs[logged])),
        pearson_log_rows=int(np.count_nonzero(logged)),
        input_output_ratio=sums[0] / sums[1] if sums[1] else None,
        density=density,
        output_by_input=output_bands(inputs, outputs),
    )


def _kendall(inputs: NDArray[Any], outputs: NDArray[Any]) -> float | None:
    from scipy.stats import kendalltau

    varies = inputs.min() < inputs.max() and outputs.min() < outputs.max()
    return finite(kendalltau(inputs, outputs).statistic) if varies else None


def half_octaves(least: int, most: int) -> NDArray[np.int64]:
    """Return the half octaves that just enclose what lies between two numbers."""
    first = int(np.searchsorted(HALF_OCTAVES, least, side="right")) - 1
    return HALF_OCTAVES[first : int(np.searchsorted(HALF_OCTAVES, most, side="right")) + 1]
