"""JSON values one by one to rows of text: the records in them, and the wanted keys of each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.ingestion.inspect import stem
from workloadlab.ingestion.parsing.json import (
    NOT_JSON,
    Doubled,
    Record,
    looked_up,
    records,
    text_of,
)
from workloadlab.ingestion.parsing.values import NO_BLOCKS, hashed_block
from workloadlab.ingestion.readers.chunk import PLACES, Chunk, rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloadlab.ingestion.head import Head

__all__ = ["Walk", "typed"]

NO_OBJECT = "not a JSON object"
TWICE = "key named twice: the last counts"


def typed(wanted: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Return what is wanted of JSON: lists of block ids, and text."""
    return {
        key: dtype if isinstance(dtype, pl.List) else pl.String() for key, dtype in wanted.items()
    }


class Walk:
    """Reads JSON values one by one, finds the records in them, and the wanted keys of each."""

    def __init__(
        self, head: Head, wanted: Mapping[str, pl.DataType], *, twice: bool = False
    ) -> None:
        self.head, self.wanted, self.name = head, wanted, stem(head.path)
        self.names = {name for key in wanted for name in key.removeprefix("^").split(".")}
        self.twice = twice or bool(head.doubled & self.names)

    def lines(self, text: bytes, start: int) -> Chunk:
        """Read a block line by line and set aside what is no object."""
        rows, twice = _Rows(self.wanted), 0
        doubled = Doubled() if self.twice else None
        for line, record in enumerate(text.decode("utf-8", "replace").split("\n"), start=1):
            if record.strip():
                try:
                    whole = json.loads(record.rstrip().rstrip(","), object_pairs_hook=doubled)
                    self._add(whole, start + line - 1, line, rows)
                except (ValueError, RecursionError):
                    rows.reject(line, None, NOT_JSON)
                twice += self.names_twice(doubled)
        return rows.chunk(text.count(b"\n"), twice)

    def names_twice(self, doubled: Doubled | None) -> bool:
        """Say whether the last value named a wanted key twice, and forget that."""
        if doubled is None or not doubled.names:
            return False
        found = bool(doubled.names & self.names)
        doubled.names.clear()
        return found

    def values(self, start: int, found: list[Any] | None, twice: int) -> Chunk:
        """Read values; None stands for what could not be read."""
        rows = _Rows(self.wanted)
        if found is None:
            rows.reject(None, None, NOT_JSON)
        for index, value in enumerate(found or [], start=start):
            self._add(value, index, None, rows)
        return rows.chunk(0, twice)

    def elements(self, found: list[Any], broken: bool) -> Chunk:
        """Read elements of a list that lies in a document."""
        rows = _Rows(self.wanted)
        for element in found:
            for record in records(element, "", (), ""):
                rows.add(None, record)
        if broken:
            rows.reject(None, None, NOT_JSON)
        return rows.chunk(0, 0)

    def _add(self, value: Any, index: int, line: int | None, rows: _Rows) -> None:
        if not isinstance(value, dict):
            rows.reject(line, None, NO_OBJECT)
            return
        name = f"{self.name}-{index}" if index else self.name
        for record in records(value, self.head.walk, self.head.zipped, name):
            rows.add(line, record)


class _Rows:
    """Columns that grow, and what was set aside."""

    def __init__(self, wanted: Mapping[str, pl.DataType]) -> None:
        self.wanted = wanted
        self.columns: dict[str, list[Any]] = {key: [] for key in wanted}
        self.good: list[tuple[int, int | None]] = []
        self.bad: list[tuple[int, int | None, str | None, str | None, str]] = []

    def reject(self, line: int | None, key: str | None, reason: str) -> None:
        """Set a record aside; it is never quoted, for it may hold a prompt."""
        self.bad.append((len(self.good) + len(self.bad) + 1, line, key, None, reason))

    def add(self, line: int | None, record: Record) -> None:
        """Take the wanted keys of a record."""
        values: list[Any] = []
        for key, dtype in self.wanted.items():
            value = looked_up(record, key)
            if isinstance(dtype, pl.List):
                try:
                    values.append(value if value is None else [hashed_block(i) for i in value])
                except TypeError:
                    self.reject(line, key, NO_BLOCKS)
                    return
            else:
                values.append(text_of(value))
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(value)
        self.good.append((len(self.good) + len(self.bad) + 1, line))

    def chunk(self, lines: int, twice: int) -> Chunk:
        """Return what was taken; so many values named a wanted key twice."""
        return Chunk(
            pl.DataFrame(self.columns, schema=dict(self.wanted)),
            lines,
            rejected(self.bad),
            pl.DataFrame(self.good, schema=PLACES, orient="row"),
            repaired={TWICE: twice} if twice else {},
        )
