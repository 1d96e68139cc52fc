"""The beginning of a log file: its container, its keys and some of its values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.ingestion.parsing.json import (
    Record,
    find,
    leaves,
    looked_up,
    opened_text,
    text_of,
)
from workloadlab.ingestion.parsing.json import records as records_of
from workloadlab.ingestion.spread import thinned

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from workloadlab.ingestion.formats import Format

__all__ = ["Head", "of_records"]


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
        escaped: whether a backslash stands before a quote in a quoted field.
        types: dtypes of a Parquet file's keys.
        doubled: keys that a JSON object names twice.
        walk: the way to the records in a JSON value, and `zipped` its parallel lists; see `Format`.
    """

    path: Path
    container: str
    keys: tuple[str, ...]
    rows: tuple[dict[str, str | None], ...]
    separator: str = ","
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    records: tuple[Record, ...] = ()
    escaped: bool = False
    types: dict[str, pl.DataType] = field(default_factory=dict)
    doubled: frozenset[str] = frozenset()
    walk: str = ""
    zipped: tuple[str, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The keys, and those of the JSON that stands in texts."""
        return (*self.keys, *(name for name in self._inner if name not in self.keys))

    @cached_property
    def _inner(self) -> dict[str, list[str]]:
        """The first values of the JSON that stands in texts, by key; each text is read once."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            for key, text in row.items():
                if text is None or text[:1] != "{":
                    continue
                for name, value in _inner_values(text).items():
                    found.setdefault(f"{key}.{name}", []).extend([] if value is None else [value])
        return found

    @cached_property
    def samples(self) -> dict[str, list[str]]:
        """The first values by key, as text; only those present."""
        found: dict[str, list[str]] = {key: [] for key in self.keys}
        for row in self.rows:
            for key, value in row.items():
                if value is not None:
                    found[key].append(value)
        return found

    def said(self, key: str) -> list[str]:
        """Return the first values of a key, which may lie in the JSON of a text."""
        if key in self.samples:
            return self.samples[key]
        if key in self._inner:
            return self._inner[key]
        return self.table([key]).to_series().drop_nulls().to_list()

    def table(self, keys: Iterable[str]) -> pl.DataFrame:
        """Return the first records as text columns."""
        if self.records:
            rows = [
                {key: text_of(looked_up(record, key)) for key in keys} for record in self.records
            ]
        else:
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
            thinned(
                inner
                for record in self.records
                for inner in records_of(
                    record.value, log_format.records, log_format.zipped, record.number
                )
            )
        )
        walk = {"walk": log_format.records, "zipped": log_format.zipped}
        walk["doubled"] = self.doubled  # type: ignore[assignment]
        return replace(of_records(self.path, self.container, found), paths={}, **walk)  # type: ignore[arg-type]


def _inner_values(text: str) -> dict[str, str | None]:
    found = opened_text(text)
    if not isinstance(found, dict):
        return {}
    return {".".join(where): text_of(value) for where, value in leaves(found)}


def of_records(path: Path, kind: str, found: tuple[Record, ...]) -> Head:
    """Return the head of a JSON file, of its first records."""
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
