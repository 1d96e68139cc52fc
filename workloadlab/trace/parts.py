"""A trace that grows: a folder of trace files on one clock, with one manifest."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.atomic import write_atomically
from workloadlab.digests import check_object, sealed
from workloadlab.errors import DataError
from workloadlab.json_files import read_object
from workloadlab.shapes import ShapeError, build
from workloadlab.trace.schema import COLUMNS, SCHEMA_VERSION
from workloadlab.trace.store import scan_trace

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PARTS", "Part", "read_ids", "read_parts", "scan_parts", "write_parts"]

MANIFEST = "parts.json"
PARTS = "part-*.parquet"
"""The files of such a folder."""

_PART = r"part-[\w.-]{1,200}\.parquet"
_IDS = r"[a-z_]+(\.[0-9a-f]{16})?\.parquet"
_AGAIN = "ingest the logs again"
_MERGED = ("read", "written")
_COUNTED = ("rejected", "repaired", "left_out")


@dataclass(frozen=True)
class Part:
    """One file of the folder.

    Attributes:
        file: its name.
        rows: its requests.
        first_ns, last_ns: its first and last arrival, from the trace's t0.
    """

    file: str
    rows: int
    first_ns: int
    last_ns: int


def read_parts(folder: Path) -> list[Part]:
    """Return the files of a trace that grows; none for a folder without a manifest.

    Raises:
        DataError: the manifest is damaged, of another version, or names a file that is missing.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return []
    facts = _manifest(path)
    version = facts.get("schema_version")
    try:
        parts: list[Part] = build(list[Part], facts.get("parts"), "parts")
    except ShapeError as error:
        raise DataError(f"is damaged: {error}", where=str(path), fix=_AGAIN) from error
    if version != SCHEMA_VERSION:
        raise DataError(
            f"has trace schema version {version}; this version reads {SCHEMA_VERSION}",
            where=str(path),
            fix="ingest the logs again with this version",
        )
    for part in parts:
        if not re.fullmatch(_PART, part.file):
            raise DataError(
                f"names {part.file[:60]!r}, which is no part of a trace",
                where=str(path),
                fix=_AGAIN,
            )
        if not (folder / part.file).is_file():
            raise DataError(
                f"names {part.file}, which is not there", where=str(path), fix="ingest again"
            )
    return parts


def read_ids(folder: Path) -> dict[str, str] | None:
    """Return the files that hold which number each id has, and their digests.

    None for a folder that was made before its manifest named them.

    Raises:
        DataError: the manifest is damaged.
    """
    path = folder / MANIFEST
    try:
        ids: dict[str, str] | None = build(dict[str, str] | None, _manifest(path).get("ids"), "ids")
    except ShapeError as error:
        raise DataError(f"is damaged: {error}", where=str(path), fix=_AGAIN) from error
    for name in ids or {}:
        if not re.fullmatch(_IDS, name):
            raise DataError(
                f"names {name[:60]!r}, which is no file of ids", where=str(path), fix=_AGAIN
            )
    return ids


def _manifest(path: Path) -> dict[str, Any]:
    return check_object(read_object(path, fix=_AGAIN), str(path))


def write_parts(folder: Path, parts: list[Part], ids: dict[str, str]) -> None:
    """Write the manifest: from here on the folder holds these files, and goes on with these ids."""
    facts = {
        "schema_version": SCHEMA_VERSION,
        "parts": [vars(part) for part in parts],
        "ids": ids,
    }
    with write_atomically(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(sealed(facts), indent=1) + "\n", encoding="utf-8")


def scan_parts(
    folder: Path, parts: list[Part], *, verify: bool = True
) -> tuple[pl.LazyFrame, dict[str, Any]]:
    """Open the files as one frame in canonical order, with what all their footers say."""
    scanned = [scan_trace(folder / part.file, verify=verify) for part in parts]
    frame = pl.concat([frame for frame, _ in scanned], how="diagonal")
    present = frame.collect_schema()
    frame = frame.select(name for name in COLUMNS if name in present)
    if any(before.last_ns > after.first_ns for before, after in pairwise(parts)):
        frame = frame.sort("arrival_ns", "row_id")
    return frame, _joined([footer for _, footer in scanned])


def _joined(footers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one provenance of several: sources and notes of all, counts added, facts that agree."""
    first, *others = footers
    rows: dict[str, Any] = {name: sum(each["rows"][name] for each in footers) for name in _MERGED}
    for name in _COUNTED:
        counts: Counter[str] = Counter()
        for each in footers:
            counts.update(each["rows"].get(name, {}))
        if counts or name in first["rows"]:
            rows[name] = dict(sorted(counts.items()))
    agreed = {
        k: v for k, v in first["system"].items() if all(o["system"].get(k) == v for o in others)
    }
    return {
        **first,
        "reader": ", ".join(dict.fromkeys(each["reader"] for each in footers)),
        "sources": [source for each in footers for source in each["sources"]],
        "notes": list(dict.fromkeys(note for each in footers for note in each["notes"])),
        "rows": rows,
        "system": agreed,
    }
