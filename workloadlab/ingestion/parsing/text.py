"""Typed columns, as Parquet has them: which are read as they are, and all of them as text."""

from __future__ import annotations

import polars as pl

__all__ = ["as_text", "is_plain", "texts"]

_NUMBERS = {pl.Float64, pl.Int64, pl.Int32, pl.Int16, pl.Int8, pl.UInt32, pl.UInt16, pl.UInt8}


def is_plain(dtype: pl.DataType) -> bool:
    """Say whether numbers and times are read from columns of this type without a way through text.

    Example:
        >>> is_plain(pl.Float64()), is_plain(pl.Decimal(9, 2))
        (True, False)
    """
    return isinstance(dtype, pl.Datetime) or dtype in _NUMBERS


def texts(values: pl.Series) -> pl.Series:
    """Return the values of a plain column as text."""
    if values.dtype == pl.String:
        return values
    return pl.select(as_text(pl.lit(values), values.dtype)).to_series()


def as_text(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return a column as the text that a CSV file would hold; a duration in seconds."""
    if isinstance(dtype, pl.Datetime):
        zone = "Z" if dtype.time_zone else ""
        utc = value.dt.convert_time_zone("UTC") if zone else value
        return utc.dt.to_string(f"%Y-%m-%dT%H:%M:%S%.9f{zone}")
    if isinstance(dtype, pl.Duration):
        return value.dt.total_nanoseconds().cast(pl.String) + "ns"
    if isinstance(dtype, pl.Map):
        names, contents = value.map.keys(), value.map.values().cast(pl.List(pl.String))
        return pl.struct(names.alias("key"), contents.alias("value")).struct.json_encode()
    if dtype == pl.Binary():
        return value.cast(pl.String, strict=False)
    if isinstance(dtype, pl.List | pl.Array):
        listed = value.cast(pl.List(pl.String)) if not _deep(dtype) else None
        if listed is None:
            return pl.lit(None, pl.String)
        return pl.when(value.is_not_null()).then("[" + listed.list.join(",") + "]")
    return value.cast(pl.String)


def _deep(dtype: pl.DataType) -> bool:
    inner = dtype.inner  # type: ignore[attr-defined]
    return isinstance(inner, pl.List | pl.Struct | pl.Array)
