"""The rows that statistics cover, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.trace import COLUMNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.trace import Trace

__all__ = ["MEASURED", "Measured", "read_columns", "read_measured"]

MEASURED = ~pl.col("warmup").fill_null(value=False)
"""What makes a row count: it is no warm-up request."""


@dataclass(frozen=True)
class Measured:
    """Requests in arrival order, warm-up rows left out.

    Attributes:
        arrival_ns: int64, ascending.
        input_tokens: uint32.
        output_tokens: uint32; 0 where not recorded.
        output_recorded: bool, which outputs are recorded.
        inversions: rows of the trace that arrive before the row above them; 0 in a valid trace.
    """

    arrival_ns: NDArray[np.int64]
    input_tokens: NDArray[np.uint32]
    output_tokens: NDArray[np.uint32]
    output_recorded: NDArray[np.bool_]
    inversions: int

    @property
    def n(self) -> int:
        """Number of requests."""
        return len(self.arrival_ns)

    @property
    def span_ns(self) -> int:
        """Nanoseconds from the first to the last arrival."""
        return int(self.arrival_ns[-1] - self.arrival_ns[0]) if self.n else 0


def read_measured(trace: Trace) -> Measured:
    """Read the columns that the topics on arrivals and lengths need."""
    output = pl.col("output_tokens") if "output_tokens" in trace.columns else pl.lit(None)
    frame = (
        trace.frame.filter(MEASURED)
        .select(
            "arrival_ns",
            "input_tokens",
            output_tokens=output.cast(pl.UInt32).fill_null(0),
            output_recorded=output.is_not_null(),
        )
        .collect()
    )
    arrival, inputs, outputs, recorded = (column.to_numpy() for column in frame.get_columns())
    inversions = int(np.count_nonzero(arrival[1:] < arrival[:-1]))
    if inversions:
        order = np.argsort(arrival, kind="stable")
        arrival, inputs, outputs, recorded = (
            a[order] for a in (arrival, inputs, outputs, recorded)
        )
    return Measured(arrival, inputs, outputs, recorded, inversions)


def read_columns(trace: Trace, *columns: str) -> pl.DataFrame:
    """Read columns of the measured rows in order of arrival; absent ones come back as nulls."""
    rows = (
        trace.frame.filter(MEASURED)
        .select(
            pl.col(name) if name in trace.columns else pl.lit(None, COLUMNS[name]).alias(name)
            for name in dict.fromkeys(("arrival_ns", *columns))
        )
        .collect()
    )
    return rows if rows["arrival_ns"].is_sorted() else rows.sort("arrival_ns", maintain_order=True)
