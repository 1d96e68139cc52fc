"""JSON lines and JSON documents as chunks of text columns."""

from __future__ import annotations

import io
import json
from itertools import islice
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.ingestion.inspect import stem
from workloadlab.ingestion.parsing.json import (
    Doubled,
    Record,
    line_values,
    looked_up,
    numbers_only,
    records,
    text_of,
    values,
)
from workloadlab.ingestion.parsing.values import NO_BLOCKS, hashed_block
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
from workloadlab.ingestion.readers.parquet import nested
from workloadlab.ingestion.sources import text_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workloadlab.ingestion.head import Head

__all__ = ["fast_objects", "patient_objects", "read_json", "read_jsonl"]

BATCH = 2_000
INVALID = "invalid JSON"
NO_OBJECT = "not a JSON object"
TWICE = "key named twice: the last counts"
STRETCH, WHOLE = 1 << 16, 1 << 20
"""Bytes of a block that are searched for keys that come twice, and of one that is searched whole."""

Way = tuple[tuple[str, ...], str]
"""The way to a key: through objects, and then a key of the JSON in the text there, or ""."""


def read_jsonl(head: Head, wanted: Mapping[str, pl.DataType]) -> Reading:
    """Read the wanted keys of a JSON-lines file as text; blank lines are no rows.

    Where every key lies in plain objects, a block in which every line is an object goes through
    polars; what that refuses, and any other log, is read line by line.
    """
    wanted = _types(wanted)
    walk = _Walk(head, wanted)
    ways = {key: _way(head, key) for key in wanted}
    plain = {key: way for key, way in ways.items() if way is not None}
    if head.walk or head.zipped or len(plain) < len(ways) or walk.twice:
        pieces = _counted(text_blocks(head.path, quotes=False))
        return Reading(pieces, lambda piece: [walk.lines(piece[1], piece[0])])

    def fast(part: bytes) -> Chunk | None:
        chunk = fast_objects(part, plain, wanted)
        if chunk is None and (numbers := numbers_only(part)) is not part:
            return fast_objects(numbers, plain, wanted)
        return chunk

    def parse(text: bytes) -> list[Chunk]:
        if _twice(text, plain):
            return [_Walk(head, wanted, twice=True).lines(numbers_only(text), 0)]
        return piecewise(text, fast, lambda part: walk.lines(numbers_only(part), 0), quotes=False)

    return Reading(text_blocks(head.path, quotes=False), parse)


def read_json(head: Head, wanted: Mapping[str, pl.DataType]) -> Reading:
    """Read the wanted keys of the values of a JSON document, or of several one after another."""
    walk = _Walk(head, _types(wanted))

    def pieces() -> Iterator[tuple[int, list[Any] | None, int]]:
        doubled = Doubled() if walk.twice else None
        with opened(head.path) as stream:
            found, start = values(stream.read, doubled), 0
            while True:
                batch: list[Any] = []
                twice = 0
                try:
                    for value in islice(found, BATCH):
                        batch.append(value)
                        twice += walk.names_twice(doubled)
                except (ValueError, RecursionError):
                    yield start, None, twice
                    return
                if not batch:
                    return
                yield start, batch, twice
                start += len(batch)

    return Reading(pieces(), lambda piece: [walk.values(*piece)])


def _twice(text: bytes, ways: Mapping[str, Way]) -> bool:
    """Say whether an object of a block names a wanted key twice; of a large block, of parts of it.

    polars takes the first of them, Python the last.
    """
    names = {name for where, _ in ways.values() for name in where}
    doubled, half = Doubled(), len(text) // 2
    some = (text[:STRETCH], text[half : half + STRETCH], text[-STRETCH:])
    for part in some if len(text) > WHOLE else (text,):
        lines = part.count(b"\n") + 1
        if any(part.count(f'"{name}"'.encode()) > lines for name in names):
            for _ in line_values(part.split(b"\n"), doubled):
                pass
    return bool(doubled.names & names)


def _types(wanted: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    return {
        key: dtype if isinstance(dtype, pl.List) else pl.String() for key, dtype in wanted.items()
    }


def _counted(blocks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each block with the number of lines before it."""
    line = 0
    for text in blocks:
        yield line, text
        line += text.count(b"\n")


def _way(head: Head, key: str) -> Way | None:
    """Return the way to a key, or None where lists of pairs or what is around a record lie on it.

    A key that the head does not show is taken to lie where its neighbours do.
    """
    if key in head.paths:
        return head.paths[key], ""
    if key.startswith("^") or key == "#":
        return None
    names = key.split(".")
    for cut in range(len(names) - 1, 0, -1):
        start = ".".join(names[:cut])
        if start in head.paths:
            text = next(iter(head.samples[start]), "{")
            return (head.paths[start], ".".join(names[cut:])) if text[:1] == "{" else None
    if key in head.keys or any(".".join(names[:cut]) in head.keys for cut in range(1, len(names))):
        return None
    if any(len(where) > 1 and where[0] == names[0] for where in head.paths.values()):
        return tuple(names), ""
    return (key,), ""


def fast_objects(
    text: bytes, ways: Mapping[str, Way], wanted: Mapping[str, pl.DataType]
) -> Chunk | None:
    """Read a block with polars, or return None if any line of it is not plainly one object."""
    lines = counted(text, b"\n") + (not text.endswith(b"\n"))
    try:
        frame = pl.read_ndjson(io.BytesIO(text), schema=_schema(ways, wanted))
        if frame.height != lines:
            return None
        return Chunk(frame.select(_expression(ways[key]).alias(key) for key in wanted), lines)
    except (pl.exceptions.PolarsError, _Crossed):
        return None


class _Crossed(Exception):  # noqa: N818
    """One key is an object for another."""


def _expression(way: Way) -> pl.Expr:
    where, rest = way
    return inside(nested(where), rest) if rest else nested(where)


def _schema(ways: Mapping[str, Way], wanted: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    tree: dict[str, Any] = {}
    for key, (where, rest) in ways.items():
        branch = tree
        for name in where[:-1]:
            branch = branch.setdefault(name, {})
            if not isinstance(branch, dict):
                raise _Crossed(key)
        leaf = pl.String() if rest else wanted[key]
        if branch.setdefault(where[-1], leaf) != leaf:
            raise _Crossed(key)
    return {name: _dtype(branch) for name, branch in tree.items()}


def _dtype(branch: Any) -> pl.DataType:
    if not isinstance(branch, dict):
        return branch  # type: ignore[no-any-return]
    return pl.Struct({name: _dtype(below) for name, below in branch.items()})


def patient_objects(text: bytes, head: Head, wanted: Mapping[str, pl.DataType]) -> Chunk:
    """Read a block line by line and set aside what is no object."""
    return _Walk(head, wanted).lines(text, 0)


class _Walk:
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
                    rows.reject(line, None, INVALID)
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
            rows.reject(None, None, INVALID)
        for index, value in enumerate(found or [], start=start):
            self._add(value, index, None, rows)
        return rows.chunk(0, twice)

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
