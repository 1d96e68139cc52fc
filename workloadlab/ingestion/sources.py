"""Which files to read, and what each of them is: found by content, never by name."""

from __future__ import annotations

import glob
import json
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import file_path, legible, listed
from workloadlab.errors import DataError, UsageError, WorkloadlabError
from workloadlab.ingestion.readers.limits import refuse_beyond
from workloadlab.ingestion.readers.packing import PACKED, opened
from workloadlab.ingestion.readers.piped import keep_stdin
from workloadlab.ingestion.remote import fetched, is_remote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["BLOCK_BYTES", "BOM", "container", "find", "plain_names", "record_end", "text_blocks"]

BLOCK_BYTES = 8 << 20
PROBE_BYTES = 1 << 16
LINE_BYTES = 64 << 20
_QUOTED_BYTES = 64 << 20
BOM = b"\xef\xbb\xbf"
_BINARY = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_NO_TEXT = (
    "is not text (it holds control bytes)",
    "name a CSV, JSON or Parquet file; save text as UTF-8",
)
_SEQUENCE = (
    "is a JSON text sequence (RFC 7464), with a control byte before each value",
    "take those out: tr -d '\\036' < FILE > FILE.json",
)
_BINARIES = {
    b"SQLite format 3": "a SQLite database",
    b"ARROW1": "an Arrow (Feather) file",
    b"Obj\x01": "an Avro file",
    b"ORC": "an ORC file",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet (xls)",
}
"""How files begin that are no text."""
_BRACKETED = re.compile(rb"\[\s*(\d{4}-\d\d|\d\d?[/:]|[A-Za-z_.][\w./-]*\s*[\]: ])")
"""A moment, a level or a name in brackets, with which lines of text begin, and no list."""
_NOTHING = {b"null", b"NaN", b"nan", b"None", b"true", b"false", b"undefined", b"[]", b"{}"}
"""Words of which a file without records is made."""
STDIN = "-"


def find(
    sources: str | Path | Sequence[str | Path],
    folder: Path,
    storage_options: Mapping[str, str] | None = None,
) -> list[tuple[Path, bool]]:
    """Return the files that `sources` names, and whether a pattern or folder named them.

    Globs and folders are read in name order; `-` is stdin.

    Args:
        sources: what the user named: a path, a pattern, a list of them, or a frame.
        folder: where stdin and remote files are kept while they are read.
        storage_options: for remote files; see `fetched`.

    Raises:
        UsageError: nothing there, not to be fetched, or a file named twice.
    """
    if type(sources).__module__.partition(".")[0] in ("polars", "pandas"):
        return [(_written(sources, folder), False)]
    named = [sources] if isinstance(sources, str | Path) else listed("sources", sources)
    if not named:
        raise UsageError("no source file is named", fix="name at least one log file")
    paths: list[tuple[Path, bool]] = []
    for name in (
        each if isinstance(each, str) else str(file_path("sources", each)) for each in named
    ):
        if not name.strip():
            raise UsageError("a source has no name", fix="name a file; is a variable empty?")
        if is_remote(name):
            paths.append((fetched(name, folder, storage_options or {}), False))
        else:
            paths += [(path, path != Path(name)) for path in _expanded(name, folder)]
    seen: set[Path] = set()
    for path, _ in paths:
        if legible(path).resolve() in seen:
            raise UsageError("is named twice", where=str(path), fix="name each file once")
        seen.add(path.resolve())
    return paths


@contextmanager
def plain_names(folder: Path) -> Iterator[None]:
    """Say errors of files that are kept while they are read with the names that people know."""
    try:
        yield
    except WorkloadlabError as error:
        if str(folder) not in (error.where or ""):
            raise
        where = str(error.where).replace(f"{folder / 'stdin'}", "standard input")
        where = where.replace(f"{folder}/", "")
        raise type(error)(error.what, where=where, fix=error.fix) from error


def _written(frame: Any, folder: Path) -> Path:
    """Write a frame where it can be read like a log."""
    import polars as pl

    path = folder / "frame.parquet"
    if isinstance(frame, pl.LazyFrame):
        frame.sink_parquet(path)
        return path
    made = frame if isinstance(frame, pl.DataFrame) else pl.from_pandas(frame)
    made.write_parquet(path)
    return path


