"""CSV files as chunks of text columns."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.ingestion.chunks import Chunk, rejected
from workloadlab.ingestion.sources import text_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workloadlab.ingestion.heads import Head

__all__ = ["read_csv"]

RECORD_LINES = 10_000
BROKEN = "wrong number of fields"
UNCLOSED = "unclosed quote"


def read_csv(head: Head, wanted: Mapping[str, pl.DataType]) -> Iterator[Chunk]:
    """Yield the wanted columns of a CSV file; blank lines are no rows.

    A block in which every line is one record of the right width goes through polars, any other
    through the csv module, record by record.
    """
    row, line, header = 1, 1, True
    for block in text_blocks(head.path, quotes=True):
        text = block
        if header:
            start = len(text) - len(text.lstrip(b"\r\n"))
            end = text.find(b"\n", start) + 1 or len(text)
            line += text.count(b"\n", 0, end)
            text, header = text[end:], False
        chunk = fast_rows(text, head, wanted, row, line) or patient_rows(
            text, head, wanted, row, line
        )
        row += chunk.rows.len() + chunk.rejects.height
        line += text.count(b"\n")
        yield chunk


def fast_rows(
    text: bytes, head: Head, wanted: Mapping[str, pl.DataType], row: int, line: int
) -> Chunk | None:
    """Read a block with polars, or return None if any line of it is not plainly one record.

    polars refuses lines with too many fields, so the separators add up only if none has too few.
    """
    quoted = b'"' in text
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    width = len(head.keys)
    try:
        frame = pl.read_csv(
            text,
            has_header=False,
            schema={str(index): pl.String for index in range(width)},
            separator=head.separator,
            quote_char='"' if quoted else None,
        )
    except pl.exceptions.PolarsError:
        return None
    whole = frame.height == lines and (
        frame.to_series(width - 1).null_count() == 0
        if quoted
        else text.count(head.separator.encode()) == lines * (width - 1)
    )
    if not whole:
        return None
    return Chunk(
        frame.select(pl.col(str(head.keys.index(key))).alias(key) for key in wanted),
        pl.int_range(row, row + lines, eager=True),
        pl.int_range(line, line + lines, eager=True),
        rejected([]),
    )


def patient_rows(
    text: bytes, head: Head, wanted: Mapping[str, pl.DataType], row: int, line: int
) -> Chunk:
    """Read a block record by record and set aside what is not a record."""
    columns: dict[str, list[str | None]] = {key: [] for key in wanted}
    places = {key: head.keys.index(key) for key in wanted}
    rows, lines, bad = [], [], []
    for first, fields in _records(text.decode("utf-8", "replace").split("\n"), head):
        where = line + first
        if isinstance(fields, str):
            bad.append((row, where, None, None, fields))
        else:
            rows.append(row)
            lines.append(where)
            for key, place in places.items():
                columns[key].append(fields[place] or None)
        row += 1
    return Chunk(
        pl.DataFrame(columns, schema=dict.fromkeys(wanted, pl.String)),
        pl.Series(rows, dtype=pl.Int64),
        pl.Series(lines, dtype=pl.Int64),
        rejected(bad),
    )


def _records(lines: list[str], head: Head) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the first line's index and the fields of each record, or the reason it is none.

    A stray quote must not swallow the rows after it: a record over several lines counts only if it
    has the right width; otherwise its first line alone is set aside.
    """
    index = 0
    while index < len(lines):
        line = lines[index].rstrip("\r")
        if not line.strip():
            index += 1
            continue
        end = index + 1
        if '"' in line:
            end = _closing_line(lines, index)
            fields = _split("\n".join(lines[index:end]).rstrip("\r"), head.separator)
        else:
            fields = line.split(head.separator)
        if end == index:
            yield index, UNCLOSED
        elif len(fields) == len(head.keys):
            yield index, fields
            index = end
            continue
        else:
            yield index, BROKEN
        index += 1


def _closing_line(lines: list[str], index: int) -> int:
    """Return the index after the line that closes the quotes of line `index`, or `index`."""
    open_ = False
    for end in range(index, min(len(lines), index + RECORD_LINES)):
        open_ ^= lines[end].count('"') % 2 == 1
        if not open_:
            return end + 1
    return index


def _split(record: str, separator: str) -> list[str]:
    limit = csv.field_size_limit(sys.maxsize)
    try:
        return next(csv.reader([record], delimiter=separator), [])
    finally:
        csv.field_size_limit(limit)
