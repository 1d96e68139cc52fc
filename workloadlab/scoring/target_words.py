"""Targets as people write them: `ttft=500ms,tpot=0.05,batch:e2e=60`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workloadlab.arguments import number
from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["TIME_UNITS", "target_seconds", "target_words"]

TIME_UNITS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0}
"""Seconds in what a time may be written in."""


_LIKE_MS = {"ttft": 100.0, "tpot": 5.0}
"""From such numbers on, one without a unit looks like milliseconds."""


def target_words(text: str) -> dict[str, str]:
    """Split words into targets by name; one of a service class keeps its `class:`.

    Raises:
        UsageError: a word that is no target, or the same twice.

    Example:
        >>> target_words("ttft=500ms, batch:e2e=60")
        {'ttft': '500ms', 'batch:e2e': '60'}
    """
    found: dict[str, str] = {}
    for part in (part.strip() for part in text.split(",") if part.strip()):
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise UsageError(f"{part!r} is not key=value", fix="write ttft=1,tpot=50ms")
        if name.strip() in found:
            raise UsageError(f"{name.strip()} has two targets", fix="give it once")
        found[name.strip()] = value.strip()
    return found


def target_seconds(given: Mapping[str, float | str], known: Iterable[str]) -> dict[str, float]:
    """Return targets in seconds by their full names.

    Args:
        given: by full name (`ttft_s`) or as people say it (`ttft`); numbers of seconds, or text.
        known: the full names.

    Raises:
        UsageError: an unknown name, a name twice, text that is no time, or whose unit is in doubt.

    Example:
        >>> target_seconds({"ttft": "500ms", "tpot_s": 0.05}, ["ttft_s", "tpot_s"])
        {'ttft_s': 0.5, 'tpot_s': 0.05}
    """
    full = {name.replace("_s", ""): name for name in known}
    found: dict[str, float] = {}
    for word, value in given.items():
        plain = word.replace("_s", "")
        if plain not in full:
            raise UsageError(f"{word!r} is no latency", fix=did_you_mean(word, full))
        if full[plain] in found:
            raise UsageError(f"{plain} has two targets", fix="give it once")
        found[full[plain]] = _seconds(word, value)
    return found


def _seconds(word: str, target: float | str) -> float:
    """Read a target: a number of seconds, or one with its unit."""
    if not isinstance(target, str):
        return number(word, target)
    read = re.fullmatch(r"(-?\d*\.?\d+(?:[eE][+-]?\d+)?)\s*([a-z]*)", target.strip())
    if not read or read[2] not in TIME_UNITS:
        raise UsageError(
            f"{word}={target} is not a number of seconds", fix=f"write {word}=0.5 or {word}=500ms"
        )
    if not read[2] and float(read[1]) >= _LIKE_MS.get(word.removesuffix("_s"), float("inf")):
        raise UsageError(
            f"{word}={target} has no unit, and looks like milliseconds",
            fix=f"write {word}={target}ms or {word}={target}s",
        )
    return float(read[1]) * TIME_UNITS[read[2]]
