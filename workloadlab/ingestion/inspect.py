"""What the beginning of a log shows: its container, its keys and some sample values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.errors import DataError, UsageError
from workloadlab.ingestion.sources import container, opened
from workloadlab.trace.store import FOOTER_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Head", "fields", "inspect", "is_quoted", "nested", "raw_fields", "text_of"]

SAMPLE_ROWS = 100
_SEPARATORS = (",", "\t", ";", "|")


@dataclass(frozen=True)
class Head:
    """The beginning of one log file.

    Attributes:
        path: the file.
        container: csv, jsonl or parquet.
        keys: column names in file order; in JSON lines and structs, nested ones are dotted.
        samples: first values by key, as text; only those present.
        separator: the field separator of a CSV file.
        paths: where each key is found in a nested record.
    """

    path: Path
    container: str
    keys: tuple[str, ...]
    samples: dict[str, list[str]]
    separator: str = ","
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)


def inspect(path: Path) -> Head:
    """Read the beginning of a log file.

    Raises:
        DataError: empty, only a header, damaged, or not text.
        UsageError: a JSON array instead of JSON lines, or a trace.
    """
    kind = container(path)
    if kind == "parquet":
        return _parquet_head(path)
    return _jsonl_head(path) if kind == "jsonl" else _csv_head(path)


def text_of(value: Any) -> str | None:
    """Return a JSON value as the text that a CSV file would hold."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def fields(record: str, separator: str) -> list[str]:
    """Split one CSV record; double quotes protect separators, and themselves when doubled.

    Example:
        >>> fields('1,"a, b",', ",")
        ['1', 'a, b', '']
    """
    if '"' not in record:
        return record.split(separator)
    return [
        text[1:-1].replace('""', '"') if is_quoted(text) else text
        for text in raw_fields(record, separator)
    ]


def raw_fields(record: str, separator: str) -> list[str]:
    """Split one CSV record and leave its quotes."""
    whole: list[str] = []
    inside = False
    for piece in record.split(separator):
        if inside:
            whole[-1] += separator + piece
        else:
            whole.append(piece)
        inside ^= piece.count('"') % 2 == 1
    return whole


def is_quoted(text: str) -> bool:
    """Say whether a raw field stands between quotes."""
    return len(text) > 1 and text[0] == text[-1] == '"'


def _lines(path: Path) -> Iterator[str]:
    with opened(path) as stream:
        for line in stream:
            text = line.decode("utf-8-sig", "replace").strip("\r\n")
            if text.strip():
                yield text


def _no_rows(path: Path) -> DataError:
    return DataError("has a header but no rows", where=str(path), fix="name a log with requests")


def _csv_head(path: Path) -> Head:
    lines = list(islice(_lines(path), SAMPLE_ROWS + 1))
    separator = max(_SEPARATORS, key=lines[0].count)
    keys = tuple(name.strip() for name in fields(lines[0], separator))
    if len(lines) == 1:
        raise _no_rows(path)
    samples: dict[str, list[str]] = {key: [] for key in keys}
    for row in (fields(line, separator) for line in lines[1:]):
        if len(row) == len(keys):
            for key, value in zip(keys, row, strict=True):
                if value.strip():
                    samples[key].append(value.strip())
    return Head(path, "csv", keys, samples, separator)


def _jsonl_head(path: Path) -> Head:
    paths: dict[str, tuple[str, ...]] = {}
    samples: dict[str, list[str]] = {}
    for line in islice(_lines(path), SAMPLE_ROWS):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            for where, value in _leaves(record):
                key = ".".join(where)
                paths.setdefault(key, where)
                if value is not None:
                    samples.setdefault(key, []).append(str(text_of(value)))
    if not paths:
        raise DataError(
            f"looks like JSON, but none of its first {SAMPLE_ROWS} lines is a JSON object",
            where=str(path),
            fix="write one object per line: jq -c . FILE > FILE.jsonl",
        )
    return Head(path, "jsonl", tuple(paths), samples, paths=paths)


def _leaves(
    record: dict[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _parquet_head(path: Path) -> Head:
    try:
        footer = pl.read_parquet_metadata(path)
        frame = pl.scan_parquet(path, glob=False).head(SAMPLE_ROWS).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            "is damaged Parquet", where=str(path), fix="write or fetch it again"
        ) from error
    if FOOTER_KEY in footer:
        raise UsageError("is a trace already", where=str(path), fix="use it as it is")
    if not frame.height:
        raise _no_rows(path)
    paths = {".".join(where): where for where in _fields(dict(frame.schema))}
    samples: dict[str, list[str]] = {}
    for key, where in paths.items():
        values = frame.select(nested(where)).to_series().drop_nulls()
        samples[key] = [
            value.isoformat() if hasattr(value, "isoformat") else str(value) for value in values
        ]
    return Head(path, "parquet", tuple(paths), samples, paths=paths)


def _fields(
    schema: dict[str, pl.DataType], above: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    for name, dtype in schema.items():
        if isinstance(dtype, pl.Struct):
            yield from _fields({each.name: each.dtype for each in dtype.fields}, (*above, name))  # type: ignore[misc]
        else:
            yield (*above, name)


def nested(where: tuple[str, ...]) -> pl.Expr:
    """Return the expression of a possibly nested field."""
    expression = pl.col(where[0])
    for name in where[1:]:
        expression = expression.struct.field(name)
    return expression