def _expanded(name: str, folder: Path) -> list[Path]:
    if name == STDIN:
        return [keep_stdin(folder / "stdin")]
    path = Path(name)
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file() and _is_shown(each, path))
        if not files:
            raise UsageError("is a folder without files", where=name, fix="name a log")
        return files
    if path.is_fifo():
        raise UsageError(
            "is a pipe, which can be read only once",
            where=name,
            fix=f"workloadlab ingest - < {name}",
        )
    if path.exists():
        return [path]
    if not glob.has_magic(name):
        raise UsageError("no such file", where=name, fix="check the path")
    found = [Path(match) for match in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207
    files = [match for match in found if not match.is_dir()]
    if not files:
        raise UsageError("no file matches this pattern", where=name, fix="check the pattern")
    return files


def _is_shown(path: Path, folder: Path) -> bool:
    """Say whether neither a file nor a folder between is hidden, as our own scratch folders are."""
    return all(part[0] != "." for part in path.relative_to(folder).parts)


def container(path: Path) -> str:
    """Say whether a file is csv, jsonl, json or parquet; but for parquet it may be packed.

    Raises:
        DataError: empty, an archive, or not text.
    """
    probe = _probe(path)
    if probe.startswith(b"PAR1"):
        return "parquet"
    if kind := next((kind for magic, kind in _BINARIES.items() if probe.startswith(magic)), None):
        raise DataError(
            f"is {kind}", where=str(path), fix="export it as CSV, JSON or Parquet, and ingest that"
        )
    if probe.startswith(b"PK\x03\x04") and b"[Content_Types].xml" in probe:
        raise DataError(
            "is a spreadsheet (xlsx)", where=str(path), fix="save the sheet as CSV (UTF-8)"
        )
    if probe.startswith(b"PK\x03\x04"):
        raise DataError("is a zip archive", where=str(path), fix="unpack it first, or use gzip")
    if probe[257:262] == b"ustar":
        raise DataError("is a tar archive", where=str(path), fix="unpack it first: tar -xf FILE")
    if probe.startswith(tuple(PACKED)):
        raise DataError("is packed twice", where=str(path), fix="unpack it once")
    if probe.count(b"\0") * 3 > len(probe) and b"\0\0" not in probe:
        raise DataError(
            "is UTF-16 text without the mark that says so",
            where=str(path),
            fix="save it as UTF-8: iconv -f UTF-16LE -t UTF-8 FILE > FILE.utf8",
        )
    start = probe.replace(b"\0", b"").removeprefix(BOM).lstrip()
    if _BINARY.search(start):
        what, fix = _SEQUENCE if start.startswith(b"\x1e") else _NO_TEXT
        raise DataError(what, where=str(path), fix=fix)
    if not start:
        raise DataError("is empty", where=str(path), fix="name a log with at least one request")
    if (words := set(start.split())) <= _NOTHING:
        raise DataError(
            f"holds nothing but {words.pop().decode()}",
            where=str(path),
            fix="name a log with requests: a query that found none may write this",
        )
    if start.startswith((b"{'", b"[{'")):
        raise DataError(
            "is dicts as Python prints them, not JSON",
            where=str(path),
            fix="write each with json.dumps",
        )
    if start[:1] in (b"{", b"[") and not _BRACKETED.match(start):
        return _json_kind(path, start)
    return "jsonl" if _mostly_objects(start) else "csv"


def _mostly_objects(start: bytes) -> bool:
    """Say whether most lines are JSON objects, as behind the first words of a server."""
    lines = [line for line in start.split(b"\n")[:-1] if line.strip() not in (b"", *_NOTHING)]
    lines = lines[:: 1 + len(lines) // 200]
    objects = [line for line in lines if line[:1] == b"{" and line.rstrip()[-1:] == b"}"]
    return 2 * len(objects) > len(lines)


def _probe(path: Path) -> bytes:
    """Return the first bytes after the padding that log rotation may leave."""
    with opened(path) as stream:
        probe = stream.read(PROBE_BYTES)
        while probe and not probe.strip(b"\0"):
            probe = stream.read(PROBE_BYTES)
        return bytes(probe)


def _json_kind(path: Path, start: bytes) -> str:
    """JSON lines if the first line that is whole is one object, else a document."""
    first, _, rest = start.partition(b"\n")
    if not rest and _is_long(path):
        return "jsonl" if first[:1] == b"{" and _has_lines(path) else "json"
    try:
        return "jsonl" if isinstance(json.loads(first), dict) else "json"
    except (ValueError, RecursionError):
        pass
    try:  # a broken first line among good ones
        return "jsonl" if isinstance(json.loads(rest.split(b"\n", 1)[0]), dict) else "json"
    except (ValueError, RecursionError):
        return "json"


def _is_long(path: Path) -> bool:
    with opened(path) as stream:
        return len(stream.read(PROBE_BYTES)) == PROBE_BYTES


def _has_lines(path: Path) -> bool:
    """Say whether a long first line is followed by another that begins as an object does."""
    with opened(path) as stream:
        length, rest = 0, b""
        while b"\n" not in rest:
            length += len(rest)
            rest = stream.read(PROBE_BYTES)
            if not rest or length > LINE_BYTES:
                return False
        after = rest.partition(b"\n")[2].strip() or stream.read(PROBE_BYTES).strip()
    return bool(after[:1] == b"{")


def text_blocks(
    path: Path, *, quotes: bool, skip: int = 0, size: int = BLOCK_BYTES
) -> Iterator[bytes]:
    """Yield a text file in blocks that end where a record ends; the last may lack its newline.

    NUL bytes, which a log rotation leaves, are no text and are left out; so are the marks that files
    begin with (BOM), which joining files leaves in the middle.

    Args:
        path: the file.
        quotes: whether a newline inside double quotes belongs to the record (CSV).
        skip: bytes to leave out at the start, such as the header.
        size: bytes to read at a time.
    """
    with opened(path) as stream:
        rest = stream.read(skip + size)[skip:].replace(b"\0", b"")
        while more := stream.read(size):
            cut = record_end(rest, quotes=quotes)
            if cut:
                yield _unmarked(rest[:cut])
            rest = rest[cut:] + (more.replace(b"\0", b"") if b"\0" in more else more)
            refuse_beyond("bytes in one record", len(rest) - size, path)
        if rest := _unmarked(rest):
            yield rest


def _unmarked(text: bytes) -> bytes:
    """Leave out BOMs; their first byte alone is searched for ten times faster."""
    return text.replace(BOM, b"") if BOM[:1] in text else text


def record_end(text: bytes, *, quotes: bool) -> int:
    """Return the length of the whole records at the start of `text`.

    A quote that is never closed would make the rest of the file one record; beyond 64 MB the last
    newline counts, quoted or not.
    """
    cut = text.rfind(b"\n") + 1
    if not quotes or b'"' not in text:
        return cut
    end, odd = cut, text.count(b'"', 0, cut) % 2
    while odd and end:
        previous = text.rfind(b"\n", 0, end - 1) + 1
        odd ^= text.count(b'"', previous, end) % 2
        end = previous
    return end or (cut if len(text) > _QUOTED_BYTES else 0)
