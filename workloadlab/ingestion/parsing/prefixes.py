"""What containers, shippers and loggers write before the JSON of each line of a log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LOG_TIME", "unprefixed"]

LOG_TIME = "log_time"
"""The key under which a moment before an object is put into it."""
MOST_LINES = 200
_STAMP = rb"\[?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)\]?"
_WORDS = rb'[^{}",;\t\n]'
_STAMPED = re.compile(rb"^" + _STAMP + rb"[\s|:]" + _WORDS + rb'{0,200}?\{(?=")', re.MULTILINE)
_NAMED = re.compile(
    rb"^(?!data:|:::MLLOG)(?=[^{\n]*\w)" + _WORDS + rb'{1,200}?\{(?=")', re.MULTILINE
)
_OBJECT = b'{"%s":"\\1",' % LOG_TIME.encode()
_PART = re.compile(rb"^(\S+ std(?:out|err)) P ([^\n]*)\n\S+ std(?:out|err) ([PF]) ", re.MULTILINE)
_OPEN = re.compile(rb"\S+ std(?:out|err) P ")


def unprefixed(start: bytes) -> Callable[[bytes, bool], bytes] | None:
    r"""Return what takes off that which stands before the JSON of each line; None where nothing does.

    A moment at the beginning of a line becomes a key of its object. Lines that a container's runtime
    cut into parts (CRI) are joined.

    Args:
        start: the first bytes of a log.

    Example:
        >>> change = unprefixed(b'2026-09-21T14:13:20.5Z stdout F {"n": 9}\n')
        >>> change(b'2026-09-21T14:13:20.5Z stdout F {"n": 9}\n', True)
        b'{"log_time":"2026-09-21T14:13:20.5Z","n": 9}\n'
        >>> unprefixed(b'{"n": 9}\n')
    """
    lines = [line for line in start.split(b"\n")[:MOST_LINES] if line.strip()]
    for pattern, written in ((_STAMPED, _OBJECT), (_NAMED, b"{")):
        fit = sum(bool(pattern.match(line) or _OPEN.match(line)) for line in lines)
        if 2 * fit > len(lines) and any(map(pattern.match, lines)):
            return _taking_off(pattern, written)
    return None


def _taking_off(pattern: re.Pattern[bytes], written: bytes) -> Callable[[bytes, bool], bytes]:
    rest = b""

    def change(raw: bytes, last: bool) -> bytes:
        nonlocal rest
        text = rest + raw
        cut = len(text) if last else _whole(text)
        text, rest = text[:cut], text[cut:]
        while (joined := _PART.sub(rb"\1 \3 \2", text)) != text:
            text = joined
        return pattern.sub(written, text)

    return change


def _whole(text: bytes) -> int:
    """Return the length of the lines that are whole; a line in parts is not before its last part."""
    cut = text.rfind(b"\n") + 1
    while cut and _OPEN.match(text, begin := text.rfind(b"\n", 0, cut - 1) + 1):
        cut = begin
    return cut
