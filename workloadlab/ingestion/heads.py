"""The files of one trace: which are read, by which format, and which are left aside."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloadlab.errors import DataError, UsageError, WorkloadlabError
from workloadlab.ingestion.columns import recognise
from workloadlab.ingestion.formats import refused
from workloadlab.ingestion.inspect import EMPTY, inspect
from workloadlab.ingestion.readers.packing import encoding, opened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from workloadlab.ingestion.formats import Format
    from workloadlab.ingestion.head import Head

START_BYTES = 1 << 16

__all__ = ["Logs", "read_heads", "refuse_changed", "sha256", "states"]


@dataclass(frozen=True)
class Logs:
    """What is read.

    Attributes:
        heads: the files.
        log_format: their format.
        notes: which files were left aside, and why.
    """

    heads: list[Head]
    log_format: Format
    notes: list[str]


def read_heads(
    paths: Sequence[tuple[Path, bool]],
    log_format: Format | None,
    mapping: Mapping[str, str],
    out: Path | None,
) -> Logs:
    """Look at the beginning of every file and find their one format.

    Files without rows, and files with the bytes of an earlier one, are left aside; so are files that
    are no log, where the user named a pattern or a folder and not the file.

    Args:
        paths: each file, and whether it was found by a pattern or in a folder.
        log_format: the format if the user said it.
        mapping: what the user mapped.
        out: the trace to be written, which must be none of the files.

    Raises:
        UsageError, DataError: nothing is left, or what is left does not belong together.
    """
    heads: list[Head] = []
    notes: list[str] = []
    formats: list[Format] = []
    starts: dict[bytes, list[Path]] = {}
    first_error: WorkloadlabError | None = None
    for path, found in paths:
        if out is not None and out.resolve() == path.resolve():
            raise UsageError(
                "is a source and would be overwritten", where=str(out), fix="name another output"
            )
        try:
            start = _start(path)
            if twin := next((each for each in starts.get(start, ()) if _same(each, path)), None):
                notes.append(f"{path.name} has the bytes of {twin.name}: left aside")
                continue
            head = inspect(path)
            chosen = log_format or recognise(head, mapping)
        except (DataError, UsageError) as error:
            if not (len(paths) > 1 and (error.what in (*EMPTY, *refused.ASIDE) or found)):
                raise
            first_error = first_error or error
            notes.append(f"{path.name} {error.what.splitlines()[0].rstrip('.')}: left aside")
            continue
        heads.append(head.under(chosen) if mapping else head.respelled(chosen).under(chosen))
        formats.append(chosen)
        starts.setdefault(start, []).append(path)
        if written := encoding(path):
            notes.append(f"{path.name} is not UTF-8: read as {written}")
    if not heads:
        raise first_error or UsageError("no source file is named", fix="name at least one log")
    for head, other in zip(heads, formats, strict=True):
        if other.name != formats[0].name:
            raise UsageError(
                f"is {other.name}, and {heads[0].path} is {formats[0].name}",
                where=str(head.path),
                fix="ingest them apart",
            )
    if formats[0].note:
        notes.append(formats[0].note)
    return Logs(heads, formats[0], notes)


def _start(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked."""
    with opened(path) as stream:
        return bytes(stream.read(START_BYTES))


def _same(first: Path, second: Path) -> bool:
    """Say whether two files that begin alike hold the same, packed or not."""
    return _contents(first) == _contents(second)


def _contents(path: Path) -> bytes:
    digest = hashlib.sha256()
    with opened(path) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.digest()


def states(paths: Sequence[tuple[Path, bool]]) -> dict[Path, tuple[int, int]]:
    """Return size and time of change of every file, for `refuse_changed`."""
    return {path: _state(path) for path, _ in paths}


def refuse_changed(before: Mapping[Path, tuple[int, int]]) -> None:
    """Refuse logs that somebody wrote to while they were read: their digest would be untrue.

    Raises:
        DataError: a file has another size or time of change than before, or is gone.
    """
    for path, state in before.items():
        if not path.exists() or _state(path) != state:
            raise DataError(
                "changed while it was read",
                where=str(path),
                fix="copy it first, then ingest the copy",
            )


def _state(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
