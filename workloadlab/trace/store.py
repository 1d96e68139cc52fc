"""Parquet in and out: atomic writes, provenance in the footer."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.errors import DataError, UsageError
from workloadlab.trace.schema import COLUMNS, REQUIRED, SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["FOOTER_KEY", "read_footer", "scan_trace", "write_atomically", "write_trace"]

FOOTER_KEY = "workloadlab"
ROW_GROUP = 131_072
ROW_GROUP_WITH_LISTS = 8_192


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it over `path` only if the block succeeds.

    An interrupted or failed block leaves the old file, or nothing.

    Raises:
        UsageError: the folder of `path` does not exist, or `path` is a folder.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder", fix="give the name of a file to write")
    if not path.parent.is_dir():
        raise UsageError(f"the folder {path.parent} does not exist", fix="create it first")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_trace(frame: pl.LazyFrame, path: Path, footer: dict[str, Any]) -> None:
    """Write rows that are already in canonical order; see `Trace.save`."""
    lists = any(isinstance(t, pl.List) for t in frame.collect_schema().values())
    with write_atomically(path) as temporary:
        frame.sink_parquet(
            temporary,
            compression="zstd",
            compression_level=3,
            row_group_size=ROW_GROUP_WITH_LISTS if lists else ROW_GROUP,
            metadata={FOOTER_KEY: json.dumps(footer, sort_keys=True)},
        )


def read_footer(path: Path) -> dict[str, Any]:
    """Return the provenance that `write_trace` stored.

    Raises:
        UsageError: no such file, or a folder.
        DataError: not a Parquet file, or a Parquet file that is no trace.
    """
    if not path.exists():
        raise UsageError("no such file", where=str(path), fix="check the path")
    if path.is_dir():
        raise UsageError("is a folder, not a trace", where=str(path), fix="name a .trace file")
    ingest_first = "make a trace of it first: workloadlab ingest FILE -o FILE.trace"
    try:
        footer = pl.read_parquet_metadata(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            "is not a trace (not Parquet)", where=str(path), fix=ingest_first
        ) from error
    if FOOTER_KEY not in footer:
        raise DataError("is Parquet but not a trace", where=str(path), fix=ingest_first)
    facts: dict[str, Any] = json.loads(footer[FOOTER_KEY])
    version = facts.get("schema_version")
    if version != SCHEMA_VERSION:
        raise DataError(
            f"has trace schema version {version}; this version reads {SCHEMA_VERSION}",
            where=str(path),
            fix="ingest the source again with this version",
        )
    return facts


def scan_trace(path: Path) -> tuple[pl.LazyFrame, dict[str, Any]]:
    """Open a trace file lazily and check its columns against the schema.

    Raises:
        UsageError, DataError: as `read_footer`; DataError too for missing columns or wrong types.
    """
    footer = read_footer(path)
    frame = pl.scan_parquet(path, glob=False)
    schema = frame.collect_schema()
    missing = [name for name in REQUIRED if name not in schema]
    if missing:
        raise DataError(f"lacks the columns {', '.join(missing)}", where=str(path))
    for name, dtype in schema.items():
        if name in COLUMNS and dtype != COLUMNS[name]:
            raise DataError(f"column {name} is {dtype}, not {COLUMNS[name]}", where=str(path))
    return frame, footer
