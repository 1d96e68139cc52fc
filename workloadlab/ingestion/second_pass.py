"""The second pass: good rows to a trace in arrival order, without anybody's ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from workloadlab.trace import COLUMNS, Flag

if TYPE_CHECKING:
    from workloadlab.ingestion.first_pass import Staged

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


def finish(
    staged: Staged,
    *,
    source_format: str,
    block_size: int | None,
    keep_ids: bool,
    clock: str | None = None,
) -> pl.LazyFrame:
    """Return the trace's rows, in arrival order, first arrival at 0, ids replaced.

    An id becomes the ordinal of its first appearance (`s0`, `s1`, ...): the same log gives the same
    bytes, and there is no key that could be found or lost. Block ids become dense integers likewise.
    """
    ordered = frame = _ordered(staged)
    flags = pl.col("flags") if "flags" in staged.filled else pl.lit(0, pl.UInt32)
    made = {
        "row_id": pl.col("row_id"),
        "source_format": pl.lit(source_format),
        "arrival_ns": pl.col("arrival_ns") - staged.first_ns
        if staged.first_ns is not None
        else pl.lit(None, pl.Int64),
        "warmup": pl.lit(value=False),
        "flags": flags,
    }
    if "warmup" in staged.filled:
        made["warmup"] = pl.col("warmup").fill_null(value=False)
    for name, letter in ORDINAL.items():
        if name not in staged.filled or (keep_ids and name != "request_id"):
            continue
        frame, ordinal, again = _numbered(frame, ordered, name)
        if not keep_ids:
            made[name] = letter + ordinal.cast(pl.String)
        if name == "request_id":
            made["flags"] = pl.when(again).then(flags | int(Flag.DUPLICATE_ID)).otherwise(flags)
    if clock and "ttft_ns" in staged.filled:
        made["ttft_clock"] = pl.when(pl.col("ttft_ns").is_not_null()).then(pl.lit(clock))
    if "block_ids" in staged.filled:
        made["block_ids"] = _dense_blocks(ordered)
        made["block_size"] = pl.lit(block_size)
    return frame.select(
        made.get(name, pl.col(name)).cast(dtype).alias(name)
        for name, dtype in COLUMNS.items()
        if name in made or name in staged.filled
    )


def _ordered(staged: Staged) -> pl.LazyFrame:
    """Return the rows sorted: `row_id` numbers them in source order, `_POSITION` in this one."""
    rows = staged.rows().with_row_index("row_id")
    if not staged.in_order and "arrival_ns" in staged.filled:
        path = staged.folder / "ordered"
        rows.sort("arrival_ns", maintain_order=True).sink_parquet(
            path, compression="lz4", statistics=False
        )
        rows = pl.scan_parquet(path)
    return rows.with_row_index(_POSITION) if staged.filled & ORDINAL.keys() else rows


def _numbered(
    frame: pl.LazyFrame, ordered: pl.LazyFrame, name: str
) -> tuple[pl.LazyFrame, pl.Expr, pl.Expr]:
    """Give each distinct value of a column a number, in order of first appearance.

    Returns:
        The frame with what the expressions need; each row's number; whether an earlier row had it.
    """
    first, number = f"{name}_first", f"{name}_number"
    table = (
        ordered.filter(pl.col(name).is_not_null())
        .group_by(name)
        .agg(pl.col(_POSITION).min().alias(first))
        .sort(first)
        .with_row_index(number)
        .collect()
    )
    if table.height == ordered.select(pl.col(name).count()).collect().item():
        present = pl.col(name).is_not_null()
        return frame, pl.when(present).then(present.cum_sum() - 1), pl.lit(value=False)
    frame = frame.join(table.lazy(), on=name, how="left", maintain_order="left")
    return frame, pl.col(number), pl.col(first) < pl.col(_POSITION)


def _dense_blocks(ordered: pl.LazyFrame) -> pl.Expr:
    """Renumber block ids from 0 in order of first appearance."""
    dense = (
        ordered.select(pl.col("block_ids").explode(empty_as_null=False, keep_nulls=False))
        .unique(maintain_order=True)
        .collect()
        .to_series()
    )
    numbers = pl.int_range(dense.len(), dtype=pl.UInt64, eager=True)
    return pl.col("block_ids").list.eval(
        pl.element().replace_strict(dense, numbers, return_dtype=pl.UInt64)
    )
