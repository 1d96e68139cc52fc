"""Parquet files as chunks of text columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError
from workloadlab.ingestion.inspect import nested
from workloadlab.ingestion.readers.chunk import Chunk, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloadlab.ingestion.inspect import Head

__all__ = ["read_parquet"]

ROWS = 500_000


def read_parquet(head: Head, wanted: Mapping[str, pl.DataType]) -> Reading:
    """Read the wanted columns of a Parquet file as text.

    Raises:
        DataError: damaged, or block ids that are not lists of integers.
    """
    scan = pl.scan_parquet(head.path, glob=False)
    schema = scan.select(nested(head.paths[key]).alias(key) for key in wanted).collect_schema()
    picked = scan.select(
        _as_text(nested(head.paths[key]), schema[key], head, key, lists=isinstance(dtype, pl.List))
        for key, dtype in wanted.items()
    )
    total = int(scan.select(pl.len()).collect().item())

    def parse(start: int) -> list[Chunk]:
        try:
            frame = picked.slice(start, ROWS).collect()
        except pl.exceptions.PolarsError as error:
            raise DataError(
                f"is damaged Parquet (rows {start + 1} to {min(start + ROWS, total)})",
                where=str(head.path),
                fix="write or fetch it again",
            ) from error
        return [Chunk(frame)]

    return Reading(iter(range(0, total, ROWS)), parse)


def _as_text(value: pl.Expr, dtype: pl.DataType, head: Head, key: str, *, lists: bool) -> pl.Expr:
    if lists:
        if not (isinstance(dtype, pl.List) and dtype.inner.is_integer()):
            raise DataError(
                f"holds {dtype}, not lists of integers",
                where=f"{head.path}: column {key}",
                fix="map a column with one list of block ids per request",
            )
        wrapped = pl.element().cast(pl.Int128) % 2**64
        return value.list.eval(wrapped.cast(pl.UInt64)).alias(key)
    if isinstance(dtype, pl.Datetime):
        zone = "Z" if dtype.time_zone else ""
        utc = value.dt.convert_time_zone("UTC") if zone else value
        return utc.dt.to_string(f"%Y-%m-%dT%H:%M:%S%.9f{zone}").alias(key)
    return value.cast(pl.String).alias(key)
