"""The conditions by which the rows of a trace are filtered."""

from __future__ import annotations

from typing import Any

import polars as pl

from workloadlab.arguments import members
from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean

__all__ = ["conditions"]


def conditions(schema: pl.Schema, predicates: Any, values: dict[str, Any]) -> list[pl.Expr]:
    """Return conditions that rows of a schema can be held against.

    Args:
        schema: of the rows.
        predicates: expressions over its columns.
        values: a column and the value that it has, or a list of such values.

    Raises:
        UsageError: another column, no expression, or a value that its column cannot have.

    Example:
        >>> conditions(pl.Schema({"tokens": pl.UInt32()}), (), {"tokens": "many"})
        Traceback (most recent call last):
        workloadlab.errors.UsageError: polars refuses it: cannot compare string with numeric type (u32)
          fix: compare columns with values of their types
    """
    given = members("predicates", predicates, pl.Expr)
    for name in [*(each for one in given for each in one.meta.root_names()), *values]:
        if name not in schema:
            raise UsageError(f"the trace has no column {name!r}", fix=did_you_mean(name, schema))
    try:
        found = given + [
            pl.col(name).is_in(value) if isinstance(value, list | tuple) else pl.col(name) == value
            for name, value in values.items()
        ]
        pl.DataFrame(schema=schema).filter(*found)
    except (TypeError, pl.exceptions.PolarsError) as error:
        first = str(error).strip().split("\n", 1)[0]
        raise UsageError(
            f"polars refuses it: {first}", fix="compare columns with values of their types"
        ) from None
    return found
