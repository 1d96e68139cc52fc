"""Parquet files as chunks of columns of numbers, times and text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError
from workloadlab.ingestion.parsing.text import as_text, is_plain
from workloadlab.ingestion.readers.chunk import Chunk, Reading, inside
from workloadlab.ingestion.readers.packing import unbroken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloadlab.ingestion.head import Head

__all__ = ["nested", "read_parquet"]

ROWS = 500_000


def read_parquet(head: Head, wanted: Mapping[str, pl.DataType]) -> Reading:
    """Read the wanted columns of a Parquet file: plain ones as they are, others as text.

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
    """Return a key plain, as text, or as a list of block ids; dots go into maps and JSON texts."""
    if key in head.paths:
        value, found = nested(head.paths[key]), head.types[key]
        if isinstance(dtype, pl.List):
            return _blocks(value, found, head, key)
        return value if is_plain(found) else as_text(value, found)
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


def nested(where: tuple[str, ...]) -> pl.Expr:
    """Return the expression of a possibly nested field."""
    expression = pl.col(where[0])
    for name in where[1:]:
        expression = expression.struct.field(name)
    return expression
