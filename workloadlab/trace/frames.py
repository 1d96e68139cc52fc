"""A frame of somebody's own as the rows of a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.arguments import shown
from workloadlab.errors import UsageError
from workloadlab.trace.bounds import check_numbers
from workloadlab.trace.schema import COLUMNS, GIVEN

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["frame_of", "pandas_frame", "trace_rows"]


def frame_of(requests: Iterable[tuple[float, int, int | None]]) -> pl.DataFrame:
    """Return requests that are written out by hand as a frame.

    Raises:
        UsageError: they are not three numbers each.
    """
    schema = {name: COLUMNS[name] for name in (*GIVEN, "output_tokens")}
    try:
        rows = [(round(arrival_s * 1e9), *lengths) for arrival_s, *lengths in requests]
        return pl.DataFrame(rows, schema, orient="row")
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        raise UsageError(
            f"requests = {shown(requests)} holds no triples of numbers",
            fix="write [(arrival in s, prompt tokens, output tokens), ...]",
        ) from None


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


def pandas_frame(frame: pl.DataFrame) -> Any:
    """Return a frame of polars as one of pandas.

    Raises:
        UsageError: pandas is not installed.
    """
    try:
        return frame.to_pandas()
    except ImportError:
        raise UsageError("pandas is not installed", fix="pip install pandas") from None
