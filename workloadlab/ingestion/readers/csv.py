"""CSV files as chunks of text columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.ingestion.inspect import fields, is_quoted, raw_fields
from workloadlab.ingestion.readers.chunk import PLACES, Chunk, Reading, piecewise, rejected
from workloadlab.ingestion.sources import BOM, opened, text_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workloadlab.ingestion.inspect import Head

__all__ = ["read_csv"]

RECORD_LINES = 10_000
BROKEN = "wrong number of fields"
UNCLOSED = "unclosed quote"


def read_csv(head: Head, wanted: Mapping[str, pl.DataType]) -> Reading:
    """Read the wanted columns of a CSV file; blank lines are no rows.

    A block in which every line is one record of the right width goes through polars, with numbers
    read as numbers if all of them are; any other block record by record.
    """
    as_text = dict.fromkeys(wanted, pl.String())

    def fast(text: bytes) -> Chunk | None:
        return fast_rows(text, head, wanted) or fast_rows(text, head, as_text)

    def parse(text: bytes) -> list[Chunk]:
        return piecewise(text, fast, lambda part: patient_rows(part, head, wanted), quotes=True)

    lines, size = _header(head)
    return Reading(text_blocks(head.path, quotes=True, skip=size), parse, lines)


def _header(head: Head) -> tuple[int, int]:
    """Return the lines and bytes up to and with the header line."""
    lines = size = 0
    with opened(head.path) as stream:
        for line in stream:
            lines, size = lines + 1, size + len(line)
            if line.removeprefix(BOM).strip():
                break
    return lines, size


def fast_rows(text: bytes, head: Head, wanted: Mapping[str, pl.DataType]) -> Chunk | None:
    """Read a block with polars, or return None if any line of it may not be just one record.

    polars refuses lines with too many fields. Lines with too few show in the number of separators,
    or, where quotes may protect some, as a missing last value.
    """
    quoted = b'"' in text
    width = len(head.keys)
    lines = _count(text, b"\n") + (not text.endswith(b"\n"))
    if not quoted and _count(text, head.separator.encode()) != lines * (width - 1):
        return None
    dtypes = [wanted.get(key, pl.String()) for key in head.keys]
    try:
        frame = pl.read_csv(
            text,
            has_header=False,
            schema={str(index): _scalar(dtype) for index, dtype in enumerate(dtypes)},
            separator=head.separator,
            quote_char='"' if quoted else None,
        )
    except pl.exceptions.PolarsError:
        return None
    if frame.height != lines or (quoted and frame.to_series(width - 1).null_count()):
        return None
    picked = frame.select(pl.col(str(head.keys.index(key))).alias(key) for key in wanted)
    return Chunk(picked, lines)


def _count(text: bytes, byte: bytes) -> int:
    """Count a byte; several times faster than bytes.count where it is frequent."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord(byte)))


def _scalar(dtype: pl.DataType) -> pl.DataType:
    return dtype if dtype.is_integer() else pl.String()


def patient_rows(text: bytes, head: Head, wanted: Mapping[str, pl.DataType]) -> Chunk:
    """Read a block record by record and set aside what is not a record."""
    columns: dict[str, list[str | None]] = {key: [] for key in wanted}
    places = {key: head.keys.index(key) for key in wanted}
    good, bad = [], []
    records = _records(text.decode("utf-8", "replace").split("\n"), head)
    for row, (line, record) in enumerate(records, start=1):
        if isinstance(record, str):
            bad.append((row, line, None, None, record))
        else:
            good.append((row, line))
            for key, place in places.items():
                columns[key].append(record[place] or None)
    return Chunk(
        pl.DataFrame(columns, schema=dict.fromkeys(wanted, pl.String)),
        text.count(b"\n"),
        rejected(bad),
        pl.DataFrame(good, schema=PLACES, orient="row"),
    )


def _records(lines: list[str], head: Head) -> Iterator[tuple[int, list[str] | str]]:
    """Yield line number and fields of each record, or the reason why it is none.

    A stray quote must not swallow the rows after it: a record over several lines counts only if it
    has the right width and properly quoted line breaks; else its first line alone is set aside.
    """
    index = 0
    while index < len(lines):
        if not lines[index].strip():
            index += 1
            continue
        end = _closing_line(lines, index)
        text = "\n".join(lines[index:end]).rstrip("\r")
        record = fields(text, head.separator)
        if end == index or not _sound_breaks(text, head.separator):
            yield index + 1, UNCLOSED
        elif len(record) != len(head.keys):
            yield index + 1, BROKEN
        else:
            yield index + 1, record
            index = end
            continue
        index += 1


def _sound_breaks(record: str, separator: str) -> bool:
    return "\n" not in record or all(
        is_quoted(text) for text in raw_fields(record, separator) if "\n" in text
    )


def _closing_line(lines: list[str], index: int) -> int:
    """Return the index after the line that closes the quotes of line `index`, or `index`."""
    inside = False
    for end in range(index, min(len(lines), index + RECORD_LINES)):
        inside ^= lines[end].count('"') % 2 == 1
        if not inside:
            return end + 1
    return index
