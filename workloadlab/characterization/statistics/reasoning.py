"""Reasoning tokens: the part of the output that the user does not read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.frequencies import Frequencies
from workloadlab.characterization.rows import read_columns

if TYPE_CHECKING:
    from workloadlab.trace import Trace

__all__ = ["Reasoning", "measure_reasoning", "reasoning_of"]


@dataclass(frozen=True)
class Reasoning:
    """Reasoning tokens over the rows that record them and the output.

    Attributes:
        share_of_output: sum of reasoning tokens / sum of output tokens.
        ratio_histogram: rows by reasoning / output in ten equal bins, the last closed; rows without
            output are left out.
    """

    n: int
    sum: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: int
    without_reasoning: int
    share_of_output: float | None
    ratio_histogram: tuple[int, ...]


def measure_reasoning(trace: Trace) -> Reasoning | Unsupported:
    """Measure reasoning_tokens; Unsupported where no request records them."""
    if not trace.has("reasoning_tokens", "output_tokens"):
        return Unsupported("no request records reasoning_tokens")
    rows = read_columns(trace, "reasoning_tokens", "output_tokens").drop_nulls(
        ["reasoning_tokens", "output_tokens"]
    )
    if not len(rows):
        return Unsupported("no measured request records reasoning_tokens")
    thought = rows["reasoning_tokens"].cast(pl.Int64).to_numpy()
    output = rows["output_tokens"].cast(pl.Int64).to_numpy()
    said = output > 0
    ratios = np.clip(thought[said] / output[said], 0.0, 1.0)
    histogram = np.histogram(ratios, bins=10, range=(0, 1))[0]
    return reasoning_of(Frequencies.of(thought), int(output.sum()), histogram.tolist())


def reasoning_of(thought: Frequencies, output: int, histogram: list[int]) -> Reasoning:
    """Make the facts of reasoning tokens.

    Args:
        thought: the reasoning tokens.
        output: sum of the output tokens of the same rows.
        histogram: rows by their ratio.
    """
    p50, p90, p99 = thought.quantiles([0.5, 0.9, 0.99])
    total = int(thought.total)
    return Reasoning(
        n=thought.n,
        sum=total,
        mean=total / thought.n,
        p50=p50,
        p90=p90,
        p99=p99,
        max=int(thought.values[-1]),
        without_reasoning=int(thought.counts[0]) if thought.values[0] == 0 else 0,
        share_of_output=total / output if output else None,
        ratio_histogram=tuple(histogram),
    )
