"""Logs that somebody or something has damaged: bytes, lines, cells, keys and values."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

__all__ = ["mutant"]

SCRAPS = (
    b"\0\0\0", b'"', b"\\", b"\xff\xfe", b"NaN", b"null", b"1e400", b"-", b",", b"\n\n", b"{", b"]",
    b"\xef\xbb\xbf", b"\r", b"\\u0000", b"\t",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, "", " ", "x", "-", "NaN", "\\N", "12:30", "2026-09-21", "0000-00-00 00:00:00",
    "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", 0, -1, 0.5, 1e18, 1e300, 2**63, 2**64, -(2**70),
    float("nan"), float("inf"), [], {}, [[]], [None], [1, "a"], {"a": {"b": 1}}, [{"key": "k"}],
    "[1,2", '{"a":', "[]", "{}", "a" * 500, "\u0000", "\ud83d\ude00",
)  # fmt: skip
SCALES = (0, -1, 1e-9, 1e-3, 1e3, 1e6, 1e9, 1e12, 1e30)

Mutation = Callable[[bytes, Random], bytes]


def mutant(log: bytes, dice: Random) -> bytes:
    """Return the log with one to four things wrong in it."""
    for _ in range(dice.randint(1, 4)):
        log = dice.choice(MUTATIONS)(log, dice)
    return log


def _bytes_flipped(log: bytes, dice: Random) -> bytes:
    changed = bytearray(log)
    for _ in range(dice.randint(1, 3)):
        if changed:
            changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def _scrap_inserted(log: bytes, dice: Random) -> bytes:
    at = dice.randint(0, len(log))
    return log[:at] + dice.choice(SCRAPS) + log[at:]


def _stretch_lost(log: bytes, dice: Random) -> bytes:
    start = dice.randint(0, len(log))
    return log[:start] + log[start + dice.randint(1, 60) :]


def _cut_short(log: bytes, dice: Random) -> bytes:
    return log[: dice.randint(len(log) // 2, len(log))]


def _lines_changed(log: bytes, dice: Random) -> bytes:
    lines = log.split(b"\n")
    one, other = dice.randrange(len(lines)), dice.randrange(len(lines))
    deed = dice.randrange(5)
    if deed == 0:
        lines[one:one] = [lines[one]] * dice.randint(1, 30)
    elif deed == 1:
        del lines[one]
    elif deed == 2:
        lines[one], lines[other] = lines[other], lines[one]
    elif deed == 3:
        lines[one] = lines[one][: dice.randint(0, len(lines[one]))]
    else:
        lines[one:one] = [lines[0]]
    return b"\n".join(lines)


def _cells_changed(log: bytes, dice: Random) -> bytes:
    rows = [line.split(b",") for line in log.split(b"\n")]
    row = dice.choice(rows)
    place, other = dice.randrange(len(row)), dice.randrange(len(row))
    deed = dice.randrange(5)
    if deed == 0:
        row[place] = str(dice.choice(VALUES)).encode("utf-8", "replace")
    elif deed == 1:
        row[place], row[other] = row[other], row[place]
    elif deed == 2:
        for each in rows:
            del each[place : place + 1]
    elif deed == 3:
        for each in rows[1:]:
            each[place : place + 1] = [str(dice.choice(VALUES)).encode("utf-8", "replace")]
    else:
        row.append(row[place])
    return b"\n".join(b",".join(each) for each in rows)


def _value_changed(log: bytes, dice: Random) -> bytes:
    """Change one value of the JSON in a line, or of the document."""
    lines = [log] if log[:1] in b"[" or b"\n " in log else log.split(b"\n")
    at = dice.randrange(len(lines))
    try:
        value = json.loads(lines[at])
    except ValueError:
        return log
    for _ in range(dice.randint(1, 3) if isinstance(value, list | dict) else 0):
        _change(value, dice)
    lines[at] = json.dumps(value).encode("utf-8", "replace")
    return b"\n".join(lines)


def _change(value: Any, dice: Random) -> None:
    """Change something in a list or object, at any depth."""
    inner = [v for v in _members(value) if isinstance(v, list | dict) and v]
    if inner and dice.random() < 0.7:
        _change(dice.choice(inner), dice)
        return
    if not value:
        return
    key: Any = dice.choice(list(value)) if isinstance(value, dict) else dice.randrange(len(value))
    deed = dice.randrange(6)
    if deed == 0:
        del value[key]
    elif deed == 1 and isinstance(value, dict):
        value[f"{key}{dice.choice(['_', '.x', 's', ''])}"] = value.pop(key)
    elif deed == 2 and isinstance(value[key], int | float):
        value[key] *= dice.choice(SCALES)
    elif deed == 3:
        value[key] = [deepcopy(value[key]) for _ in range(dice.randint(0, 3))]
    elif deed == 4:
        value[key] = str(value[key]) if dice.random() < 0.5 else json.dumps(value[key])
    else:
        value[key] = deepcopy(dice.choice(VALUES))


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


MUTATIONS: tuple[Mutation, ...] = (
    _bytes_flipped,
    _scrap_inserted,
    _stretch_lost,
    _cut_short,
    _lines_changed,
    _cells_changed,
    _value_changed,
    _value_changed,
    _value_changed,
)
