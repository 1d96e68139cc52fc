"""Rows in order of arrival, however many there are: a stretch of time after another is sorted."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.ingestion.first_pass import Staged

__all__ = ["sorted_rows"]

STRETCH_BYTES = 64 << 20
"""Rows of a stretch, in memory."""


def sorted_rows(staged: Staged) -> pl.LazyFrame:
    """Return the rows in order of arrival, ties in source order, which `row_id` numbers.

    What fits in memory is sorted there. Of more, the arrivals that were sampled say where to cut time
    so that each stretch fits; each is read from the files that reach into it, sorted, and written.
    """
    if not staged.spilled:
        rows = pl.concat(staged.held, how="diagonal").with_row_index("row_id")
        return rows.sort("arrival_ns", maintain_order=True).lazy()
    arrival = pl.col("arrival_ns")
    made: list[Path] = []
    numbered, spans, start = [], [], 0
    for path in staged.files():
        count, first, last = pl.scan_parquet(path).select(
            pl.len(), first=arrival.min(), last=arrival.max()
        ).collect().row(0)  # fmt: skip
        numbered.append(pl.scan_parquet(path, row_index_name="row_id", row_index_offset=start))
        spans.append((first, last))
        start += count
    wanted = [[rows.filter(arrival.is_null()) for rows in numbered]]
    for low, high in _stretches(staged):
        wanted.append(
            [
                rows.filter(arrival.is_between(low, high))
                for rows, (first, last) in zip(numbered, spans, strict=True)
                if first is not None and first <= high and last >= low
            ]
        )
    for parts in filter(None, wanted):
        rows = pl.concat(parts, how="diagonal").collect().sort("arrival_ns", maintain_order=True)
        made.append(staged.folder / f"sorted-{len(made):06}.parquet")
        rows.write_parquet(made[-1], compression="lz4", statistics=False)
    return pl.concat([pl.scan_parquet(path) for path in made], how="diagonal")


def _stretches(staged: Staged) -> list[tuple[int, int]]:
    """Cut time so that each stretch holds about as many rows as fit."""
    arrival = staged.sampled.table()["arrival_ns"].drop_nulls()
    count = -(-staged.spilled_bytes // STRETCH_BYTES)
    cuts = {int(arrival.quantile(n / count, "nearest") or 0) for n in range(1, count)}
    edges = [-(2**63), *sorted(cuts), 2**63 - 1]
    return [(low, high - 1) for low, high in pairwise(edges)]
