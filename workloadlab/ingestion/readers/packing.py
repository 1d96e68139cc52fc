"""Open a log for reading, through whatever it is packed in."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import polars as pl

from workloadlab.errors import DataError, UsageError
from workloadlab.ingestion.readers.limits import PACKED_BYTES, refuse_beyond

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["PACKED", "opened", "unbroken"]


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

    def __iter__(self) -> Iterator[bytes]:
        """Yield lines."""
        rest = b""
        while more := self.read(1 << 16):
            *lines, rest = (rest + more).split(b"\n")
            yield from (line + b"\n" for line in lines)
        if rest:
            yield rest


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file for reading bytes, unpacked: gzip, zstd, xz, bzip2 or as it is.

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
        start = raw.read(6)
        raw.seek(0)
        for magic, (kind, unpack) in PACKED.items():
            if start.startswith(magic):
                yield _Named(unpack(raw), raw, kind, path)
                return
        yield raw


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
