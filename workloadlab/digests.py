"""Digests: of a file, of a file that bears its own, and of a JSON object. What is damaged is not read.

A digest finds bits that flipped and files that were exchanged. It is no signature: whoever can write
the file can write its digest.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from workloadlab.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = [
    "BLANK",
    "FILE_DIGEST",
    "check_file",
    "check_object",
    "file_digest",
    "fill_blank",
    "sealed",
    "unverified",
    "verifying",
]

FILE_DIGEST = "file_sha256"
"""The key, in a Parquet footer, of the digest of the file with this value blank."""

BLANK = "0" * 64
DIGEST = "sha256"
"""The key, in a JSON object, of the digest of everything else in it."""

_MARK = f'"{FILE_DIGEST}": "'.encode()
_BLOCK = 1 << 20
_verify: ContextVar[bool] = ContextVar("verify", default=True)
_FIX = "restore it from a copy, or make it again; --no-verify (before the verb) reads it as it is"


@contextmanager
def unverified() -> Iterator[None]:
    """Read files as they are, without looking at their digests.

    Example:
        >>> with unverified():
        ...     verifying()
        False
    """
    before = _verify.set(False)
    try:
        yield
    finally:
        _verify.reset(before)


def verifying() -> bool:
    """Say whether digests are looked at."""
    return _verify.get()


def file_digest(path: Path, *, blank_at: int | None = None) -> str:
    """Return the SHA-256 of a file; with `blank_at`, as if the digest there were zeros."""
    digest = sha256()
    with path.open("rb") as stream:
        if blank_at is not None:
            _feed(digest, stream, blank_at)
            digest.update(BLANK.encode())
            stream.seek(blank_at + len(BLANK))
        _feed(digest, stream)
    return digest.hexdigest()


def fill_blank(path: Path) -> None:
    """Write into a Parquet file, whose footer holds `BLANK` as `FILE_DIGEST`, the file's digest."""
    at = _digest_at(path)
    if at is None:
        raise ValueError(f"{path} has no place for a digest")
    digest = file_digest(path)
    with path.open("r+b") as stream:
        stream.seek(at)
        stream.write(digest.encode())


def check_file(path: Path, said: str) -> None:
    """Refuse a Parquet file that is not what its own footer says.

    Raises:
        DataError: it is damaged.
    """
    at = _digest_at(path)
    if verifying() and (at is None or file_digest(path, blank_at=at) != said):
        raise DataError(
            "is damaged: its digest is not the one that was written", where=str(path), fix=_FIX
        )


def sealed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object with the digest of its content as the last key.

    Example:
        >>> facts = sealed({"a": 1.5})
        >>> check_object(facts, "here")
        {'a': 1.5}
        >>> check_object(facts | {"a": 2.5}, "here")
        Traceback (most recent call last):
        ...
        workloadlab.errors.DataError: here: is damaged, or was edited: its content is not the one ...
    """
    rest = {key: value for key, value in facts.items() if key != DIGEST}
    return {**rest, DIGEST: _of_object(rest)}


def check_object(facts: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a JSON object without its digest; one without a digest was written by hand.

    Raises:
        DataError: it is not what the digest was made of.
    """
    rest = {key: value for key, value in facts.items() if key != DIGEST}
    if verifying() and DIGEST in facts and facts[DIGEST] != _of_object(rest):
        raise DataError(
            f"is damaged, or was edited: its content is not the one that {DIGEST} was made of",
            where=where,
            fix=f'restore or make it again; after an edit on purpose, remove the line "{DIGEST}"',
        )
    return rest


def _of_object(facts: Mapping[str, Any]) -> str:
    """Digest what a JSON reader sees, so that layout does not count."""
    seen = json.loads(json.dumps(facts))
    return sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def _digest_at(path: Path) -> int | None:
    """Return where in a Parquet file its own digest stands."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - 8))
        tail = stream.read(8)
        length = int.from_bytes(tail[:4], "little")
        start = max(0, size - 8 - length)
        stream.seek(start)
        found = stream.read(length).rfind(_MARK)
    return None if found < 0 else start + found + len(_MARK)


def _feed(digest: Any, stream: Any, most: int | None = None) -> None:
    while block := stream.read(_BLOCK if most is None else min(_BLOCK, most)):
        digest.update(block)
        most = None if most is None else most - len(block)
