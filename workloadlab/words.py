"""Numbers, names and sentences as people read them, in tables, on terminals and on pages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workloadlab.tables import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "column",
    "few_or_counted",
    "listed",
    "plural",
    "rate_words",
    "seconds",
    "sentence",
    "share",
    "share_beside",
    "three",
    "time_unit",
    "times",
]

SMALLEST = 5e-10
"""What is smaller has no digit among the nine that are printed."""


def three(value: float, *, whole: bool = True) -> str:
    """Return three significant digits, never an exponent.

    Args:
        value: the number.
        whole: leave whole numbers as they are: 10, not 10.0.

    Example:
        >>> three(0.04342), three(5.53042), three(1020.4), three(10.0), three(10.0, whole=False)
        ('0.0434', '5.53', '1,020', '10', '10.0')
    """
    if abs(value) < SMALLEST or (whole and value == int(value)):
        return f"{int(value):,}"
    rounded = abs(float(f"{value:.3g}"))
    decimals = max(0, 2 - math.floor(math.log10(rounded)))
    return f"{value:,.{min(decimals, 9)}f}"


def seconds(value: float) -> str:
    """Return a time in the unit that suits its size.

    Example:
        >>> seconds(0.0000123), seconds(0.0589), seconds(4.3146), seconds(3501.7), seconds(-0.0589)
        ('12.3 µs', '58.9 ms', '4.31 s', '58 min 22 s', '-58.9 ms')
        >>> seconds(1e-9)
        '1 ns'
    """
    size, sign = abs(value), "-" if value < 0 else ""
    if size >= 120:
        return sign + duration(size)
    if size >= 1 or size == 0:
        return f"{three(value)} s"
    if size >= 1e-3:
        return f"{three(value * 1e3)} ms"
    return f"{three(value * 1e6)} µs" if size >= 1e-6 else f"{three(value * 1e9)} ns"


def share(value: float) -> str:
    """Return a fraction as a percentage with the digits that matter near 0 and 1.

    Example:
        >>> share(0.0434), share(0.5), share(0.99982), share(1.0), share(1e-6)
        ('4.3%', '50%', '99.98%', '100%', 'under 0.01%')
    """
    if value > 1:
        return f"{value:.0%}"
    if 0 < value < 5e-5:
        return "under 0.01%"
    if 1 - 5e-5 < value < 1:
        return "over 99.99%"
    far = min(value, 1 - value)
    decimals = 0 if far in (0, 0.5) else 1 if far >= 1e-3 else 2
    return f"{value:.{decimals}%}"


def share_beside(value: float, bar: float) -> str:
    """Return a fraction as a percentage that stands on its side of a bar, with more digits if need be.

    Example:
        >>> share_beside(0.98971, 0.99), share_beside(0.99, 0.99), share_beside(0.5, 0.99)
        ('98.97%', '99.0%', '50%')
    """
    said = share(value)
    for decimals in range(2, 7):
        if said[0].isdigit() and (float(said[:-1]) / 100 >= bar - 1e-12) != (value >= bar):
            said = f"{value:.{decimals}%}"
    return said


def times(scale: float) -> str:
    """Return a rate relative to the recorded one, in up to six digits, never with an exponent.

    Example:
        >>> times(1.5), times(4470.0), times(4 / 3), times(0.000025)
        ('x1.5', 'x4,470', 'x1.33333', 'x0.000025')
    """
    return f"x{_plain(scale)}"


def rate_words(scale: float) -> str:
    """Return a rate relative to the recorded one as a sentence says it.

    Example:
        >>> rate_words(1.0), rate_words(4470.0)
        ('the recorded rate', '4,470 times the recorded rate')
    """
    return "the recorded rate" if scale == 1 else f"{_plain(scale)} times the recorded rate"


def _plain(scale: float) -> str:
    decimals = max(0, 5 - math.floor(math.log10(abs(scale)))) if scale else 0
    said = f"{float(f'{scale:.6g}'):,.{decimals}f}"
    return said.rstrip("0").rstrip(".") if "." in said else said


def sentence(words: str) -> str:
    """Return words as a sentence: a capital first, a full stop last."""
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun, and what agrees with it.

    Example:
        >>> plural(1, "router"), plural(5000, "router"), plural(1, "row lacks", "rows lack")
        ('1 router', '5,000 routers', '1 row lacks')
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does: `a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def few_or_counted(names: Sequence[str], most: int = 3) -> str:
    """Name a few as a sentence does; count them where they are more.

    Example:
        >>> few_or_counted(["a", "b"]), few_or_counted(["a", "b", "c", "d"])
        ('a and b', '4 others')
    """
    return listed(names) if len(names) <= most else f"{len(names):,} others"


def time_unit(values: Sequence[float | None]) -> tuple[str, float]:
    """Choose one unit for a column of seconds: its name and how many make a second.

    The median decides, so that one overloaded run does not turn all others into 0.

    Example:
        >>> time_unit([0.0589, 0.2, 61.0]), time_unit([0.5, 12.0, 13.0])
        (('ms', 1000.0), ('s', 1.0))
    """
    sizes = sorted(abs(value) for value in values if value)
    return ("ms", 1e3) if sizes and sizes[(len(sizes) - 1) // 2] < 2 else ("s", 1.0)


def column(values: Sequence[float | None], scale: float = 1.0) -> list[str]:
    """Return numbers times `scale` with three significant digits each; None as a dash.

    Example:
        >>> column([0.05897, 0.2242, 61.268, 0.0, None], 1000)
        ['59.0', '224', '61,300', '0', '-']
    """
    scaled = [None if value is None else value * scale for value in values]
    whole = all(value is None or value == int(value) for value in scaled)
    return [
        "-"
        if value is None
        else three(value)
        if whole
        else three(float(f"{value:.3g}"), whole=False)
        for value in scaled
    ]
