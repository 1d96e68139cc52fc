"""The unit of a time, and whether it is a moment or a duration, told from the values beside it.

A name that says no unit is no licence to take seconds: a chat of 400 tokens that took "8105" took
milliseconds, for nobody waits two hours for it. Where the values do not settle it, the user is asked.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.ingestion.formats.trees import keys, label
from workloadlab.ingestion.formats.words import Key, Minus, Value
from workloadlab.ingestion.parsing.times import UNITS

if TYPE_CHECKING:
    import polars as pl

    from workloadlab.ingestion.formats import Column

__all__ = [
    "EPOCH_S",
    "by_speed",
    "epoch_unit",
    "is_moment",
    "named_moment",
    "numbers",
    "since",
    "told",
]

EPOCH_S = 1e8
TOKENS_PER_S = (4.0, 700.0)
"""Tokens a second of one answer, between which its unit is certain: others lie a thousandfold away."""

TTFT_NS = 1e6
"""A time to first token below a millisecond is in another unit."""

TTFT_S = (0.004, 3.0)
"""A median time to first token that has no other likely unit."""

_MOMENT = re.compile(
    r"(end|ended|finish|finished|complete|completed|done|first_token|last_token|stop|stopped)"
    r"(_?(at|time|ts|timestamp|date))?$|_at$|_ts$|timestamp$",
    re.IGNORECASE,
)

_SPAN = re.compile(r"time_?to|latency|duration|elapsed|delay", re.IGNORECASE)


def epoch_unit(value: float) -> str | None:
    """Return the unit of an epoch by its size, or None if it is none.

    Example:
        >>> epoch_unit(1790000000.5), epoch_unit(1790000000500), epoch_unit(12.5)
        ('s', 'ms', None)
    """
    size = abs(value)
    limits = (("ns", 1e9), ("us", 1e6), ("ms", 1e3), ("s", 1.0))
    return next((unit for unit, limit in limits if size >= EPOCH_S * limit), None)


def is_moment(name: str, values: pl.Series, arrivals: pl.Series, *, asked: bool) -> bool:
    """Say whether numbers are moments on the clock of the arrivals, rather than durations.

    They never come before the arrival, and they run with it: their distance from it varies less than
    they do themselves. A name that speaks of a moment is believed, unless the user gave a unit.
    """
    both = values.is_not_null() & arrivals.is_not_null()
    later, started = values.filter(both), arrivals.filter(both)
    if not later.len() or not bool((later >= started).all()):
        return False
    after = later - started
    if epoch_unit(float(later.min())) and epoch_unit(float(started.min())):  # type: ignore[arg-type]
        return True
    named = named_moment(name)
    runs = later.len() > 4 and _spread(started) > 0 and _spread(after) * 2 < _spread(later)
    return runs or (named and not asked and float(started.min()) > 0)  # type: ignore[arg-type]


def named_moment(name: str) -> bool:
    """Say whether a name speaks of a moment.

    Example:
        >>> named_moment("end_time"), named_moment("finished_at"), named_moment("latency")
        (True, True, False)
    """
    last = name.rsplit(".", 1)[-1]
    return bool(_MOMENT.search(last)) and not _SPAN.search(last)


def _spread(values: pl.Series) -> float:
    return float(values.max() - values.min())  # type: ignore[operator, arg-type]


def by_speed(numbers: pl.Series, outputs: pl.Series | None) -> tuple[str, str] | None:
    """Return the unit in which answers come at the speed of an engine, and that speed."""
    if outputs is None:
        return None
    rate = (outputs / numbers).filter((numbers > 0) & (outputs > 8))
    if not rate.len():
        return None
    middle = float(rate.median())  # type: ignore[arg-type]
    for unit, places in UNITS.items():
        speed = middle * 10 ** (9 - places)
        if TOKENS_PER_S[0] <= speed <= TOKENS_PER_S[1]:
            return unit, f"{speed:.0f} tokens/s an answer"
    return None


def told(
    target: str,
    value: Value,
    numbers: pl.Series,
    outputs: pl.Series | None,
    known: dict[str, str],
    longest_ns: float = 0.0,
) -> tuple[str, str]:
    """Return the unit of a duration and how it is known.

    Args:
        target: the trace column.
        value: where it comes from, for the sentence.
        numbers: the first values, as numbers.
        outputs: tokens of the answers, beside them.
        known: units of durations that are settled, by trace column.
        longest_ns: the middle e2e, where it is known: no first token comes after it.

    Raises:
        UsageError: the values do not tell.
    """
    present = numbers.filter(numbers > 0)
    if not present.len():
        return known.get("e2e_ns", "s"), "no value to tell it by"
    if target == "e2e_ns" and (found := by_speed(numbers, outputs)):
        return found
    middle = float(present.median())  # type: ignore[arg-type]
    if target != "e2e_ns" and "e2e_ns" in known:
        likely = [known["e2e_ns"], *UNITS] if target == "ttft_ns" and longest_ns else []
        for unit in likely:
            if TTFT_NS <= middle * 10 ** UNITS[unit] <= longest_ns:
                return unit, "as e2e" if unit == known["e2e_ns"] else "between nothing and e2e"
        return known["e2e_ns"], "as e2e"
    whole = bool((present == present.round()).all())
    if not whole and TTFT_S[0] <= middle <= TTFT_S[1]:
        return "s", "fractions, as seconds have"
    if whole and present.len() > 2 and 20 <= middle <= 600_000 and target == "ttft_ns":
        return "ms", "whole numbers, as milliseconds are"
    word = target.removesuffix("_ns")
    raise UsageError(
        f"{label(value)} is read as {word}, but neither its name nor its values (such as "
        f"{present[0]:.15g}) tell whether they are s, ms, us or ns",
        fix=f"say which: --unit {word}=ms",
    )


def numbers(text: pl.Series) -> pl.Series:
    """Return what is a number as one."""
    import polars as pl

    return text.cast(pl.Float64, strict=False)


def since(column: Column, arrival: Column, unit: str) -> Column:
    """Count a moment from the arrival."""
    name = keys(column.source)[0]
    source = Minus(Key(name, unit), arrival.source)
    return replace(column, source=source, unit=unit, why="a moment: counted from arrival")
