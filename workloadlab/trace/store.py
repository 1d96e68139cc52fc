"""Parquet in and out: atomic writes, provenance in the footer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.arguments import legible
from workloadlab.atomic import write_atomically
from workloadlab.digests import BLANK, FILE_DIGEST, check_file, file_digest, fill_blank
from workloadlab.errors import DataError, UsageError
from workloadlab.trace.schema import COLUMNS, REQUIRED, SCHEMA_VERSION

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FOOTER_KEY", "READ_ERRORS", "read_footer", "scan_trace", "trace_digest", "write_trace"]

FOOTER_KEY = "workloadlab"
READ_ERRORS = (
    pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, RecursionError,
)  # fmt: skip
"""What reading a damaged Parquet file ends in."""

ROW_GROUP = 131_072
ROW_GROUP_WITH_LISTS = 8_192


def write_trace(frame: pl.LazyFrame, path: Path, footer: dict[str, Any]) -> None:
    """Write rows that are already in canonical order, and the file's digest; see `Trace.save`."""
    lists = any(isinstance(t, pl.List) for t in frame.collect_schema().values())
    with write_atomically(path) as temporary:
        frame.sink_parquet(
            temporary,
            compression="zstd",
            compression_level=3,
            row_group_size=ROW_GROUP_WITH_LISTS if lists else ROW_GROUP,
            metadata={FOOTER_KEY: json.dumps({**footer, FILE_DIGEST: BLANK}, sort_keys=True)},
        )
        fill_blank(temporary)


def read_footer(path: Path) -> dict[str, Any]:
    """Return the provenance that `write_trace` stored.

    Raises:
        UsageError: no such file, a folder, a pipe or a device, or a name that is no text.
        DataError: not a Parquet file, or a Parquet file that is no trace.
    """
    if not legible(path).exists():
        raise UsageError("no such file", where=str(path), fix="check the path")
    if path.is_dir():
        raise UsageError("is a folder, not a trace", where=str(path), fix="name a .trace file")
    if not path.is_file():
        raise UsageError(
            "is a pipe or a device, and a trace is a file that is read in places",
            where=str(path),
            fix="write it to a file, and name that",
        )
    ingest_first = "make a trace of it first: workloadlab ingest FILE -o FILE.trace"
    try:
        with path.open("rb"):
            footer = pl.read_parquet_metadata(path)
        said = footer.get(FOOTER_KEY)
        facts = None if said is None else json.loads(said)
    except PermissionError:
        raise
    except READ_ERRORS as error:
        raise DataError(
            "is not a trace (not Parquet, or damaged)", where=str(path), fix=ingest_first
        ) from error
    if not isinstance(facts, dict):
        raise DataError("is Parquet but not a trace", where=str(path), fix=ingest_first)
    version = facts.get("schema_version")
    if version != SCHEMA_VERSION:
        raise DataError(
            f"has trace schema version {str(version)[:20]}; this version reads {SCHEMA_VERSION}",
            where=str(path),
            fix="ingest the source again with this version",
        )
    return facts


def scan_trace(path: Path, *, verify: bool = True) -> tuple[pl.LazyFrame, dict[str, Any]]:
    """Open a trace file lazily; check its digest, and its columns against the schema.

    Raises:
        UsageError, DataError: as `read_footer`; DataError too for another digest than the one
            written, missing columns or wrong types.
    """
    footer = read_footer(path)
    if verify and FILE_DIGEST in footer:
        check_file(path, str(footer[FILE_DIGEST]))
    try:
        frame = pl.scan_parquet(path, glob=False)
        schema = frame.collect_schema()
    except READ_ERRORS as error:
        raise DataError("is damaged", where=str(path), fix="ingest the source again") from error
    missing = [name for name in REQUIRED if name not in schema]
    if missing:
        raise DataError(f"lacks the columns {', '.join(missing)}", where=str(path))
    for name, dtype in schema.items():
        if name in COLUMNS and dtype != COLUMNS[name]:
            raise DataError(f"column {name} is {dtype}, not {COLUMNS[name]}", where=str(path))
    return frame, footer


def trace_digest(path: Path) -> str:
    """Return the digest that a trace file bears, or that of a file that bears none.

    Raises:
        UsageError, DataError: as `read_footer`.
    """
    return str(read_footer(path).get(FILE_DIGEST) or file_digest(path))
