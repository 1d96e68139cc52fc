"""A piece of a log as text columns, and the table of rows that cannot be used."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.ingestion.parsing.json import opened_text
from workloadlab.ingestion.sources import record_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["PLACES", "REJECTS", "Chunk", "Reading", "counted", "inside", "piecewise", "rejected"]

PATIENT_BYTES = 1 << 16
STRETCH_BYTES = 1 << 17

REJECTS = {
    "file": pl.String(),
    "row": pl.Int64(),
    "line": pl.Int64(),
    "column": pl.String(),
    "value": pl.String(),
    "reason": pl.String(),
}
"""Columns of a rejects file: `row` counts data rows from 1, `line` counts lines of text from 1."""

PLACES = {name: REJECTS[name] for name in ("row", "line")}


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of one file.

    Attributes:
        frame: one column per wanted key: text, or integers, or lists of block ids.
        line_count: lines of text in the chunk; 0 where a file has no lines.
        rejects: rows that are no records at all; columns of `REJECTS` but `file`, numbered within
            the chunk from 1.
        numbers: `row` and `line` of each row of `frame`; None if that is 1, 2, 3, ...
        left_out: rows that are no requests, or were not asked for, by reason.
        repaired: rows in which something was settled, by reason.
    """

    frame: pl.DataFrame
    line_count: int = 0
    rejects: pl.DataFrame | None = None
    numbers: pl.DataFrame | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    repaired: dict[str, int] = field(default_factory=dict)

    @property
    def row_count(self) -> int:
        """Rows in the chunk, good, bad or left out."""
        bad = 0 if self.rejects is None else self.rejects.height
        return self.frame.height + bad + sum(self.left_out.values())

    def kept(self, keep: pl.Series, reason: str) -> Chunk:
        """Return the chunk with these rows; the others are left out."""
        if keep.all():
            return self
        frame = self.frame.filter(keep)
        lost = self.left_out.get(reason, 0) + self.frame.height - frame.height
        left_out = {**self.left_out, reason: lost}
        return replace(self, frame=frame, numbers=self.places().filter(keep), left_out=left_out)

    def places(self) -> pl.DataFrame:
        """Return `row` and `line` of each row of `frame`."""
        if self.numbers is not None:
            return self.numbers
        row = pl.int_range(1, self.frame.height + 1, eager=True)
        line = row if self.line_count else row.new_from_index(0, 0).extend_constant(None, row.len())
        return pl.DataFrame({"row": row, "line": line})


@dataclass(frozen=True)
class Reading:
    """How one file is read: pieces in order, each to be parsed on its own, in any thread.

    Attributes:
        pieces: the file in pieces that end where a record ends.
        parse: makes the chunks of a piece.
        header_lines: lines of text before the first piece.
    """

    pieces: Iterator[Any]
    parse: Callable[[Any], list[Chunk]]
    header_lines: int = 0


def piecewise(
    text: bytes,
    fast: Callable[[bytes], Chunk | None],
    patient: Callable[[bytes], Chunk],
    *,
    quotes: bool,
) -> list[Chunk]:
    """Read a block fast, or in halves, so that a bad line slows down its neighbours alone."""
    if (chunk := fast(text)) is not None:
        return [chunk]
    cut = record_end(text[: len(text) // 2], quotes=quotes) if len(text) > PATIENT_BYTES else 0
    if not cut:
        return [patient(text)]
    return [
        each
        for half in (text[:cut], text[cut:])
        for each in piecewise(half, fast, patient, quotes=quotes)
    ]


def counted(text: bytes, byte: bytes) -> int:
    """Count a byte, in stretches that stay in a cache; several times faster than `bytes.count`.

    Example:
        >>> counted(b"a,b,c", b",")
        2
    """
    codes = np.frombuffer(text, np.uint8)
    starts = range(0, len(text), STRETCH_BYTES)
    return sum(int(np.count_nonzero(codes[at : at + STRETCH_BYTES] == ord(byte))) for at in starts)


_PRINTED = {"'": '"', r"\bNone\b": "null", r"\bTrue\b": "true", r"\bFalse\b": "false"}
"""What Python prints in place of words and marks of JSON."""

_AMBIGUOUS = r'["\\]' + r"|^[^']*(?:'[^']*'[^']*)*'[^']*\b(?:None|True|False)\b"
"""A text in a printed dict that holds a quote, a break of lines, or one of these words."""


def inside(text: pl.Expr, key: str) -> pl.Expr:
    """Return what a key of the JSON in a text holds; the whole key may be one name.

    A dict that Python printed is read too: with other marks and words, or, where a text in it holds
    some, by Python itself, which is slow.
    """
    steps = key.split(".")
    ways = [[".".join(steps[:cut]), *steps[cut:]] for cut in range(1, len(steps) + 1)]
    paths = ["$" + "".join(f"['{step}']" for step in way if step) for way in ways]
    dicts = text.str.starts_with("{'")
    ambiguous = text.str.contains(_AMBIGUOUS)
    printed: pl.Expr = pl.when(dicts & ~ambiguous).then(text)
    for python, word in _PRINTED.items():
        printed = printed.str.replace_all(python, word)
    exactly = pl.when(dicts & ambiguous).then(text).map_batches(_as_json, pl.String())
    read = (text, printed, exactly)
    return pl.coalesce(each.str.json_path_match(p) for each in read for p in paths)


def _as_json(texts: pl.Series) -> pl.Series:
    """Write dicts of Python as JSON."""
    said = (None if text is None else json.dumps(opened_text(text), default=str) for text in texts)
    return pl.Series(texts.name, list(said), pl.String)


def rejected(
    rows: Sequence[tuple[int, int | None, str | None, str | None, str]],
) -> pl.DataFrame:
    """Make a table of (row, line, column, value, reason)."""
    schema = {name: dtype for name, dtype in REJECTS.items() if name != "file"}
    return pl.DataFrame(rows, schema=schema, orient="row")
