"""Lines of `key=value` pairs (logfmt), as Go, Envoy and Loki write them."""

from __future__ import annotations

import json
import re

__all__ = ["is_logfmt", "mostly_logfmt", "pairs"]

_PAIR = re.compile(r'([A-Za-z_@][\w.@/-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=[\s,;]|$)')
_STAMP = re.compile(r"\[?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)\b")
_BEGINNING = re.compile(rf"\s*(?:\[[A-Za-z][^\]\s]*\]\s+)?(?:{_PAIR.pattern}|{_STAMP.pattern})")
FEWEST = 3
"""Pairs of a line; fewer are an assignment in a text."""
MOST_LINES = 200


def is_logfmt(text: str) -> bool:
    """Say whether a text is pairs, from its beginning on, or behind a moment or a name in brackets.

    Example:
        >>> is_logfmt("ts=1.5 level=info tokens=7"), is_logfmt("solve x=1 for y=2 and z=3")
        (True, False)
    """
    return bool(_BEGINNING.match(text)) and len(_PAIR.findall(text)) >= FEWEST


def mostly_logfmt(start: bytes) -> bool:
    """Say whether most of the first lines are pairs."""
    if b"=" not in start:
        return False
    lines = [line for line in start.split(b"\n")[:MOST_LINES] if line.strip()]
    fit = sum(is_logfmt(line.decode("utf-8", "replace")) for line in lines)
    return 2 * fit > len(lines)


def pairs(text: str) -> dict[str, str]:
    r"""Return the pairs of a line; a moment before them is its `time`.

    Example:
        >>> pairs(r'2026-09-21 14:13:20 INFO gw: msg="it \"is\"" tokens=7, n=2')
        {'time': '2026-09-21 14:13:20', 'msg': 'it "is"', 'tokens': '7', 'n': '2'}
    """
    stamp = _STAMP.match(text.lstrip())
    before = {"time": stamp[1]} if stamp else {}
    return before | {key: _plain(value) for key, value in _PAIR.findall(text)}


def _plain(value: str) -> str:
    if value[:1] != '"':
        return value.rstrip(",;")
    try:
        return str(json.loads(value))
    except ValueError:
        return value[1:-1]
