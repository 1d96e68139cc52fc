"""The first pass: logs to good rows, in source order, and the rows that are set aside."""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from workloadlab.errors import DataError
from workloadlab.ingestion.clean import BlockCounts, Refined, refine, wanted
from workloadlab.ingestion.readers.chunk import REJECTS, Chunk, Reading, chosen
from workloadlab.ingestion.readers.csv import read_csv
from workloadlab.ingestion.readers.json import read_jsonl
from workloadlab.ingestion.readers.parquet import read_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from workloadlab.ingestion.formats import Column
    from workloadlab.ingestion.inspect import Head

__all__ = ["Staged", "stage"]

_T = TypeVar("_T")

HELD_BYTES = 256 << 20
READERS: dict[str, Callable[[Head, Mapping[str, pl.DataType]], Reading]] = {
    "csv": read_csv,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}


@dataclass
class Staged:
    """What the first pass found.

    Attributes:
        folder: where rows are spilled that are too many to hold.
        rows_by_file: rows read from each file, bad ones included.
        left_out: rows that were not asked for.
        written: rows that are good.
        rejects: the bad ones; columns of `REJECTS`.
        repaired: values set to null, by reason.
        filled: columns with at least one value.
        first_ns: the earliest arrival.
        naive: whether a datetime without a zone was taken as UTC.
        spans: first and last arrival of each chunk; None for one that is not sorted.
        held: rows in memory, the last ones in source order.
        held_bytes: their size.
        spilled: files of earlier rows.
    """

    folder: Path
    rows_by_file: list[int] = field(default_factory=list)
    left_out: int = 0
    written: int = 0
    rejects: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REJECTS))
    repaired: Counter[str] = field(default_factory=Counter)
    filled: set[str] = field(default_factory=set)
    first_ns: int | None = None
    naive: bool = False
    spans: list[tuple[int, int] | None] = field(default_factory=list)
    held: list[pl.DataFrame] = field(default_factory=list)
    held_bytes: int = 0
    spilled: list[Path] = field(default_factory=list)

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
            **({"left_out": self.left_out} if self.left_out else {}),
            "rejected": dict(rejected.iter_rows()),
            "repaired": dict(sorted(self.repaired.items())),
        }

    def add(self, refined: Refined) -> None:
        """Take one chunk's good rows."""
        self.repaired.update(refined.repaired)
        self.naive |= refined.naive
        frame = refined.frame
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
        self.held.append(frame)
        self.held_bytes += int(frame.estimated_size())
        if self.held_bytes > HELD_BYTES:
            self._spill()

    def rows(self) -> pl.LazyFrame:
        """Return the good rows in source order."""
        if not self.spilled:
            return pl.concat(self.held).lazy()
        if self.held:
            self._spill()
        return pl.scan_parquet(self.spilled)

    def _spill(self) -> None:
        path = self.folder / f"{len(self.spilled):06}.parquet"
        pl.concat(self.held).write_parquet(path, compression="lz4", statistics=False)
        self.spilled.append(path)
        self.held.clear()
        self.held_bytes = 0


def stage(
    heads: Sequence[Head],
    columns: Sequence[Column],
    folder: Path,
    *,
    block_size: int | None,
    strict: bool,
    where: Mapping[str, str],
) -> Staged:
    """Read every file once, and of it the rows whose keys have the values of `where`.

    Raises:
        DataError: with `strict`, the first bad row; always, a file in which every row is bad, or none
            is asked for.
    """
    staged = Staged(folder)
    keys = dict.fromkeys(where, pl.String()) | wanted(columns)
    bad: list[pl.DataFrame] = []
    for head in heads:
        mine: list[pl.DataFrame] = []
        rows, written, blocks = 0, staged.written, BlockCounts()
        left_out = staged.left_out
        reading = READERS[head.container](head, keys)
        line = reading.header_lines

        work = partial(_chunks, reading, columns, block_size, where)
        for chunk, refined in chain.from_iterable(_in_order(work, reading.pieces)):
            staged.add(refined)
            staged.left_out += chunk.left_out
            blocks += refined.blocks
            if refined.rejects is not None and refined.rejects.height:
                mine.append(
                    refined.rejects.select(
                        pl.lit(str(head.path)).alias("file"),
                        pl.col("row") + rows,
                        pl.col("line") + line,
                        "column",
                        "value",
                        "reason",
                    )
                )
                if strict:
                    raise _first_bad(mine[0].row(0, named=True))
            rows += chunk.row_count
            line += chunk.line_count
        if staged.written == written:
            if rows and rows == staged.left_out - left_out:
                raise _nothing_chosen(head, where)
            raise _nothing_left(head, mine, rows)
        _check_block_size(blocks, block_size or 0, head)
        staged.rows_by_file.append(rows)
        bad += mine
    if bad:
        staged.rejects = pl.concat(bad)
    return staged


def _chunks(
    reading: Reading,
    columns: Sequence[Column],
    block_size: int | None,
    where: Mapping[str, str],
    piece: Any,
) -> list[tuple[Chunk, Refined]]:
    chunks = (chosen(chunk, where) for chunk in reading.parse(piece))
    return [(chunk, refine(chunk, columns, block_size=block_size)) for chunk in chunks]


def _in_order(work: Callable[[Any], _T], pieces: Iterator[Any]) -> Iterator[_T]:
    """Work on some pieces at a time in threads and yield the results in the order of the pieces."""
    workers = pl.thread_pool_size()
    with ThreadPoolExecutor(workers) as threads:
        ahead: deque[Future[_T]] = deque()
        try:
            for piece in pieces:
                ahead.append(threads.submit(work, piece))
                if len(ahead) > workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def _check_block_size(blocks: BlockCounts, block_size: int, head: Head) -> None:
    """Refuse a block size that most rows contradict."""
    if blocks.misfits * 2 <= blocks.rows:
        return
    per_id = blocks.tokens / blocks.ids
    raise DataError(
        f"block ids do not fit {block_size} tokens per block: {blocks.misfits:,} of "
        f"{blocks.rows:,} rows disagree; they have about {per_id:.4g} tokens per id",
        where=str(head.path),
        fix=f"give the right one: --block-size {1 << max(0, round(per_id) - 1).bit_length()}",
    )


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


def _nothing_chosen(head: Head, where: Mapping[str, str]) -> DataError:
    asked = " and ".join(f"{key} = {value}" for key, value in where.items())
    seen = "; ".join(
        f"{key} is {', '.join(sorted(set(head.samples.get(key, [])))[:5]) or 'empty'}"
        for key in where
    )
    return DataError(
        f"has no row with {asked}", where=str(head.path), fix=f"at its beginning {seen}"
    )


def _place(reject: dict[str, Any]) -> str:
    line = f" (line {reject['line']})" if reject["line"] is not None else ""
    column = f", column {reject['column']}" if reject["column"] is not None else ""
    return f"{reject['file']}: row {reject['row']}{line}{column}"


def _sentence(reject: dict[str, Any]) -> str:
    value = f": {reject['value']!r}" if reject["value"] is not None else ""
    return f"{reject['reason']}{value}"
