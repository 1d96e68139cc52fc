"""A piece of a log as text columns, and the table of rows that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["REJECTS", "Chunk", "Reading", "rejected"]

REJECTS = {
    "file": pl.String(),
    "row": pl.Int64(),
    "line": pl.Int64(),
    "column": pl.String(),
    "value": pl.String(),
    "reason": pl.String(),
}
"""Columns of a rejects file: `row` counts data rows from 1, `line` counts lines of text from 1."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of one file.

    Attributes:
        frame: one column per wanted key: text, or integers, or lists of block ids.
        rows: number of each row within the chunk, from 1.
        lines: line number of each row within the chunk, from 1; None where a file has no lines.
        rejects: rows that are no records at all; columns of `REJECTS` but `file`, numbered alike.
        line_count: lines of text in the chunk.
    """

    frame: pl.DataFrame
    rows: pl.Series
    lines: pl.Series | None
    rejects: pl.DataFrame
    line_count: int = 0


@dataclass(frozen=True)
class Reading:
    """How one file is read: pieces in order, each to be parsed on its own, in any thread.

    Attributes:
        pieces: the file in pieces that end where a record ends.
        parse: makes the chunk of a piece.
        header_lines: lines of text before the first piece.
    """

    pieces: Iterator[Any]
    parse: Callable[[Any], Chunk]
    header_lines: int = 0


def rejected(
    rows: Sequence[tuple[int, int | None, str | None, str | None, str]] = (),
) -> pl.DataFrame:
    """Make a table of (row, line, column, value, reason)."""
    schema = {name: dtype for name, dtype in REJECTS.items() if name != "file"}
    return pl.DataFrame(rows, schema=schema, orient="row")
