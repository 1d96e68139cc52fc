"""A frame of somebody's own as the rows of a trace."""

from __future__ import annotations

from typing import Any

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.trace.bounds import check_numbers
from workloadlab.trace.schema import COLUMNS, GIVEN

__all__ = ["trace_rows"]


def trace_rows(frame: pl.DataFrame | pl.LazyFrame | Any, source_format: str) -> pl.LazyFrame:
    """Return the rows of a frame in the columns and the order of a trace.

    Raises:
        UsageError: no frame, a required column is missing, or an unknown one is present.
    """
    if not isinstance(frame, pl.DataFrame | pl.LazyFrame):
        frame = _from_pandas(frame)
    lazy = frame.lazy()
    names = lazy.collect_schema().names()
    for needed in GIVEN:
        if needed not in names:
            raise UsageError(
                f"the frame has no column {needed}; it has {', '.join(names)}",
                fix="a log with columns of its own is read by wl.ingest(frame, mapping=...)",
            )
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise UsageError(
            f"unknown columns {', '.join(unknown)}",
            fix=f"rename or drop them; a trace has {', '.join(COLUMNS)}",
        )
    check_numbers(lazy)
    defaults = {
        "source_format": pl.lit(source_format),
        "warmup": pl.lit(value=False),
        "flags": pl.lit(0),
    }
    if "row_id" not in names:
        lazy = lazy.with_row_index("row_id")
    lazy = lazy.with_columns(
        expression.alias(name) for name, expression in defaults.items() if name not in names
    )
    present = set(lazy.collect_schema().names())
    return lazy.select(
        pl.col(name).cast(dtype) for name, dtype in COLUMNS.items() if name in present
    ).sort("arrival_ns", "row_id")


def _from_pandas(frame: Any) -> pl.DataFrame:
    """Read a pandas frame, or refuse what is no frame."""
    try:
        return pl.from_pandas(frame)
    except (TypeError, ImportError):
        raise UsageError(
            f"the trace that was given is of type {type(frame).__name__}",
            fix="give a Trace, the path of one, or a frame of polars or pandas",
        ) from None
