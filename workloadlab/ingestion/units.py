"""The unit of a time, and whether it is a moment or a duration, told from the values beside it.

A name that says no unit is no licence to take seconds: a chat of 400 tokens that took "8105" took
milliseconds, for nobody waits two hours for it. Where the values do not settle it, the user is asked.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.errors import UsageError
from workloadlab.ingestion.formats.trees import keys, label
from workloadlab.ingestion.formats.words import Key, Minus, Value
from workloadlab.ingestion.parsing.dates import (
    DATES,
    DATETIME,
    YEAR_FIRST,
    dated,
    day_and_month,
    unknown_zone,
)
from workloadlab.ingestion.parsing.times import EPOCHS_NS, SIZES_NS, UNITS, epoch_unit
from workloadlab.ingestion.parsing.values import is_number
from workloadlab.ingestion.rows import YEAR_NS

if TYPE_CHECKING:
    from workloadlab.ingestion.formats import Column

__all__ = [
    "ASKED",
    "by_speed",
    "check_bits",
    "check_digits",
    "check_epoch",
    "is_moment",
    "kind_of",
    "middle",
    "named_moment",
    "numbers",
    "order_of",
    "since",
    "told",
]

NUMBER = "number"
ASKED = "as asked"
"""How a unit is known that the user said."""
_EXPONENT = r"^[+-]?\d(?:\.(?P<digits>\d+))?[eE](?P<power>[+-]?\d+)$"

TOKENS_PER_S = (4.0, 700.0)
"""Tokens a second of one answer, between which its unit is certain: others lie a thousandfold away."""

TTFT_NS = 1e6
"""A time to first token below a millisecond is in another unit."""

SURE_NS = 1e7
TIMES_LONGER = 3.0
"""From which on, and how many times beyond the end, a time to first token must be in another unit."""

TTFT_S = (0.004, 3.0)
"""A median time to first token that has no other likely unit."""

_MOMENT = re.compile(
    r"(end|ended|finish|finished|complete|completed|done|first_token|last_token|stop|stopped)"
    r"(_?(at|time|ts|timestamp|date))?$|_at$|_ts$|timestamp$",
    re.IGNORECASE,
)

_SPAN = re.compile(r"time_?to|latency|duration|elapsed|delay", re.IGNORECASE)


def kind_of(text: pl.Series) -> str | None:
    """Return `datetime` for a column of dates, "number" for one of numbers, None for neither.

    What most values are counts, not what the first is.
    """
    words = [value for value in text.drop_nulls() if not is_number(value)]
    counted = text.count() - len(words)
    dates = dated(pl.Series(words, dtype=pl.String)) if words else 0
    if not counted and not dates:
        return None
    return DATETIME if dates > counted else NUMBER


def middle(values: list[str]) -> float:
    """Return the middle of what is a number, by size."""
    found = sorted(abs(float(text)) for text in values if is_number(text))
    return found[len(found) // 2] if found else 0.0


def order_of(name: str, text: pl.Series, asked: str | None, word: str) -> tuple[str, str]:
    """Return the unit of dates, whether day or month comes first where both are numbers, and why.

    Raises:
        UsageError: no date tells, and the user does not.
    """
    if zone := unknown_zone(text):
        raise UsageError(
            f"{name} names its zone {zone}, which tells no offset from UTC: several have that name",
            fix="write the offset in place of the name, such as 2026-09-21 14:13:20+08:00",
        )
    orders = DATES[1:]
    if asked in orders:
        return asked, "dates"
    if (found := day_and_month(text)) is not None:
        return found, f"dates, of which --unit {word}={asked} says nothing" if asked else "dates"
    sample = text.drop_nulls()[0]
    short = re.match(r"\d{1,2}\D\d{1,2}\D\d\d\b", sample.strip())
    asks = "day, month or year" if short else "day or month"
    raise UsageError(
        f"{asks} first? {name} has dates such as {sample}, and none tells",
        fix="say which: "
        + " or ".join(f"--unit {word}={o}" for o in orders if short or o != YEAR_FIRST),
    )


def check_digits(name: str, text: pl.Series, unit: str) -> None:
    """Ask about times of which a spreadsheet has kept few digits: `1.77419E+12` is within 3 hours.

    Raises:
        UsageError: most are known to more than a second only.
    """
    parts = text.drop_nulls().str.extract_groups(_EXPONENT).struct.unnest().drop_nulls("power")
    if not parts.height or unit not in UNITS:
        return
    power, digits = parts["power"].cast(pl.Int64), parts["digits"].fill_null("").str.len_chars()
    last = int((power - digits.cast(pl.Int64)).median()) + UNITS[unit]  # type: ignore[arg-type]
    if 2 * parts.height > text.count() and last > UNITS["s"]:
        raise UsageError(
            f"{name} was rounded by a spreadsheet: {text.drop_nulls()[0]} tells a time to within "
            f"{10 ** (last - 9):,} s",
            fix="export it again with this column as text, or as dates",
        )


def check_epoch(name: str, typical: float, unit: str) -> None:
    """Ask about epochs that this unit puts before 2001 or after 2100, or that are of another unit.

    Raises:
        UsageError: they are.
    """
    own = epoch_unit(typical)
    if own is None:
        return
    first, last = EPOCHS_NS
    fits = first <= typical * 10 ** UNITS[own] <= last
    if own == unit and fits:
        return
    if own == unit:
        year = 1970 + typical * SIZES_NS[unit] / YEAR_NS
        raise UsageError(
            f"{name} holds numbers such as {typical:.15g}: as an epoch in {unit} that is the year "
            f"{year:.0f}, so it is another clock (ticks of .NET or Windows, a monotonic clock)",
            fix="write epochs since 1970 or dates, or say the unit: --unit arrival=ns (us, ms, s)",
        )
    if fits:
        raise UsageError(
            f"{name} is named after {unit}, but holds epochs in {own} (such as {typical:.15g})",
            fix=f"say which: --unit arrival={own} or --unit arrival={unit}",
        )


def check_bits(name: str, text: pl.Series, *, known: bool) -> None:
    """Refuse epochs that a 32-bit number held: of seconds it tells every 128th.

    Args:
        name: their column.
        text: the first values.
        known: whether the column is one of 32 bits; else its values tell.

    Raises:
        UsageError: they were.
    """
    epochs = numbers(text).drop_nulls()
    typical = float(epochs.median()) if epochs.len() else 0.0  # type: ignore[arg-type]
    unit = epoch_unit(typical)
    if unit is None:
        return
    step = float(np.spacing(np.float32(typical)))
    distinct = epochs.unique()
    minute = 60 * 10 ** (9 - UNITS[unit])
    lost = distinct.len() > 2 and (distinct % step == 0).all() and (distinct % minute != 0).any()
    if (known or lost) and step * 10 ** UNITS[unit] > 10**9:
        raise UsageError(
            f"{name} was rounded to 32 bits, which of epochs in {unit} hold every "
            f"{step:,.0f}th only: requests within {step * 10 ** (UNITS[unit] - 9):.0f} s cannot be "
            "told apart",
            fix="write it again as Float64, as an integer or as a timestamp",
        )


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
    beside = known.get("e2e_ns") if target != "e2e_ns" else None
    if beside and (found := _within(middle, beside, longest_ns if target == "ttft_ns" else 0.0)):
        return found
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


def _within(middle: float, unit: str, longest_ns: float) -> tuple[str, str] | None:
    """Return the unit in which a duration ends before e2e does; None where two may be meant."""
    own = middle * SIZES_NS[unit] if longest_ns else 0.0
    if not longest_ns or TTFT_NS <= own <= longest_ns:
        return unit, "as e2e"
    if TTFT_NS <= own <= TIMES_LONGER * longest_ns:
        return None
    sizes = {other: middle * 10**places for other, places in UNITS.items()}
    fits = next((other for other, size in sizes.items() if SURE_NS <= size <= longest_ns), None)
    return (fits, "between nothing and e2e") if fits else (unit, "as e2e")


def numbers(text: pl.Series) -> pl.Series:
    """Return what is a number as one."""
    return text.cast(pl.Float64, strict=False)


def since(column: Column, arrival: Column, unit: str) -> Column:
    """Count a moment from the arrival."""
    name = keys(column.source)[0]
    source = Minus(Key(name, unit), arrival.source)
    return replace(column, source=source, unit=unit, why="a moment: counted from arrival")
