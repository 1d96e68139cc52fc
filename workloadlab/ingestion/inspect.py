"""What the beginning of a log shows: its container, its keys and some sample values."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError, UsageError
from workloadlab.ingestion.formats import refused
from workloadlab.ingestion.head import Head, of_records
from workloadlab.ingestion.parsing.json import Doubled, Record, line_values
from workloadlab.ingestion.parsing.stream import outlines
from workloadlab.ingestion.parsing.tables import as_row, header_at, table
from workloadlab.ingestion.parsing.totals import without_totals
from workloadlab.ingestion.readers.limits import refuse_beyond
from workloadlab.ingestion.readers.packing import opened, unbroken
from workloadlab.ingestion.sources import BOM, container, record_end
from workloadlab.ingestion.spread import (
    SAMPLE_ROWS,
    spread_fields,
    spread_records,
    spread_rows,
    thinned,
)
from workloadlab.trace.store import FOOTER_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


__all__ = ["EMPTY", "inspect", "stem"]

SAMPLE_BYTES = 1 << 20
EMPTY = ("is empty", "has a header but no rows")


def inspect(path: Path) -> Head:
    """Read the beginning of a log file.

    Raises:
        DataError: empty, only a header, damaged, not text, or of more columns than a log has.
        UsageError: a trace.
    """
    kind = container(path)
    if kind == "parquet":
        head = _parquet_head(path)
    else:
        head = _csv_head(path) if kind == "csv" else _json_head(path, kind)
    refuse_beyond("columns", len(head.keys), path)
    return head


def stem(path: Path) -> str:
    """Return a file's name without what it is packed in and of.

    Example:
        >>> from pathlib import Path
        >>> stem(Path("a/bench.2.json.gz"))
        'bench.2'
    """
    name = path.name
    for end in (".gz", ".zst", ".xz", ".bz2"):
        name = name.removesuffix(end)
    return name.rpartition(".")[0] or name


def _no_rows(path: Path) -> DataError:
    return DataError(EMPTY[1], where=str(path), fix="name a log with requests")


def _csv_head(path: Path) -> Head:
    with opened(path) as stream:
        start = stream.read(SAMPLE_BYTES).replace(b"\0", b"").removeprefix(BOM)
        if stream.read(1):
            start = start[: record_end(start, quotes=True) or len(start)]
    lines = start.decode("utf-8", "replace").split("\n")
    if (first := header_at(lines)) is None:
        raise _no_rows(path)
    refused.check_text(path, "\n".join(lines[first : first + 2]))
    if len(lines) == 1 and "\r" in lines[0].strip("\r"):
        raise DataError(
            "ends its lines in CR alone, as old Macs did",
            where=str(path),
            fix="write newlines: tr '\\r' '\\n' < FILE > FILE.csv",
        )
    found = table(lines, first, SAMPLE_ROWS)
    if not found.tried:
        raise _no_rows(path)
    if len(found.keys) == 1 and " " in found.keys[0]:
        raise DataError(refused.NO_COLUMNS, where=str(path), fix="name a table, or leave it out")
    rows = found.rows
    if found.tried == SAMPLE_ROWS:
        more = spread_fields(path, len(found.keys), found.separator)
        rows += tuple(as_row(found.keys, record) for record in more)
    return Head(
        path, "csv", found.keys, without_totals(rows), found.separator,
        escaped=found.escaped,
    )  # fmt: skip


def _json_head(path: Path, kind: str) -> Head:
    doubled = Doubled()
    first = list(thinned(_first_values(path, kind, doubled)))
    found = tuple(record for record in first if record is not None)
    if kind == "jsonl" and len(first) == SAMPLE_ROWS:
        found += tuple(spread_records(path, found, stem(path), doubled))
    if not found:
        raise DataError(
            f"looks like JSON, but none of the {'lines' if kind == 'jsonl' else 'values'} looked at is "
            "a JSON object",
            where=str(path),
            fix="write one object per line, or a list of objects",
        )
    return replace(of_records(path, kind, found), doubled=frozenset(doubled.names))


def _first_values(path: Path, kind: str, doubled: Doubled) -> Iterator[Record | None]:
    """Yield the first values of a file, None for what is no object."""
    name, index = stem(path), 0
    with opened(path) as stream:
        found = (
            islice(line_values(stream, doubled), SAMPLE_ROWS)
            if kind == "jsonl"
            else outlines(stream.read, doubled)
        )
        try:
            for index, value in enumerate(found):
                if not isinstance(value, dict):
                    yield None
                    continue
                refuse_beyond("columns", len(value), path)
                yield Record(value, (), f"{name}-{index}" if index else name)
        except (ValueError, RecursionError) as error:
            if index >= SAMPLE_ROWS:  # what is damaged that late costs its rows only
                return
            raise DataError(
                f"is damaged JSON ({error})", where=str(path), fix="write or fetch it again"
            ) from error


def _parquet_head(path: Path) -> Head:
    from workloadlab.ingestion.parsing.text import as_text
    from workloadlab.ingestion.readers.parquet import nested

    with unbroken(path):
        footer = pl.read_parquet_metadata(path)
        scan = pl.scan_parquet(path, glob=False)
        types = dict(_fields(dict(scan.collect_schema())))
    if FOOTER_KEY in footer:
        raise UsageError("is a trace already", where=str(path), fix="use it as it is")
    paths = {".".join(where): where for where in types}
    dtypes = {".".join(where): dtype for where, dtype in types.items()}
    texts = [as_text(nested(where), dtypes[key]).alias(key) for key, where in paths.items()]
    with unbroken(path):
        total = int(scan.select(pl.len()).collect().item())
        stretches = [scan.slice(*each).select(texts).collect() for each in spread_rows(total)]
    frame = pl.concat(stretches)
    if not frame.height:
        raise _no_rows(path)
    return Head(path, "parquet", tuple(paths), tuple(frame.to_dicts()), paths=paths, types=dtypes)


def _fields(
    schema: dict[str, pl.DataType], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], pl.DataType]]:
    for name, dtype in schema.items():
        if isinstance(dtype, pl.Struct):
            yield from _fields({each.name: each.dtype for each in dtype.fields}, (*above, name))  # type: ignore[misc]
        else:
            yield (*above, name), dtype
