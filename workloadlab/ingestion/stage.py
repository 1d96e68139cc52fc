"""The first pass: logs to chunks of trace rows on disk, in source order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.errors import DataError
from workloadlab.ingestion.chunks import REJECTS, Chunk
from workloadlab.ingestion.csv_rows import read_csv
from workloadlab.ingestion.json_rows import read_jsonl
from workloadlab.ingestion.parquet_rows import read_parquet
from workloadlab.ingestion.refine import refine, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from workloadlab.ingestion.formats import Column
    from workloadlab.ingestion.heads import Head

__all__ = ["Staged", "stage"]

READERS: dict[str, Callable[[Head, Mapping[str, pl.DataType]], Iterator[Chunk]]] = {
    "csv": read_csv,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}


@dataclass
class Staged:
    """What the first pass found.

    Attributes:
        folder: where its chunks lie, in name order.
        rows_by_file: rows read from each file, bad ones included.
        written: rows that are good.
        rejects: the bad ones; columns of `REJECTS`.
        repaired: values set to null, by reason.
        filled: columns with at least one value.
        first_ns: the earliest arrival.
        naive: whether a datetime without a zone was taken as UTC.
        spans: first and last arrival of each chunk; None for one that is not sorted.
    """

    folder: Path
    rows_by_file: list[int] = field(default_factory=list)
    written: int = 0
    rejects: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REJECTS))
    repaired: Counter[str] = field(default_factory=Counter)
    filled: set[str] = field(default_factory=set)
    first_ns: int | None = None
    naive: bool = False
    spans: list[tuple[int, int] | None] = field(default_factory=list)

    @property
    def in_order(self) -> bool:
        """Whether the rows already lie in arrival order."""
        return all(self.spans) and all(
            before[1] <= after[0]
            for before, after in pairwise(self.spans)
            if before is not None and after is not None
        )

    def counts(self) -> dict[str, Any]:
        """Count rows read and written, rows rejected and values repaired by reason."""
        rejected = self.rejects.group_by("reason").len().sort("reason")
        return {
            "read": sum(self.rows_by_file),
            "written": self.written,
            "rejected": dict(rejected.iter_rows()),
            "repaired": dict(sorted(self.repaired.items())),
        }

    def add(self, frame: pl.DataFrame) -> None:
        """Write one chunk of good rows."""
        if not frame.height:
            return
        arrival = frame["arrival_ns"]
        first, last = arrival.min(), arrival.max()
        if not isinstance(first, int) or not isinstance(last, int):
            raise TypeError(arrival.dtype)
        self.first_ns = first if self.first_ns is None else min(self.first_ns, first)
        self.spans.append((first, last) if arrival.is_sorted() else None)
        self.filled |= {each.name for each in frame if each.null_count() < frame.height}
        self.written += frame.height
        frame.write_parquet(
            self.folder / f"{len(self.spans):08}.parquet",
            compression="uncompressed",
            statistics=False,
        )


def stage(
    heads: Sequence[Head],
    columns: Sequence[Column],
    folder: Path,
    *,
    block_size: int | None,
    strict: bool,
) -> Staged:
    """Read every file once.

    Raises:
        DataError: with `strict`, the first bad row; always, a file in which every row is bad.
    """
    staged = Staged(folder)
    keys = wanted(columns)
    bad: list[pl.DataFrame] = []
    for head in heads:
        read, written = 0, staged.written
        mine: list[pl.DataFrame] = []
        for chunk in READERS[head.container](head, keys):
            refined = refine(
                chunk,
                columns,
                first_row_id=sum(staged.rows_by_file),
                block_size=block_size,
                where=str(head.path),
            )
            read += chunk.rows.len() + chunk.rejects.height
            staged.add(refined.frame)
            staged.repaired.update(refined.repaired)
            staged.naive |= refined.naive
            if refined.rejects.height:
                mine.append(refined.rejects.with_columns(file=pl.lit(str(head.path))))
                if strict:
                    raise _first_bad(mine[0].row(0, named=True))
        if staged.written == written:
            raise _nothing_left(head, mine, read)
        staged.rows_by_file.append(read)
        bad += mine
    if bad:
        staged.rejects = pl.concat([each.select(list(REJECTS)) for each in bad])
    return staged


def _first_bad(reject: dict[str, Any]) -> DataError:
    return DataError(
        _sentence(reject), where=_place(reject), fix="mend the row, or ingest without --strict"
    )


def _nothing_left(head: Head, bad: list[pl.DataFrame], read: int) -> DataError:
    if not bad:
        return DataError("has a header but no rows", where=str(head.path), fix="name another log")
    counts = pl.concat(bad).group_by("reason").len().sort("reason")
    reasons = ", ".join(f"{reason}: {count:,}" for reason, count in counts.iter_rows())
    first = bad[0].row(0, named=True)
    return DataError(
        f"not one of its {read:,} rows can be used ({reasons}); the first: row {first['row']}, "
        f"{_sentence(first)}",
        where=str(head.path),
        fix="check which columns are mapped (--map) and their units (--unit)",
    )


def _place(reject: dict[str, Any]) -> str:
    line = f" (line {reject['line']})" if reject["line"] is not None else ""
    column = f", column {reject['column']}" if reject["column"] is not None else ""
    return f"{reject['file']}: row {reject['row']}{line}{column}"


def _sentence(reject: dict[str, Any]) -> str:
    value = f": {reject['value']!r}" if reject["value"] is not None else ""
    return f"{reject['reason']}{value}"
