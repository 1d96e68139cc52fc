"""Rows and keys from all over a log: its beginning may be a test run, and a key may come late."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from workloadlab.ingestion.parsing.fields import fields
from workloadlab.ingestion.parsing.json import Doubled, Record, leaves, line_values
from workloadlab.ingestion.readers.packing import opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["SAMPLE_ROWS", "spread_fields", "spread_records", "spread_rows", "thinned"]

_T = TypeVar("_T")

SAMPLE_ROWS = 100
"""Rows at the beginning of a log that are looked at; those from all over it are more."""
PROBES = 32
PROBE_BYTES = 1 << 16
WHOLE_BYTES = 16 << 20
LINES = 160
"""Lines that are looked at of what is read whole, and of all probes together."""
STRETCHES = 4
"""Places of a Parquet file that are looked at: each unpacks pages of all columns."""
THIN = 50
MOST = 10_000
LONGEST = 80


def spread_records(
    path: Path, first: tuple[Record, ...], number: str, doubled: Doubled
) -> Iterator[Record]:
    """Yield records from all over JSON lines, and one for each key that the first ones lack.

    Small logs are searched whole; large ones at their beginning, at places in between, and at the end.
    """
    known = {
        name.encode() for record in first for where, _ in leaves(record.value) for name in where
    }
    for index, text in enumerate(_stretches(path)):
        lines = _lines(text, LINES // PROBES if index else LINES)
        for name in _names(text) - known:
            known.add(name)
            at = text.find(b'"' + name + b'"')
            start, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
            lines.append(text[start : end if end > 0 else len(text)])
        for value in line_values(lines, doubled):
            if isinstance(value, dict):
                yield Record(value, (), number)


def spread_fields(path: Path, width: int, separator: str) -> Iterator[list[str]]:
    """Yield the fields of lines from all over a table, of those that have as many as its header."""
    for index, text in enumerate(_stretches(path)):
        for line in _lines(text, LINES // PROBES if index else LINES):
            found = fields(line.decode("utf-8", "replace").rstrip("\r"), separator)
            if len(found) == width:
                yield found


def spread_rows(total: int) -> Iterator[tuple[int, int]]:
    """Yield offset and length of the first rows of a table, and of few from all over it.

    Example:
        >>> list(spread_rows(90)), list(spread_rows(1_000_000))[:2]
        ([(0, 100)], [(0, 100), (250065, 40)])
    """
    yield 0, SAMPLE_ROWS
    few = LINES // STRETCHES
    last = total - SAMPLE_ROWS - few
    if last > 0:
        yield from ((SAMPLE_ROWS + last * n // STRETCHES, few) for n in range(1, STRETCHES + 1))
    elif total > SAMPLE_ROWS:
        yield SAMPLE_ROWS, few


def thinned(values: Iterable[_T]) -> Iterator[_T]:
    """Yield the first values, and few of those that follow."""
    each = iter(values)
    yield from islice(each, SAMPLE_ROWS)
    yield from islice(each, THIN - 1, MOST, THIN)


def _lines(text: bytes, most: int) -> list[bytes]:
    """Return whole lines from places evenly spread over a text."""
    found: dict[int, bytes] = {}
    for place in range(most):
        start = text.find(b"\n", len(text) * place // most) + 1
        end = text.find(b"\n", start)
        if start and end > start:
            found[start] = text[start:end]
    return list(found.values())


def _names(text: bytes) -> set[bytes]:
    """Return what stands between quotes before a colon."""
    names = {piece[piece.rfind(b'"') + 1 :] for piece in text.split(b'":')[:-1]}
    return {name for name in names if len(name) <= LONGEST and b"\\" not in name}


def _stretches(path: Path) -> Iterator[bytes]:
    with opened(path) as stream:
        yield stream.read(WHOLE_BYTES)
        if not hasattr(stream, "seek"):
            return
        rest = path.stat().st_size - WHOLE_BYTES
        for index in range(1, PROBES + 1 if rest > 0 else 0):
            stream.seek(WHOLE_BYTES + max(0, rest * index // PROBES - PROBE_BYTES))
            yield stream.read(PROBE_BYTES).partition(b"\n")[2]
