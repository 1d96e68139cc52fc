"""The numbers that a trace may hold, in one place: within them no sum of a replay overflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError
from workloadlab.trace.schema import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MOST_S", "MOST_TOKENS", "check_numbers"]

MOST_TOKENS = 1_000_000_000
"""Of one request, in or out."""

_BITS: dict[pl.DataType, int] = {
    pl.Int16(): 16, pl.UInt16(): 16, pl.UInt32(): 32, pl.UInt64(): 64
}  # fmt: skip

MOST_NS = 2**62
MOST_S = MOST_NS / 1e9
"""From the trace's t0, and of any duration: 146 years."""


def check_numbers(
    frame: pl.DataFrame | pl.LazyFrame, names: Sequence[str] = tuple(COLUMNS)
) -> None:
    """Refuse numbers that a trace cannot hold.

    Args:
        frame: rows with columns of a trace, of whatever numeric types.
        names: the columns to look at; absent ones are passed over.

    Raises:
        DataError: a number is no whole one, negative or beyond its bound; names row, column and value.

    Example:
        >>> check_numbers(pl.DataFrame({"input_tokens": [5, -3]}))
        Traceback (most recent call last):
        ...
        workloadlab.errors.DataError: row 2, column input_tokens: -3 is not a whole number from 0 to ...
    """
    schema = frame.lazy().collect_schema()
    numeric = [
        n for n in names if n in schema and schema[n].is_numeric() and COLUMNS[n].is_integer()
    ]
    bad = {name: _bad(name, schema[name]) for name in numeric}
    if not bad:
        return
    rows = frame.lazy().select(expr.any().alias(name) for name, expr in bad.items()).collect()
    for name in numeric:
        if rows[name].item():
            found = frame.lazy().with_row_index("_row").filter(bad[name]).select("_row", name)
            row, value = found.head(1).collect().row(0)
            low, high = _range(name)
            raise DataError(
                f"{value} is not a whole number from {low:,} to {high:,}",
                where=f"row {row + 1}, column {name}",
                fix="mend the value, or write null where it is not known",
            )


def _bad(name: str, dtype: pl.DataType) -> pl.Expr:
    low, high = _range(name)
    column = pl.col(name)
    outside = (column < low) | (column > high)
    if dtype.is_float():
        outside = outside | ~column.is_finite() | (column != column.round())
    return outside.fill_null(value=False)


def _range(name: str) -> tuple[int, int]:
    """Return the least and the largest value of an integer column."""
    if name.endswith("_ns"):
        return -MOST_NS, MOST_NS
    if name.endswith("_tokens"):
        return 0, MOST_TOKENS
    dtype = COLUMNS[name]
    bits = _BITS[dtype]
    if dtype.is_unsigned_integer():
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
