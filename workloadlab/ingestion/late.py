"""Keys that a JSON-lines log has only far from its beginning."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from workloadlab.ingestion.parsing.json import Record, leaves
from workloadlab.ingestion.readers.packing import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["late_records"]

PROBES = 32
PROBE_BYTES = 1 << 16
WHOLE_BYTES = 16 << 20
LONGEST = 80


def late_records(path: Path, first: tuple[Record, ...], number: str) -> Iterator[Record]:
    """Yield a record for each key that the first ones lack: a key may appear far into a log.

    Small logs are searched whole; large ones at their beginning, at places in between, and at the end.
    """
    known = {
        name.encode() for record in first for where, _ in leaves(record.value) for name in where
    }
    for text in _stretches(path):
        for name in _names(text) - known:
            known.add(name)
            at = text.find(b'"' + name + b'"')
            start, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
            try:
                value = json.loads(text[start : end if end > 0 else len(text)])
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                yield Record(value, (), number)


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
