"""What the beginning of a log shows: its container, its keys and some sample values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.errors import DataError, UsageError
from workloadlab.ingestion.formats import refused
from workloadlab.ingestion.late import late_records
from workloadlab.ingestion.parsing.json import Record, leaves, looked_up, text_of, values
from workloadlab.ingestion.parsing.json import records as records_of
from workloadlab.ingestion.parsing.tables import header_at, table
from workloadlab.ingestion.readers.limits import refuse_beyond
from workloadlab.ingestion.readers.packing import opened, unbroken
from workloadlab.ingestion.sources import BOM, container, record_end
from workloadlab.trace.store import FOOTER_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from workloadlab.ingestion.formats import Format

__all__ = ["EMPTY", "Head", "inspect", "stem"]

SAMPLE_ROWS = 100
SAMPLE_BYTES = 1 << 20
EMPTY = ("is empty", "has a header but no rows")


@dataclass(frozen=True)
class Head:
    """The beginning of one log file.

    Attributes:
        path: the file.
        container: csv, jsonl, json or parquet.
        keys: column names in file order; in JSON and structs, nested ones are dotted.
        rows: the first records as text by key.
        separator: the field separator of a CSV file.
        paths: where each key is found in a nested record; those that take more are absent.
        records: the first records of a JSON file.
        comma: whether a comma is the decimal point.
        escaped: whether a backslash stands before a quote in a quoted field.
        types: dtypes of a Parquet file's keys.
        walk: the way to the records in a JSON value, and `zipped` its parallel lists; see `Format`.
    """

    path: Path
    container: str
    keys: tuple[str, ...]
    rows: tuple[dict[str, str | None], ...]
    separator: str = ","
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    records: tuple[Record, ...] = ()
    comma: bool = False
    escaped: bool = False
    types: dict[str, pl.DataType] = field(default_factory=dict)
    walk: str = ""
    zipped: tuple[str, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The keys, and those of the JSON that stands in texts."""
        inner: dict[str, None] = {}
        for row in self.rows:
            for key, text in row.items():
                if text is not None and text[:1] == "{":
                    inner |= dict.fromkeys(f"{key}.{name}" for name in _inner_names(text))
        return (*self.keys, *(name for name in inner if name not in self.keys))

    @cached_property
    def samples(self) -> dict[str, list[str]]:
        """The first values by key, as text; only those present."""
        found: dict[str, list[str]] = {key: [] for key in self.keys}
        for row in self.rows:
            for key, value in row.items():
                if value is not None:
                    found[key].append(value)
        return found

    def table(self, keys: Iterable[str]) -> pl.DataFrame:
        """Return the first records as text columns."""
        if self.records:
            rows = [
                {key: text_of(looked_up(record, key)) for key in keys} for record in self.records
            ]
        else:
            from workloadlab.ingestion.parsing.json import find

            rows = [{key: text_of(find(dict(row), key)) for key in keys} for row in self.rows]
        return pl.DataFrame(rows, schema=dict.fromkeys(keys, pl.String), orient="row")

    def shows(self, key: str) -> bool:
        """Say whether a key is among the first records, or may be inside of a text in them."""
        if key in self.samples or key in self.keys:
            return True
        if self.records:
            return any(looked_up(record, key) is not None for record in self.records)
        cut = key.find(".")
        while cut > 0:
            if key[:cut] in self.keys:
                return True
            cut = key.find(".", cut + 1)
        return False

    def respelled(self, log_format: Format) -> Head:
        """Return the head of a table with the columns in a format's letters: databases change them."""
        if self.records:
            return self
        known = {name.lower(): name for name in log_format.names()}
        names = {key: known.get(key.lower(), key) for key in self.keys}
        if len(set(names.values())) < len(names) or all(key == name for key, name in names.items()):
            return self
        return replace(
            self,
            keys=tuple(names[key] for key in self.keys),
            rows=tuple({names[key]: text for key, text in row.items()} for row in self.rows),
            paths={names[key]: where for key, where in self.paths.items()},
            types={names[key]: dtype for key, dtype in self.types.items()},
        )

    def under(self, log_format: Format) -> Head:
        """Return the head of the records that a format finds in these ones."""
        if not (log_format.records or log_format.zipped):
            return self
        found = tuple(
            islice(
                (
                    inner
                    for record in self.records
                    for inner in records_of(
                        record.value, log_format.records, log_format.zipped, record.number
                    )
                ),
                SAMPLE_ROWS,
            )
        )
        walk = {"walk": log_format.records, "zipped": log_format.zipped}
        return replace(_of_records(self.path, self.container, found), paths={}, **walk)  # type: ignore[arg-type]


