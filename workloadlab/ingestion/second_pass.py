"""The second pass: good rows to a trace in arrival order, without anybody's ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.errors import MachineError
from workloadlab.ingestion.numbers import ORDINAL, Numbers
from workloadlab.ingestion.rows import chained_blocks
from workloadlab.ingestion.sorting import sorted_rows
from workloadlab.sizes import allowed_bytes, bytes_words
from workloadlab.trace import COLUMNS, Flag

if TYPE_CHECKING:
    from workloadlab.ingestion.first_pass import Staged

__all__ = ["finish", "in_order"]

_POSITION = "__position"
SOME = 10_000
"""Ids by which it is told at once that some are equal."""

ID_BYTES = 120
"""Of a distinct id while it is numbered: measured at 8 and 20 million."""

BLOCK_BYTES = 56
"""Of a block id, distinct or not: measured at 16 and 48 million."""


def finish(
    staged: Staged,
    ordered: pl.LazyFrame,
    *,
    source_format: str,
    block_size: int | None,
    keep_ids: bool,
    clock: str | None = None,
    local_blocks: bool = False,
    origin_ns: int | None = None,
    rows_before: int = 0,
    numbers: Numbers | None = None,
    memory_limit: float | None = None,
) -> pl.LazyFrame:
    """Return the trace's rows, in arrival order, first arrival at 0, ids replaced.

    An id becomes the ordinal of its first appearance (`s0`, `s1`, ...): the same log gives the same
    bytes, and there is no key that could be found or lost. Block ids become dense integers likewise.

    Args:
        staged: the good rows.
        ordered: they, in order of arrival, from `in_order`.
        source_format: name of the log format.
        block_size: tokens per block id.
        keep_ids: keep ids as they are.
        clock: whose clock measured.
        local_blocks: whether a block id means something within its session only.
        origin_ns: what arrivals are counted from; None for the first.
        rows_before: requests that came before in a trace that grows.
        numbers: the numbers that earlier logs gave to ids.
        memory_limit: bytes that ids may take; None for all that this machine or container has.

    Raises:
        MachineError: more ids than memory holds.
        UsageError: the limit is no number of bytes.
    """
    named = [
        name
        for name in ORDINAL
        if name in staged.filled and not (keep_ids and name != "request_id")
    ]
    _refuse_more_ids(staged, ordered, named, memory_limit)
    numbers = numbers or Numbers()
    if origin_ns is None:
        origin_ns = staged.first_ns
    frame = ordered
    schema = ordered.collect_schema()
    flags = pl.col("flags") if "flags" in staged.filled else pl.lit(0, pl.UInt32)
    made = {
        "row_id": pl.col("row_id") + rows_before,
        "source_format": pl.lit(source_format),
        "arrival_ns": pl.col("arrival_ns") - origin_ns
        if origin_ns is not None
        else pl.lit(None, pl.Int64),
        "warmup": pl.lit(value=False),
        "flags": flags,
    }
    if "warmup" in staged.filled:
        made["warmup"] = pl.col("warmup").fill_null(value=False)
    for name in named:
        held = (
            not staged.spilled and schema[name] == pl.String
        )  # not spilled before a join of lines
        number = _coded if held else _numbered
        frame, ordinal, again = number(frame, ordered, name, ORDINAL[name], numbers)
        if not keep_ids:
            made[name] = ordinal
        if name == "request_id":
            made["flags"] = pl.when(again).then(flags | int(Flag.DUPLICATE_ID)).otherwise(flags)
    if clock and "ttft_ns" in staged.filled:
        made["ttft_clock"] = pl.when(pl.col("ttft_ns").is_not_null()).then(pl.lit(clock))
    if "block_ids" in staged.filled:
        local = local_blocks and "session_id" in staged.filled
        lists = ordered.select("block_ids", *(["session_id"] if local else [])).collect()
        chained = chained_blocks(lists, local=local)["block_ids"]
        dense = numbers.dense("block_ids", chained).to_frame().lazy()
        frame = pl.concat([frame.drop("block_ids"), dense], how="horizontal")
        made["block_size"] = pl.lit(block_size)
    return frame.select(
        made.get(name, pl.col(name)).cast(dtype).alias(name)
        for name, dtype in COLUMNS.items()
        if name in made or name in staged.filled
    )


def in_order(staged: Staged) -> pl.LazyFrame:
    """Return the rows sorted: `row_id` numbers them in source order, `_POSITION` in this one."""
    if staged.in_order or "arrival_ns" not in staged.filled:
        rows = staged.rows().with_row_index("row_id")
    else:
        rows = sorted_rows(staged)
    return rows.with_row_index(_POSITION) if staged.filled & ORDINAL.keys() else rows


def _refuse_more_ids(
    staged: Staged, ordered: pl.LazyFrame, names: list[str], limit: float | None
) -> None:
    """Refuse to number more ids than memory holds; everything else of a row is streamed.

    They are counted only where the size of the rows leaves room for too many.
    """
    allowed = allowed_bytes(limit)
    lists = "block_ids" in staged.filled
    blocks = (staged.held_bytes + staged.spilled_bytes) // 8 if lists else 0
    if staged.written * len(names) * ID_BYTES + blocks * BLOCK_BYTES <= allowed:
        return
    counts = ordered.select(
        *(pl.col(name).approx_n_unique() for name in names),
        *([pl.col("block_ids").list.len().sum()] if lists else []),
    ).collect().row(0, named=True)  # fmt: skip
    needed = sum(
        count * (BLOCK_BYTES if name == "block_ids" else ID_BYTES) for name, count in counts.items()
    )
    if needed <= allowed:
        return
    most = max(counts, key=lambda name: counts[name])
    raise MachineError(
        f"numbering {counts[most]:,} ids in {most} takes all ids to about {bytes_words(needed)}, "
        f"and they may use {bytes_words(allowed)}",
        fix=f"allow more with --memory-limit, or leave them out: --map {most}=",
    )


def _numbered(
    frame: pl.LazyFrame, ordered: pl.LazyFrame, name: str, letter: str, numbers: Numbers
) -> tuple[pl.LazyFrame, pl.Expr, pl.Expr]:
    """Give each distinct value of a column an ordinal, in order of first appearance.

    Returns:
        The frame with what the expressions need; each row's ordinal; whether an earlier row had it.
    """
    if not numbers.kept and (counted := _counted(ordered, name, letter)):
        return frame, *counted
    ids = ordered.filter(pl.col(name).is_not_null()).select(id=name, first=_POSITION)
    firsts = ids.unique("id", keep="first", maintain_order=True).collect()
    table = numbers.number(name, firsts).select(
        pl.col("id").alias(name),
        pl.col("first").alias(f"{name}_first"),
        (letter + pl.col("number").cast(pl.String)).alias(f"{name}_ordinal"),
    )
    found = ordered.select(name).join(
        table.lazy(), on=name, how="left", maintain_order="left"
    )  # of the ids alone: a join copies all columns of a row
    frame = pl.concat([frame, found.drop(name)], how="horizontal")
    return frame, pl.col(f"{name}_ordinal"), pl.col(f"{name}_first") < pl.col(_POSITION)


def _coded(
    frame: pl.LazyFrame, ordered: pl.LazyFrame, name: str, letter: str, numbers: Numbers
) -> tuple[pl.LazyFrame, pl.Expr, pl.Expr]:
    """Do the same with ids in memory: a code for each takes a third of the time of a join."""
    if not numbers.kept and (counted := _counted(ordered, name, letter)):
        return frame, *counted
    coded = ordered.select(name).collect().to_series().to_arrow().dictionary_encode()
    codes = pl.Series(f"{name}_code", coded.indices, dtype=pl.UInt32)
    places = codes.is_not_null().arg_true().to_numpy()[::-1]
    first = np.empty(len(coded.dictionary), np.uint32)
    first[codes.drop_nulls().to_numpy()[::-1]] = places  # the earliest is written last
    names = pl.Series("id", coded.dictionary, dtype=pl.String)
    table = numbers.number(name, names.to_frame().with_columns(first=first))
    made = pl.DataFrame(
        {
            f"{name}_ordinal": (letter + table["number"].cast(pl.String)).gather(codes),
            f"{name}_first": table["first"].gather(codes),
        }
    )
    frame = pl.concat([frame, made.lazy()], how="horizontal")
    return frame, pl.col(f"{name}_ordinal"), pl.col(f"{name}_first") < pl.col(_POSITION)


def _counted(ordered: pl.LazyFrame, name: str, letter: str) -> tuple[pl.Expr, pl.Expr] | None:
    """Return ordinals that count the rows where no two ids are equal."""
    ids = ordered.filter(pl.col(name).is_not_null()).select(pl.col(name).hash().alias("hash"))
    for part in (ids.head(SOME), ids):
        hashes, rows = part.select(pl.col("hash").n_unique(), rows=pl.len()).collect().row(0)
        if hashes < rows:
            return None
    present = pl.col(name).is_not_null()
    counted = letter + (present.cum_sum() - 1).cast(pl.String)
    return pl.when(present).then(counted), pl.lit(value=False)
