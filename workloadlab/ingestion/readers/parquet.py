"""Parquet files as chunks of text columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError
from workloadlab.ingestion.readers.chunk import Chunk, Reading, inside
from workloadlab.ingestion.readers.packing import unbroken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloadlab.ingestion.inspect import Head

__all__ = ["as_text", "nested", "read_parquet"]

ROWS = 500_000


def read_parquet(head: Head, wanted: Mapping[str, pl.DataType]) -> Reading:
    """Read the wanted columns of a Parquet file as text.

    Raises:
        DataError: damaged, or block ids that are not lists of integers.
    """
    scan = pl.scan_parquet(head.path, glob=False)
    picked = scan.select(_picked(head, key, dtype).alias(key) for key, dtype in wanted.items())
    with unbroken(head.path):
        total = int(scan.select(pl.len()).collect().item())

    def parse(start: int) -> list[Chunk]:
        place = f"cannot be read at rows {start + 1} to {min(start + ROWS, total)}"
        plain = "write or fetch it again, or write the columns that are mapped as plain types"
        with unbroken(head.path, place, plain):
            frame = picked.slice(start, ROWS).collect()
        return [Chunk(frame)]

    return Reading(iter(range(0, total, ROWS)), parse)


def _picked(head: Head, key: str, dtype: pl.DataType) -> pl.Expr:
    """Return a key as text, or as a list of block ids; dots go into maps and JSON texts."""
    if key in head.paths:
        value, found = nested(head.paths[key]), head.types[key]
        if isinstance(dtype, pl.List):
            return _blocks(value, found, head, key)
        return as_text(value, found)
    cut = key.find(".")
    while cut > 0:
        start, rest = key[:cut], key[cut + 1 :]
        if start in head.paths:
            value, found = nested(head.paths[start]), head.types[start]
            if isinstance(found, pl.Map):
                return value.map.get(rest).cast(pl.String)
            if isinstance(found, pl.List) and isinstance(found.inner, pl.Struct):
                names = [each.name for each in found.inner.fields]
                name, content = names[0], names[-1]
                entry = pl.element().struct.field
                return (
                    value.list.eval(entry(content).filter(entry(name).cast(pl.String) == rest))
                    .list.first()
                    .cast(pl.String)
                )
            return inside(as_text(value, found), rest)
        cut = key.find(".", cut + 1)
    return pl.lit(None, pl.String)


def _blocks(value: pl.Expr, dtype: pl.DataType, head: Head, key: str) -> pl.Expr:
    if not (isinstance(dtype, pl.List) and dtype.inner.is_integer()):
        raise DataError(
            f"holds {dtype}, not lists of integers",
            where=f"{head.path}: column {key}",
            fix="map a column with one list of block ids per request",
        )
    inner = dtype.inner
    if inner in (pl.UInt64(), pl.UInt32(), pl.UInt16(), pl.UInt8()):
        return value.cast(pl.List(pl.UInt64))
    return value.list.eval(pl.element().cast(pl.Int64).reinterpret(signed=False))


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


def nested(where: tuple[str, ...]) -> pl.Expr:
    """Return the expression of a possibly nested field."""
    expression = pl.col(where[0])
    for name in where[1:]:
        expression = expression.struct.field(name)
    return expression