def _inner_names(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [".".join(where) for where, _ in leaves(found)]


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
    if '{"' in lines[first]:
        raise DataError(
            "has something before the JSON of each line, as a container's log has",
            where=str(path),
            fix="strip it: sed 's/^[^{]*//' FILE > FILE.jsonl",
        )
    found = table(lines, first, SAMPLE_ROWS)
    if not found.found:
        raise _no_rows(path)
    if len(found.keys) == 1 and " " in found.keys[0]:
        raise DataError(refused.NO_COLUMNS, where=str(path), fix="name a table, or leave it out")
    return Head(
        path, "csv", found.keys, found.rows, found.separator,
        comma=found.comma, escaped=found.escaped,
    )  # fmt: skip


def _json_head(path: Path, kind: str) -> Head:
    found = tuple(islice(_first_records(path, kind), SAMPLE_ROWS))
    if not found:
        raise DataError(
            f"looks like JSON, but none of its first {SAMPLE_ROWS} "
            f"{'lines' if kind == 'jsonl' else 'values'} is a JSON object",
            where=str(path),
            fix="write one object per line, or a list of objects",
        )
    if kind == "jsonl" and len(found) == SAMPLE_ROWS:
        found += tuple(late_records(path, found, stem(path)))
    return _of_records(path, kind, found)


def _first_records(path: Path, kind: str) -> Iterator[Record]:
    name = stem(path)
    with opened(path) as stream:
        numbered = enumerate(_lines(stream) if kind == "jsonl" else values(stream.read))
        try:
            for index, value in numbered:
                if kind == "jsonl" and index >= SAMPLE_ROWS:
                    return
                if isinstance(value, dict):
                    refuse_beyond("columns", len(value), path)
                    yield Record(value, (), f"{name}-{index}" if index else name)
        except (ValueError, RecursionError) as error:
            if kind == "jsonl":
                raise
            raise DataError(
                f"is damaged JSON ({error})", where=str(path), fix="write or fetch it again"
            ) from error


def _lines(stream: Any) -> Iterator[Any]:
    for line in stream:
        text = line.replace(b"\0", b"").removeprefix(BOM).strip().rstrip(b",")
        if text:
            try:
                yield json.loads(text)
            except (ValueError, RecursionError):
                yield None


def _of_records(path: Path, kind: str, found: tuple[Record, ...]) -> Head:
    keys: dict[str, tuple[str, ...]] = {}
    plain: dict[str, tuple[str, ...]] = {}
    rows = []
    for record in found:
        row: dict[str, str | None] = {}
        if not isinstance(record.value, dict):
            continue
        for where, value in leaves(record.value):
            key = ".".join(where)
            keys.setdefault(key, where)
            row[key] = text_of(value)
            if _plain(record.value, where):
                plain.setdefault(key, where)
        rows.append(row)
    return Head(path, kind, tuple(keys), tuple(rows), paths=plain, records=found)


def _plain(value: Any, where: tuple[str, ...]) -> bool:
    """Say whether only objects lie on the way."""
    for name in where[:-1]:
        value = value.get(name)
        if not isinstance(value, dict):
            return False
    return True


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
        frame = scan.head(SAMPLE_ROWS).select(texts).collect()
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
