"""JSON lines as chunks of text columns."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.ingestion.parsing.json import (
    Doubled,
    line_values,
    numbers_only,
)
from workloadlab.ingestion.readers.chunk import (
    Chunk,
    Reading,
    counted,
    inside,
    piecewise,
)
from workloadlab.ingestion.readers.parquet import nested
from workloadlab.ingestion.readers.walk import Walk, typed
from workloadlab.ingestion.sources import text_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workloadlab.ingestion.head import Head

__all__ = ["fast_objects", "patient_objects", "read_jsonl"]

STRETCH, WHOLE = 1 << 16, 1 << 20
"""Bytes of a block that are searched for keys that come twice, and of one that is searched whole."""

Way = tuple[tuple[str, ...], str]
"""The way to a key: through objects, and then a key of the JSON in the text there, or ""."""


def read_jsonl(head: Head, wanted: Mapping[str, pl.DataType]) -> Reading:
    """Read the wanted keys of a JSON-lines file as text; blank lines are no rows.

    Where every key lies in plain objects, a block in which every line is an object goes through
    polars; what that refuses, and any other log, is read line by line.
    """
    wanted = typed(wanted)
    walk = Walk(head, wanted)
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
            return [Walk(head, wanted, twice=True).lines(numbers_only(text), 0)]
        return piecewise(text, fast, lambda part: walk.lines(numbers_only(part), 0), quotes=False)

    return Reading(text_blocks(head.path, quotes=False), parse)


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
    return Walk(head, wanted).lines(text, 0)
