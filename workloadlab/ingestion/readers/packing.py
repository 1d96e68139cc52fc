"""Open a log for reading, through whatever it is packed in, as text in UTF-8."""

from __future__ import annotations

import bz2
import codecs
import gzip
import json
import lzma
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import polars as pl

from workloadlab.errors import DataError, UsageError
from workloadlab.ingestion.parsing.encodings import ENCODINGS, encoding_of
from workloadlab.ingestion.parsing.logfmt import mostly_logfmt, pairs
from workloadlab.ingestion.parsing.prefixes import unprefixed
from workloadlab.ingestion.readers.limits import PACKED_BYTES, refuse_beyond

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["PACKED", "encoding", "opened", "unbroken"]


def _zstd(raw: IO[bytes]) -> Any:
    import pyarrow as pa

    return pa.input_stream(raw, compression="zstd")


PACKED: dict[bytes, tuple[str, Callable[[IO[bytes]], Any]]] = {
    b"\x1f\x8b": ("gzip", lambda raw: gzip.GzipFile(fileobj=raw)),
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd),
    b"\x50\x2a\x4d\x18": ("zstd", _zstd),  # a frame to skip, as pzstd begins with
    b"\xfd7zXZ": ("xz", lzma.LZMAFile),
    b"BZh": ("bzip2", bz2.BZ2File),
}
"""First bytes of a packed file, the name of the packing, and what unpacks it."""


PROBE_BYTES = 1 << 14
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _Named:
    """A stream whose damage is told in a sentence."""

    def __init__(self, stream: Any, raw: IO[bytes], kind: str, path: Path) -> None:
        self.stream, self.raw, self.kind, self.path = stream, raw, kind, path
        self.unpacked = 0

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes, or all."""
        try:
            found = bytes(self.stream.read(size))
        except (EOFError, OSError, zlib.error, lzma.LZMAError, ValueError) as error:
            raise DataError(
                f"is damaged {self.kind} ({error})",
                where=str(self.path),
                fix=f"fetch it again, or unpack what is whole of it with the tools of {self.kind}",
            ) from error
        self.unpacked += len(found)
        if self.unpacked > PACKED_BYTES:
            ratio = self.unpacked / max(self.raw.tell(), 1)
            refuse_beyond("times its packed size", ratio, self.path)
        return found


class _Through:
    """A stream whose bytes go through a function, which is told when there are no more."""

    def __init__(
        self, stream: Any, start: bytes = b"", change: Callable[[bytes, bool], bytes] | None = None
    ) -> None:
        self.stream, self.change = stream, change
        self.rest = change(start, not start) if change else start

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes, or all; fewer at the end only."""
        parts, held = [self.rest], len(self.rest)
        while size < 0 or held < size:
            raw = self.stream.read(size - held if size > 0 else size)
            parts.append(self.change(raw, not raw) if self.change else raw)
            held += len(parts[-1])
            if not raw:
                break
        whole = b"".join(parts)
        found, self.rest = (whole, b"") if size < 0 else (whole[:size], whole[size:])
        return found

    def __iter__(self) -> Iterator[bytes]:
        """Yield lines."""
        rest = b""
        while more := self.read(1 << 16):
            *lines, rest = (rest + more).split(b"\n")
            yield from (line + b"\n" for line in lines)
        if rest:
            yield rest


def _recoded(encoding: str) -> Callable[[bytes, bool], bytes]:
    """Return what makes UTF-8 of another encoding."""
    decode = codecs.getincrementaldecoder(encoding)("replace").decode
    return lambda raw, last: decode(raw, last).encode()


def _as_json() -> Callable[[bytes, bool], bytes]:
    """Return what makes lines of JSON of lines of `key=value` pairs; others stay as they are."""
    rest = b""

    def change(raw: bytes, last: bool) -> bytes:
        nonlocal rest
        *lines, rest = (rest + raw).split(b"\n")
        if last:
            lines, rest = [*lines, rest], b""
        ends = b"" if last else b"\n"
        return b"\n".join(map(_line_as_json, lines)) + (ends if lines else b"")

    return change


def _line_as_json(line: bytes) -> bytes:
    text = line.decode("utf-8", "replace")
    return json.dumps(found).encode() if (found := pairs(text)) else line


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file for reading bytes, unpacked: gzip, zstd, xz, bzip2 or as it is.

    UTF-16, which Windows writes, and older encodings are read as UTF-8, lines of `key=value` pairs as
    lines of JSON, and lines of JSON without what a container's runtime writes before each.

    Raises:
        UsageError: the file cannot be opened.
        DataError: what it is packed in is damaged or cut short.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise UsageError(
            f"cannot be read ({error.strerror})", where=str(path), fix="check its permissions"
        ) from error
    with raw:
        stream = _unpacked(raw, path)
        unpack = stream is not raw
        probe = stream.read(PROBE_BYTES)
        written = _encoding(probe)
        if written is not None:
            stream = _Through(stream, probe, _recoded(written))
            probe = stream.read(PROBE_BYTES)
        change = _as_json() if mostly_logfmt(probe) else unprefixed(probe)
        if change or written or unpack:
            stream = _Through(stream, probe, change)
        else:
            raw.seek(0)
        yield stream


def _unpacked(raw: IO[bytes], path: Path) -> Any:
    start = raw.read(6)
    raw.seek(0)
    found = (each for magic, each in PACKED.items() if start.startswith(magic))
    kind, unpack = next(found, ("", None))
    return _Named(unpack(raw), raw, kind, path) if unpack else raw


def _encoding(probe: bytes) -> str | None:
    return "utf-16" if probe.startswith(UTF16) else encoding_of(probe)


def encoding(path: Path) -> str | None:
    """Return the name of the older encoding that a file is read in, as people know it; else None."""
    with path.open("rb") as raw:
        return ENCODINGS.get(_encoding(_unpacked(raw, path).read(PROBE_BYTES)) or "")


@contextmanager
def unbroken(path: Path, what: str = "is damaged Parquet", fix: str = "") -> Iterator[None]:
    """Say in a sentence what polars finds wrong in a Parquet file; some damage makes it panic.

    Raises:
        DataError: the block met a file that is damaged.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(
            f"{what} ({str(error).splitlines()[0]})",
            where=str(path),
            fix=fix or "write or fetch it again",
        ) from error
