"""Reasoning tokens: the part of the output that the user does not read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.rows import read_columns
from workloadlab.statistics import quantiles

if TYPE_CHECKING:
    from workloadlab.trace import Trace

__all__ = ["Reasoning", "measure_reasoning"]


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
    p50, p90, p99 = quantiles(thought, [0.5, 0.9, 0.99])
    total = int(output.sum())
    return Reasoning(
        n=len(thought),
        sum=int(thought.sum()),
        mean=int(thought.sum()) / len(thought),
        p50=p50,
        p90=p90,
        p99=p99,
        max=int(thought.max()),
        without_reasoning=int(np.count_nonzero(thought == 0)),
        share_of_output=int(thought.sum()) / total if total else None,
        ratio_histogram=tuple(np.histogram(ratios, bins=10, range=(0, 1))[0].tolist()),
    )
