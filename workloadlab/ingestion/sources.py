"""Which files to read, and what each of them is: found by content, never by name."""

from __future__ import annotations

import glob
import gzip
import zlib
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING

from workloadlab.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BLOCK_BYTES", "BOM", "container", "find", "opened", "record_end", "text_blocks"]

BLOCK_BYTES = 16 << 20
PROBE_BYTES = 1 << 16
_QUOTED_BYTES = 64 << 20
_GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
_PACKED = {
    b"PK\x03\x04": "a zip archive",
    b"\x28\xb5\x2f\xfd": "zstd-compressed",
    b"\xfd7zXZ": "xz-compressed",
    b"BZh": "bzip2-compressed",
}


def find(sources: str | Path | Sequence[str | Path]) -> list[Path]:
    """Return the files that `sources` names, globs expanded in name order.

    Raises:
        UsageError: nothing there, a folder, or a file named twice.
    """
    named = [sources] if isinstance(sources, str | Path) else list(sources)
    if not named:
        raise UsageError("no source file is named", fix="name at least one log file")
    paths = [path for name in named for path in _expanded(str(name))]
    for path in paths:
        if path.is_dir():
            raise UsageError(
                "is a folder, not a log file", where=str(path), fix=f'name its files: "{path}/*"'
            )
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise UsageError("is named twice", where=str(path), fix="name each file once")
        seen.add(path.resolve())
    return paths


def _expanded(name: str) -> list[Path]:
    path = Path(name)
    if path.exists():
        return [path]
    if not glob.has_magic(name):
        raise UsageError("no such file", where=name, fix="check the path")
    found = [Path(match) for match in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207
    files = [match for match in found if not match.is_dir()]
    if not files:
        raise UsageError("no file matches this pattern", where=name, fix="check the pattern")
    return files


def container(path: Path) -> str:
    """Say whether a file is csv, jsonl or parquet; csv and jsonl may be gzipped.

    Raises:
        DataError: empty, packed some other way, or not text.
        UsageError: a JSON array instead of JSON lines.
    """
    probe = _probe(path)
    if probe.startswith(b"PAR1"):
        return "parquet"
    for magic, kind in _PACKED.items():
        if probe.startswith(magic):
            raise DataError(
                f"is {kind}", where=str(path), fix="unpack it first, or pack it with gzip"
            )
    if b"\0" in probe:
        raise DataError(
            "is not text (it holds NUL bytes)",
            where=str(path),
            fix="name a CSV, JSON-lines or Parquet file; save text as UTF-8",
        )
    start = probe.removeprefix(BOM).lstrip()
    if not start:
        raise DataError("is empty", where=str(path), fix="name a log with at least one request")
    if start.startswith(b"["):
        raise UsageError(
            "is one JSON array, not JSON lines",
            where=str(path),
            fix="write one object per line: jq -c '.[]' FILE > FILE.jsonl",
        )
    return "jsonl" if start.startswith(b"{") else "csv"


def _probe(path: Path) -> bytes:
    with opened(path) as stream:
        return stream.read(PROBE_BYTES)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes, through gzip if it is gzipped.

    Raises:
        UsageError: the file cannot be opened.
        DataError: its gzip stream is damaged or cut short.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if packed else nullcontext(raw) as stream:
                yield stream  # type: ignore[misc]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"is damaged gzip ({error})",
            where=str(path),
            fix="fetch it again, or unpack what is whole of it with gunzip",
        ) from error
    except OSError as error:
        raise UsageError(
            f"cannot be read ({error.strerror})", where=str(path), fix="check its permissions"
        ) from error


def text_blocks(
    path: Path, *, quotes: bool, skip: int = 0, size: int = BLOCK_BYTES
) -> Iterator[bytes]:
    """Yield a text file in blocks that end where a record ends; the last may lack its newline.

    Args:
        path: the file.
        quotes: whether a newline inside double quotes belongs to the record (CSV).
        skip: bytes to leave out at the start, such as the header.
        size: bytes to read at a time.
    """
    with opened(path) as stream:
        rest = stream.read(skip + size)[skip:].removeprefix(BOM)
        while more := stream.read(size):
            cut = record_end(rest, quotes=quotes)
            if cut:
                yield rest[:cut]
            rest = rest[cut:] + more
        if rest:
            yield rest


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
