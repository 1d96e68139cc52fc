"""Logs that are put behind others: a folder of traces on one clock, with ids that go on."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.digests import file_digest, verifying
from workloadlab.errors import DataError, UsageError
from workloadlab.ingestion.heads import sha256
from workloadlab.ingestion.numbers import ANEW, ORDINAL, Numbers
from workloadlab.trace.parts import PARTS, Part, read_ids, read_parts, scan_parts, write_parts
from workloadlab.trace.store import read_footer, scan_trace, write_trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Growing", "growing"]

IDS = ".ids"


@dataclass
class Growing:
    """A trace to which logs are added.

    Attributes:
        folder: where it is.
        parts: its files so far.
        footer: what they say together; {} for none.
        numbers: the ids of its logs.
    """

    folder: Path
    parts: list[Part] = field(default_factory=list)
    footer: dict[str, Any] = field(default_factory=dict)
    numbers: Numbers = field(default_factory=Numbers)

    @property
    def t0_ns(self) -> int | None:
        """Its first arrival, as absolute time."""
        return self.footer.get("t0_unix_ns")

    @property
    def rows(self) -> int:
        """Its requests."""
        return sum(part.rows for part in self.parts)

    def unknown(self, paths: Sequence[tuple[Path, bool]]) -> list[tuple[Path, bool]]:
        """Return the files whose bytes are not in it yet."""
        known = {source["sha256"] for source in self.footer.get("sources", [])}
        return [(path, found) for path, found in paths if not known or sha256(path) not in known]

    def file(self) -> Path:
        """Return the path of the next file."""
        taken = {part.file for part in self.parts}
        numbers = (f"part-{n:05}.parquet" for n in range(len(taken), 2 * len(taken) + 1))
        return self.folder / next(name for name in numbers if name not in taken)

    def place(self, t0_ns: int | None, *, keep_ids: bool) -> dict[str, Any]:
        """Return where rows of a log that begins at `t0_ns` go, in the words of `finish`.

        Raises:
            UsageError: arrivals without dates, or ids kept here and renumbered there.
        """
        where = str(self.folder)
        if t0_ns is None:
            raise UsageError(
                "the log counts its arrivals from a start, so it has no place before or after another",
                where=where,
                fix="ingest it alone, without --append",
            )
        if self.footer and self.footer["options"]["keep_ids"] != keep_ids:
            kept = "keeps" if self.footer["options"]["keep_ids"] else "renumbers"
            raise UsageError(
                f"{kept} its ids", where=where, fix="do the same here: --keep-ids or not"
            )
        origin_ns = t0_ns if self.t0_ns is None else min(t0_ns, self.t0_ns)
        return {"origin_ns": origin_ns, "rows_before": self.rows}

    def add(self, path: Path) -> None:
        """Put a new file behind the others; earlier ones move if it begins before them."""
        parts, t0_ns = self.parts, read_footer(path)["t0_unix_ns"]
        if self.t0_ns is not None and t0_ns < self.t0_ns:
            parts = self._later(self.t0_ns - t0_ns, t0_ns, path.name)
        arrival = pl.scan_parquet(path, glob=False).select(
            rows=pl.len(), first=pl.col("arrival_ns").min(), last=pl.col("arrival_ns").max()
        )
        part = Part(path.name, *(int(each or 0) for each in arrival.collect().row(0)))
        ids = self.numbers.save()
        write_parts(self.folder, sorted([*parts, part], key=lambda each: each.first_ns), ids)

    def _later(self, shift_ns: int, t0_ns: int, taken: str) -> list[Part]:
        """Write all files again with another start."""
        names = {part.file for part in self.parts} | {taken}
        free = (
            name for n in range(len(names) * 2 + 1) if (name := f"part-{n:05}.parquet") not in names
        )
        moved = []
        for part, name in zip(self.parts, free, strict=False):
            frame, footer = scan_trace(self.folder / part.file)
            later = frame.with_columns(pl.col("arrival_ns") + shift_ns)
            write_trace(later, self.folder / name, {**footer, "t0_unix_ns": t0_ns})
            moved.append(Part(name, part.rows, part.first_ns + shift_ns, part.last_ns + shift_ns))
        return moved


@contextmanager
def growing(folder: Path) -> Iterator[Growing]:
    """Open a trace that grows, or begin one; files that its manifest does not name are removed.

    Raises:
        UsageError: something else is there.
        DataError: what it holds, or the numbers of its ids, are damaged or missing.
    """
    parts = read_parts(folder)
    if not parts and folder.exists() and (folder.is_file() or any(folder.iterdir())):
        raise UsageError(
            "is no trace that grows", where=str(folder), fix="name a new folder for --append"
        )
    if not folder.parent.is_dir():
        raise UsageError(f"the folder {folder.parent} does not exist", fix="create it first")
    begun = not folder.exists()
    folder.mkdir(exist_ok=True)
    frame, footer = scan_parts(folder, parts) if parts else (pl.LazyFrame(), {})
    said = read_ids(folder) if parts else {}
    ids: Mapping[str, str | None] = (
        dict.fromkeys(_numbered(frame, footer)) if said is None else said
    )
    _check_ids(folder / IDS, ids)
    try:
        yield Growing(folder, parts, footer, Numbers(folder / IDS, ids))
    finally:
        named = {part.file for part in read_parts(folder)}
        kept = (read_ids(folder) if named else None) or ids
        for path in (*folder.glob(PARTS), *folder.glob(f"{IDS}/*")):
            if path.is_file() and path.name not in named | kept.keys():
                path.unlink()
        if not kept:
            with suppress(OSError):  # it is not there, or something else lies in it
                (folder / IDS).rmdir()
        if begun and not any(folder.iterdir()):
            folder.rmdir()


def _numbered(frame: pl.LazyFrame, footer: dict[str, Any]) -> list[str]:
    """Return the files of ids that a folder has whose manifest names none."""
    numbered = ["request_id"] if footer["options"]["keep_ids"] else [*ORDINAL]
    columns = frame.collect_schema().names()
    return [f"{name}.parquet" for name in (*numbered, "block_ids") if name in columns]


def _check_ids(folder: Path, ids: Mapping[str, str | None]) -> None:
    """Refuse to go on with numbers that are not those that were given.

    Raises:
        DataError: a file is missing or damaged.
    """
    for file, digest in ids.items():
        path = folder / file
        if not path.is_file():
            raise DataError(
                "is missing, so ids of later logs would get the numbers of others",
                where=str(path),
                fix=ANEW,
            )
        if verifying() and digest is not None and file_digest(path) != digest:
            raise DataError(
                "is damaged: its digest is not the one that was written", where=str(path), fix=ANEW
            )
