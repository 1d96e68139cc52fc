"""The first pass: logs to good rows, in source order, and the rows that are set aside."""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from workloadlab.ingestion.clean import BlockCounts, Refined, Rules, refine, wanted
from workloadlab.ingestion.doubts.sampled import Sampled
from workloadlab.ingestion.doubts.verdicts import (
    check_block_size,
    check_sums,
    check_turns,
    first_bad,
    nothing_chosen,
    nothing_left,
)
from workloadlab.ingestion.readers.chunk import REJECTS, Chunk, Reading
from workloadlab.ingestion.readers.csv import read_csv
from workloadlab.ingestion.readers.documents import read_json
from workloadlab.ingestion.readers.json import read_jsonl
from workloadlab.ingestion.readers.limits import refuse_beyond
from workloadlab.ingestion.readers.parquet import read_parquet
from workloadlab.ingestion.rows import FAR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from workloadlab.ingestion.head import Head

__all__ = ["Staged", "stage"]

_T = TypeVar("_T")

HELD_BYTES = 96 << 20
"""Rows that stay in memory, where a log has no more."""

SPILL_BYTES = 32 << 20
"""Rows of a longer log that are written at a time, which takes several times that."""
READERS: dict[str, Callable[[Head, Mapping[str, pl.DataType]], Reading]] = {
    "csv": read_csv,
    "json": read_json,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}


@dataclass
class Staged:
    """What the first pass found.

    Attributes:
        folder: where rows are spilled that are too many to hold.
        hide: what makes rows fit for a disk.
        rows_by_file: rows read from each file, bad ones included.
        left_out: rows that are no requests, or were not asked for, by reason.
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
        spilled_bytes: their size in memory.
        far: rows whose arrival lies years from the middle of their chunk; columns of `REJECTS`.
        sampled: some rows of every chunk.
    """

    folder: Path
    hide: Sequence[Callable[[pl.DataFrame], pl.DataFrame]] = ()
    rows_by_file: list[int] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
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
    spilled_bytes: int = 0
    far: list[pl.DataFrame] = field(default_factory=list)
    sampled: Sampled = field(default_factory=Sampled)

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
            **({"left_out": dict(sorted(self.left_out.items()))} if self.left_out else {}),
            "rejected": dict(rejected.iter_rows()),
            "repaired": dict(sorted(self.repaired.items())),
        }

    def add(self, refined: Refined, before: int) -> None:
        """Take one chunk's good rows; so many rows of its file came before it."""
        self.repaired.update(refined.repaired)
        self.naive |= refined.naive
        frame = refined.frame
        if not frame.height:
            return
        sample = refined.sample
        if sample.height:
            sample = sample.with_columns(pl.col("row") + before)
        self.sampled.add(frame, sample)
        self._note(frame)
        self.held.append(frame)
        self.held_bytes += int(frame.estimated_size())
        if self.held_bytes > (SPILL_BYTES if self.spilled else HELD_BYTES):
            self._spill()

    def rows(self) -> pl.LazyFrame:
        """Return the good rows in source order."""
        if not self.spilled:
            return pl.concat(self.held, how="diagonal").lazy()
        return pl.concat([pl.scan_parquet(path) for path in self.files()], how="diagonal")

    def files(self) -> list[Path]:
        """Return the good rows as files, in source order."""
        if self.held:
            self._spill()
        return self.spilled

    def replace(self, rows: pl.DataFrame) -> None:
        """Take these rows in place of all."""
        self._forget()
        self.spilled, self.held, self.held_bytes = [], [rows], int(rows.estimated_size())
        self.spilled_bytes = 0
        self._note(rows)

    def keep(self, chosen: pl.Series) -> None:
        """Keep the rows that are chosen; one truth value for each, in source order."""
        parts: list[Path | pl.DataFrame] = [*(self.files() if self.spilled else self.held)]
        self._forget()
        before, self.held = 0, []
        for part in parts:
            frame = part if isinstance(part, pl.DataFrame) else pl.read_parquet(part)
            kept = frame.filter(chosen[before : before + frame.height])
            before += frame.height
            self._note(kept)
            if isinstance(part, pl.DataFrame):
                self.held.append(kept)
            else:
                kept.write_parquet(part, compression="lz4")

    def _forget(self) -> None:
        self.written, self.filled, self.first_ns, self.spans = 0, set(), None, []

    def _note(self, rows: pl.DataFrame) -> None:
        """Take count of rows that are held or spilled: what they fill, and when they are."""
        self.written += rows.height
        self.filled |= {each.name for each in rows if each.null_count() < rows.height}
        arrival = rows["arrival_ns"] if "arrival_ns" in rows.columns else pl.Series([0])
        first, last = arrival.min(), arrival.max()
        if isinstance(first, int) and isinstance(last, int):
            if "arrival_ns" in rows.columns:
                self.first_ns = first if self.first_ns is None else min(self.first_ns, first)
            sorted_ = arrival.is_sorted() and not arrival.null_count()
            self.spans.append((first, last) if sorted_ else None)

    def _spill(self) -> None:
        self.spilled_bytes += self.held_bytes
        self.held_bytes, held = 0, self.held[::-1]
        self.held.clear()
        while held:
            rows = held.pop()
            while held and rows.estimated_size() < SPILL_BYTES:
                rows = pl.concat([rows, held.pop()], how="diagonal")
            for hidden in self.hide:
                rows = hidden(rows)
            path = self.folder / f"{len(self.spilled):06}.parquet"
            rows.write_parquet(path, compression="lz4")
            self.spilled.append(path)


