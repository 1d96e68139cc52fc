"""CSV files as chunks of text columns."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError
from workloadlab.ingestion.parsing.fields import fields, records
from workloadlab.ingestion.parsing.tables import PREAMBLE, header_at
from workloadlab.ingestion.readers.chunk import (
    PLACES,
    Chunk,
    Reading,
    counted,
    inside,
    piecewise,
    rejected,
)
from workloadlab.ingestion.readers.packing import opened
from workloadlab.ingestion.sources import BOM, text_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloadlab.ingestion.head import Head

__all__ = ["read_csv"]

HEADER = "a second header"


def read_csv(head: Head, wanted: Mapping[str, pl.DataType]) -> Reading:
    """Read the wanted columns of a CSV file; blank lines are no rows.

    A block in which every line is one record of the right width goes through polars, with numbers
    read as numbers if all of them are; any other block record by record.
    """
    whole = {key: dtype for key, dtype in wanted.items() if key in head.keys}
    cells = {key: _cell(head, key) for key in wanted if key not in head.keys}
    read = whole | dict.fromkeys((cell for cell, _ in cells.values()), pl.String())
    as_text = dict.fromkeys(read, pl.String())

    def fast(text: bytes) -> Chunk | None:
        return fast_rows(text, head, read) or fast_rows(text, head, as_text)

    def finished(chunk: Chunk) -> Chunk:
        chunk = _without_headers(chunk, head, list(whole))
        if not cells:
            return chunk
        columns = [pl.col(key) for key in whole]
        columns += [inside(pl.col(cell), rest).alias(key) for key, (cell, rest) in cells.items()]
        return replace(chunk, frame=chunk.frame.select(columns))

    def parse(text: bytes) -> list[Chunk]:
        if head.escaped:
            text = text.replace(b'\\"', b'""')
        chunks = piecewise(text, fast, lambda part: patient_rows(part, head, read), quotes=True)
        return [finished(chunk) for chunk in chunks]

    lines, size = _header(head)
    return Reading(text_blocks(head.path, quotes=True, skip=size), parse, lines)


def _cell(head: Head, key: str) -> tuple[str, str]:
    """Return the column whose JSON text holds a key, and what is left of the key."""
    cut = key.find(".")
    while cut > 0 and key[:cut] not in head.keys:
        cut = key.find(".", cut + 1)
    return key[:cut], key[cut + 1 :]


def _without_headers(chunk: Chunk, head: Head, keys: list[str]) -> Chunk:
    """Set aside a header in the middle, as `cat *.csv` leaves it.

    Raises:
        DataError: the columns after it are others, or in another order.
    """
    frame = chunk.frame
    if not keys or any(frame[key].dtype != pl.String for key in keys):
        return chunk
    lower = [key.lower() for key in head.keys]
    names = pl.all_horizontal(
        pl.col(key).str.strip_chars().str.to_lowercase().is_in(lower) for key in keys
    )
    again = frame.select(names.fill_null(value=False)).to_series()
    if not again.any():
        return chunk
    for row in frame.filter(again).select(keys).iter_rows():
        said = [value.strip().lower() for value in row]
        if said != [key.lower() for key in keys] and len(keys) > 1:
            raise _second_header("its columns in another order", head)
    places = chunk.places()
    bad = rejected(
        [(row, line, keys[0], None, HEADER) for row, line in places.filter(again).iter_rows()]
    )
    rejects = bad if chunk.rejects is None else pl.concat([chunk.rejects, bad]).sort("row")
    return replace(
        chunk, frame=frame.filter(~again), numbers=places.filter(~again), rejects=rejects
    )


def _second_header(what: str, head: Head) -> DataError:
    return DataError(
        f"has a second header with {what}, so that the rows after it would be read wrong",
        where=str(head.path),
        fix="split the file at that header and name both parts",
    )


def _refuse_header(line: str, head: Head) -> None:
    """Refuse a line that does not fit the header because it is another one."""
    names = {name.strip().lower() for name in fields(line, head.separator)}
    shared = names & {key.lower() for key in head.keys}
    if len(shared) > 1 and 2 * len(shared) > len(head.keys):
        raise _second_header("other columns", head)


def _header(head: Head) -> tuple[int, int]:
    """Return the lines and bytes up to and with the header line."""
    with opened(head.path) as stream:
        lines = list(islice(stream, PREAMBLE + 2))
    texts = [
        line.replace(b"\0", b"").removeprefix(BOM).decode("utf-8", "replace") for line in lines
    ]
    last = header_at(texts) or 0
    return last + 1, sum(map(len, lines[: last + 1]))


def fast_rows(text: bytes, head: Head, wanted: Mapping[str, pl.DataType]) -> Chunk | None:
    """Read a block with polars, or return None if any line of it may not be just one record.

    polars refuses lines with too many fields. Lines with too few lack their last value; that may be
    empty, which the number of separators tells, unless quotes may protect some.
    """
    quoted = b'"' in text
    lines = counted(text, b"\n") + (not text.endswith(b"\n"))
    if quoted and counted(text, b'"') % 2:  # polars panics at a quote alone at the end
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
    if frame.height != lines:
        return None
    separators = lines * (frame.width - 1)
    if frame.to_series(-1).null_count() and (
        quoted or counted(text, head.separator.encode()) != separators
    ):
        return None
    picked = frame.select(pl.col(str(head.keys.index(key))).alias(key) for key in wanted)
    return Chunk(picked, lines)


def _scalar(dtype: pl.DataType) -> pl.DataType:
    return dtype if dtype.is_integer() else pl.String()


def patient_rows(text: bytes, head: Head, wanted: Mapping[str, pl.DataType]) -> Chunk:
    """Read a block record by record and set aside what is not a record."""
    columns: dict[str, list[str | None]] = {key: [] for key in wanted}
    places = {key: head.keys.index(key) for key in wanted}
    good, bad = [], []
    lines = text.decode("utf-8", "replace").split("\n")
    found = records(lines, len(head.keys), head.separator)
    for row, (line, record) in enumerate(found, start=1):
        if isinstance(record, str):
            _refuse_header(lines[line - 1], head)
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
