"""The second pass: staged chunks to a trace in arrival order, without anybody's ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from workloadlab.trace import COLUMNS, Flag

if TYPE_CHECKING:
    from workloadlab.ingestion.stage import Staged

__all__ = ["finish"]

ORDINAL = {
    "request_id": "r",
    "session_id": "s",
    "tenant_id": "t",
    "client_id": "c",
    "instance_id": "i",
}
"""Columns that name somebody or something, and the letter of the ordinals that replace them."""

_POSITION = "__position"
_FIRST = "__first"


def finish(
    staged: Staged, *, source_format: str, block_size: int | None, keep_ids: bool
) -> pl.LazyFrame:
    """Return the trace's rows, in arrival order, first arrival at 0, ids replaced.

    An id becomes the ordinal of its first appearance (`s0`, `s1`, ...): the same log gives the same
    bytes, and there is no key that could be found or lost. Block ids become dense integers likewise.
    """
    frame = _ordered(staged)
    flags = pl.col("flags") if "flags" in frame.collect_schema() else pl.lit(0, pl.UInt32)
    named = [name for name in ORDINAL if name in staged.filled]
    if "request_id" in named or (named and not keep_ids):
        frame = frame.with_row_index(_POSITION)
    for name in named:
        if name == "request_id" or not keep_ids:
            first = _first_appearances(frame, name)
            frame = frame.join(first, on=name, how="left", maintain_order="left")
        if name == "request_id":
            again = (pl.col(_FIRST) < pl.col(_POSITION)).fill_null(value=False)
            flags = pl.when(again).then(flags | int(Flag.DUPLICATE_ID)).otherwise(flags)
            frame = frame.with_columns(flags=flags)
            flags = pl.col("flags")
        if not keep_ids:
            frame = frame.with_columns(pl.col(f"{name}_ordinal").alias(name))
        frame = frame.drop(_FIRST, f"{name}_ordinal", strict=False)
    if "block_ids" in staged.filled:
        frame = frame.with_columns(_dense_blocks(frame), block_size=pl.lit(block_size, pl.UInt16))
    filled = staged.filled | ({"block_size"} if "block_ids" in staged.filled else set())
    made = {
        "source_format": pl.lit(source_format),
        "arrival_ns": pl.col("arrival_ns") - staged.first_ns,
        "warmup": pl.col("warmup").fill_null(value=False)
        if "warmup" in filled
        else pl.lit(value=False),
        "flags": flags,
    }
    return frame.select(
        made.get(name, pl.col(name)).cast(dtype).alias(name)
        for name, dtype in COLUMNS.items()
        if name in made or name in filled
    )


def _ordered(staged: Staged) -> pl.LazyFrame:
    chunks = pl.scan_parquet(staged.folder / "*.parquet")
    if staged.in_order:
        return chunks
    path = staged.folder / "ordered"
    chunks.sort("arrival_ns", "row_id").sink_parquet(
        path, compression="uncompressed", statistics=False
    )
    return pl.scan_parquet(path)


def _first_appearances(frame: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """Table of (id, position of its first row, ordinal)."""
    return (
        frame.select(name, _POSITION)
        .filter(pl.col(name).is_not_null())
        .group_by(name)
        .agg(pl.col(_POSITION).min().alias(_FIRST))
        .sort(_FIRST)
        .with_row_index("__ordinal")
        .select(
            name,
            _FIRST,
            (ORDINAL[name] + pl.col("__ordinal").cast(pl.String)).alias(f"{name}_ordinal"),
        )
    )


def _dense_blocks(frame: pl.LazyFrame) -> pl.Expr:
    """Renumber block ids from 0 in order of first appearance."""
    dense = (
        frame.select(pl.col("block_ids").explode(empty_as_null=False, keep_nulls=False))
        .with_row_index(_POSITION)
        .group_by("block_ids")
        .agg(pl.col(_POSITION).min())
        .sort(_POSITION)
        .select("block_ids")
        .collect()
        .to_series()
    )
    numbers = pl.int_range(dense.len(), dtype=pl.UInt64, eager=True)
    return pl.col("block_ids").list.eval(
        pl.element().replace_strict(dense, numbers, return_dtype=pl.UInt64)
    )