def stage(
    heads: Sequence[Head],
    rules: Sequence[Rules],
    folder: Path,
    *,
    strict: bool,
    where: Mapping[str, str],
    hide: Sequence[Callable[[pl.DataFrame], pl.DataFrame]] = (),
) -> Staged:
    """Read every file once, by its own rules, and of it the requests.

    Args:
        heads: of the files.
        rules: of each.
        folder: where rows are spilled that are too many to hold.
        strict: whether a bad row ends it.
        where: which requests are asked for.
        hide: what makes rows fit for a disk; nothing to spill them as they are.

    Raises:
        DataError: with `strict`, the first bad row; always, a file in which every row is bad, or none
            is asked for.
    """
    staged = Staged(folder, hide)
    bad: list[pl.DataFrame] = []
    for head, mine in zip(heads, rules, strict=True):
        bad += _stage_file(
            staged, head, mine, strict=strict, where=where, alone=len(heads) == 1 or bool(where)
        )
    if not staged.written:
        raise nothing_chosen(heads[0], where, staged.left_out)
    if bad:
        staged.rejects = pl.concat(bad)
    return staged


def _stage_file(
    staged: Staged, head: Head, rules: Rules, *, strict: bool, where: Mapping[str, str], alone: bool
) -> list[pl.DataFrame]:
    """Read one file and return what is bad in it; one of several may have no request."""
    bad: list[pl.DataFrame] = []
    rows, written, blocks, left_out = 0, staged.written, BlockCounts(), staged.left_out.copy()
    reading = READERS[head.container](head, wanted(rules))
    line = reading.header_lines
    for chunk, refined in chain.from_iterable(
        _in_order(partial(_chunks, reading, rules), reading.pieces)
    ):
        staged.add(refined, rows)
        staged.left_out.update(refined.left_out)
        blocks += refined.blocks
        if refined.rejects is not None and refined.rejects.height:
            bad.append(_placed(refined.rejects, head, rows, line))
            refuse_beyond("bad rows", sum(each.height for each in bad), head.path)
            if strict:
                raise first_bad(bad[0].row(0, named=True))
        if refined.far is not None:
            text = pl.col("arrival_ns").cast(pl.String)
            named = refined.far.with_columns(
                column=pl.lit("arrival"), value=text, reason=pl.lit(FAR)
            )
            staged.far.append(_placed(named, head, rows, line, "arrival_ns"))
        rows += chunk.row_count
        line += chunk.line_count
    check_turns(bad, rules, rows, head)
    check_sums(bad, rows, head)
    if staged.written == written:
        if rows and rows == staged.left_out.total() - left_out.total():
            if alone:
                raise nothing_chosen(head, where, staged.left_out - left_out)
            staged.rows_by_file.append(rows)
            return bad
        raise nothing_left(head, bad, rows)
    check_block_size(blocks, rules.block_size or 0, head)
    staged.rows_by_file.append(rows)
    return bad


def _placed(found: pl.DataFrame, head: Head, rows: int, line: int, *more: str) -> pl.DataFrame:
    """Give rows their numbers in the file, which they have in a chunk."""
    return found.select(
        pl.lit(str(head.path)).alias("file"),
        pl.col("row") + rows,
        pl.col("line") + line,
        "column",
        "value",
        "reason",
        *more,
    )


def _chunks(reading: Reading, rules: Rules, piece: Any) -> list[tuple[Chunk, Refined]]:
    return [(chunk, refine(chunk, rules)) for chunk in reading.parse(piece)]


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
