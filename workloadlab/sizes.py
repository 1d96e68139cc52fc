"""Amounts of memory as people write them."""

from __future__ import annotations

import re

from workloadlab.errors import UsageError
from workloadlab.fields import is_number, is_whole
from workloadlab.installation import memory_bytes

__all__ = ["allowed_bytes", "bytes_words", "parse_bytes"]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12,
          "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}  # fmt: skip
LEAST = 64 << 20


def parse_bytes(words: str, option: str = "--memory-limit") -> int:
    """Return bytes from text such as 4GB, 512MiB or 1.5g.

    Raises:
        UsageError: no amount, or under 64 MiB.

    Example:
        >>> parse_bytes("4GB"), parse_bytes("512 MiB")
        (4000000000, 536870912)
    """
    found = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([kmgt]?i?)b?\s*", words.lower())
    if not found or found[2] not in _UNITS:
        raise UsageError(f"{option} {words!r} is no amount of memory", fix="write 4GB or 512MiB")
    size = int(float(found[1]) * _UNITS[found[2]])
    if size < LEAST:
        raise UsageError(f"{option} {words!r} is under 64 MiB", fix="allow at least 64MiB")
    return size


def allowed_bytes(limit: float | str | None) -> float:
    """Return the bytes that data may take: a limit, or None for all of this machine or container.

    Raises:
        UsageError: the limit is no amount of memory.

    Example:
        >>> allowed_bytes("1GB")
        1000000000
    """
    if limit is None:
        return memory_bytes()
    if isinstance(limit, str):
        return parse_bytes(limit, "memory_limit =")
    if not (is_whole(limit, 1) or (is_number(limit) and limit > 0)):
        raise UsageError(f"memory_limit = {limit!r:.60}", fix='give bytes, or words such as "4GB"')
    return limit


def bytes_words(size: float) -> str:
    """Return bytes in the unit that shows the size.

    Example:
        >>> bytes_words(1), bytes_words(52_300), bytes_words(310_200_000), bytes_words(2.22e9)
        ('1 byte', '52.3 kB', '310.2 MB', '2.2 GB')
    """
    for unit, of in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= of:
            return f"{size / of:.1f} {unit}"
    return f"{size:g} byte{'' if size == 1 else 's'}"
