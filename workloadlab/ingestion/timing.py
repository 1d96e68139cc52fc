"""Settle the unit of every time that is read, and tell moments from durations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.ingestion.doubts.days import check_day
from workloadlab.ingestion.formats import GENERIC, unit_in_name
from workloadlab.ingestion.formats.names import doubtful_unit
from workloadlab.ingestion.formats.trees import keys, label, rebuilt
from workloadlab.ingestion.formats.words import Key, Minus, Value
from workloadlab.ingestion.marks import numbered
from workloadlab.ingestion.parsing.dates import DATES, DATETIME, day_and_month
from workloadlab.ingestion.parsing.times import (
    EPOCH_S,
    SIZES_NS,
    durations,
    epoch_unit,
    instants,
)
from workloadlab.ingestion.units import (
    ASKED,
    by_speed,
    check_bits,
    check_digits,
    check_epoch,
    is_moment,
    kind_of,
    middle,
    named_moment,
    numbers,
    order_of,
    since,
    told,
)
from workloadlab.trace import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloadlab.ingestion.formats import Column, Format
    from workloadlab.ingestion.head import Head
    from workloadlab.ingestion.parsing.values import Parsed

__all__ = ["settled", "short"]

WEEK_NS = 7 * 86_400 * 10**9

IN_VALUES = "each value says its unit"

_OPTIONAL = {"queue_ns", "last_token_ns", "think_ns"}
"""Times that are left unread, rather than asked for, where nothing tells their unit."""

_ORDER = ("arrival_ns", "output_tokens", "e2e_ns")
_ORDER_OF_ENDS = ("output_tokens", "e2e_ns", "arrival_ns")
"""What is settled first; where the log says ends, durations tell the arrivals."""


def settled(
    head: Head,
    chosen: Mapping[str, Column],
    units: Mapping[str, str],
    log_format: Format,
    mapping: Mapping[str, str],
) -> list[Column]:
    """Settle the units, the arrival's first and e2e before the other durations."""
    check_day(head, chosen.get("arrival_ns"))
    table = head.table({key for column in chosen.values() for key in keys(column.source)})
    chosen, table = numbered(head, chosen, table)
    known: dict[str, str] = {}
    done: dict[str, Column] = {}
    order = _ORDER_OF_ENDS if _by_end(chosen) else _ORDER
    for target in sorted(chosen, key=lambda t: (order.index(t) if t in order else 9, t)):
        column = chosen[target]
        if target == "token_offsets_ns":
            column = _of_tokens(column, units.get(target))
        if not target.endswith("_ns") or target == "token_offsets_ns":
            done[target] = column
            continue
        guessed = log_format.name == GENERIC.name and target not in mapping
        try:
            settled = _timed(column, units.get(target), table, done, known)
            if settled is not None and target not in units:
                _check_bits(head, settled, table)
        except UsageError as error:
            if guessed and target in _OPTIONAL:
                continue
            if error.where is None:
                raise UsageError(error.what, where=str(head.path), fix=error.fix) from None
            raise
        if settled is None:
            if guessed:
                continue
            raise UsageError(
                f"{label(column.source)} is no duration: it looks like a time of another clock than "
                f"{label(done['arrival_ns'].source)}, and two clocks cannot be subtracted",
                where=str(head.path),
                fix=f"map a duration, or leave it out: --map {short(target)}=",
            )
        done[target] = settled
        if settled.unit and not isinstance(settled.source, Minus):
            known[target] = settled.unit
    names = (*COLUMNS, *(name for name in done if name not in COLUMNS))
    return [done[target] for target in names if target in done]


def _by_end(chosen: Mapping[str, Column]) -> bool:
    """Say whether an arrival is the duration before an end."""
    arrival, e2e = chosen.get("arrival_ns"), chosen.get("e2e_ns")
    if arrival is None or e2e is None or not isinstance(arrival.source, Minus):
        return False
    return keys(arrival.source.start) == keys(e2e.source)


def _check_bits(head: Head, column: Column, table: pl.DataFrame) -> None:
    """Refuse moments that numbers of 32 bits hold."""
    if column.target == "arrival_ns" or isinstance(column.source, Minus):
        name = keys(column.source)[0]
        check_bits(name, table[name], known=head.types.get(name) == pl.Float32())


def _of_tokens(column: Column, asked: str | None) -> Column:
    """Give the times of tokens the unit that the user, the format, or the name of a key says."""

    def settle(key: Key) -> Value:
        unit = asked or key.unit or column.unit or unit_in_name(key.name)
        if unit not in SIZES_NS:
            raise UsageError(
                f"nothing says the unit of the times in {key.name}",
                fix=f"say it: --unit {short(column.target)}=ms (or s, us, ns)",
            )
        return replace(key, unit=unit)

    return replace(column, source=rebuilt(column.source, settle))


def _timed(
    column: Column,
    asked: str | None,
    table: pl.DataFrame,
    done: Mapping[str, Column],
    known: dict[str, str],
) -> Column | None:
    """Settle the unit of a time; None for a duration that is none."""
    target, told_of = column.target, list[tuple[bool, str, str]]()
    single = len(keys(column.source)) == 1

    lasted = done.get("e2e_ns") if target == "arrival_ns" else None

    def settle(key: Key) -> Value:
        if lasted is not None and key.name in keys(lasted.source):
            return replace(key, unit=lasted.unit)
        unit, reason, by_size = _unit(key, column, asked, table[key.name])
        if unit is None:
            outputs = _output_numbers(table, done)
            unit, reason = told(
                target,
                column.source,
                numbers(table[key.name]),
                outputs,
                known,
                _longest(table, done),
            )
        told_of.append((not table[key.name].count(), unit, reason))
        return replace(key, unit=unit, by_size=by_size or key.by_size)

    if target != "arrival_ns" and single and not _fixed(column):
        moment = _moment(column, asked, table, done)
        if moment is not False:
            return None if moment is True else moment
    source = rebuilt(column.source, settle)
    _, unit, why = min(told_of, key=lambda each: each[0], default=(True, None, ""))
    if target == "arrival_ns" and single and not asked:
        _check_fractions(column, str(unit), table)
    return replace(column, source=source, unit=unit, why=column.why or why)


def _longest(table: pl.DataFrame, done: Mapping[str, Column]) -> float:
    """Return the middle e2e in nanoseconds, or 0 where it is no plain duration."""
    column = done.get("e2e_ns")
    if column is None or not isinstance(column.source, Key) or column.unit not in SIZES_NS:
        return 0.0
    middle = numbers(table[column.source.name]).median()
    return 0.0 if middle is None else float(middle) * SIZES_NS[column.unit]  # type: ignore[arg-type]


def _check_fractions(column: Column, unit: str, table: pl.DataFrame) -> None:
    """Ask about fractions where a format counts whole milliseconds, as home-made copies in s have."""
    name = keys(column.source)[0]
    found = numbers(table[name]).drop_nulls()
    if unit != "ms" or unit_in_name(name) or not found.len():
        return
    if float((found != found.round()).mean()) > 0.5 and float(found.max()) < EPOCH_S:  # type: ignore[arg-type]
        raise UsageError(
            f"{name} has fractions (such as {found[0]:g}), but this format counts whole milliseconds: "
            "in seconds the same requests come a thousand times more slowly",
            fix="say which: --unit arrival=s or --unit arrival=ms",
        )


def _fixed(column: Column) -> bool:
    """Say whether the format itself says the unit."""
    source = column.source
    return column.unit is not None or (isinstance(source, Key) and source.unit is not None)


def _moment(
    column: Column, asked: str | None, table: pl.DataFrame, done: Mapping[str, Column]
) -> Column | bool | None:
    """Return the time since arrival if the key holds moments; False if it holds durations."""
    name = keys(column.source)[0]
    values = [v for v in table[name].to_list() if v is not None]
    arrival = done.get("arrival_ns")
    kind = kind_of(table[name])
    if arrival is None or kind is None or len(keys(arrival.source)) != 1:
        return False
    if kind == DATETIME:
        told = day_and_month(table[name])
        return since(column, arrival, told or arrival.unit or DATETIME)
    started = keys(arrival.source)[0]
    if arrival.unit in DATES:
        calendar = instants(table[started], arrival.unit).values
        if (unit := epoch_unit(middle(values))) and _near(instants(table[name], unit), calendar):
            return since(column, arrival, unit)
        beside = "e2e_ns" in done or by_speed(numbers(table[name]), _output_numbers(table, done))
        if unit and asked is None and not beside:
            return True
        return named_moment(name) and asked is None and unit_in_name(name) is None
    later, start = numbers(table[name]), numbers(table[started])
    if is_moment(name, later, start, asked=asked is not None):
        own = epoch_unit(middle(values)) if arrival.why == "size of epochs" else None
        return since(column, arrival, asked or own or arrival.unit or "s")
    if named_moment(name) and asked is None and unit_in_name(name) is None:
        return True
    if by_speed(later, _output_numbers(table, done)):
        return False
    unit = asked or unit_in_name(name) or "s"
    return middle(values) * SIZES_NS[unit] >= EPOCH_S * SIZES_NS["s"] and not asked


def _near(epochs: Parsed, calendar: pl.Series) -> bool:
    """Say whether epochs lie within a week of the dates beside them."""
    away = (epochs.values - calendar).abs().median()
    return away is not None and float(away) < WEEK_NS  # type: ignore[arg-type]


def _output_numbers(table: pl.DataFrame, done: Mapping[str, Column]) -> pl.Series | None:
    column = done.get("output_tokens")
    return None if column is None else numbers(table[keys(column.source)[0]])


def _unit(
    key: Key, column: Column, asked: str | None, text: pl.Series
) -> tuple[str | None, str, bool]:
    """Return a unit, how it is known, and whether each value tells its own; None for not at all."""
    fixed = key.unit or column.unit
    arrival = column.target == "arrival_ns"
    kind = kind_of(text)
    if kind is None:
        why = (
            IN_VALUES
            if durations(text.drop_nulls(), "s").values.count()
            else "no value to tell it by"
        )
        return asked or fixed or unit_in_name(key.name) or "s", why, False
    if kind == DATETIME:
        return *order_of(key.name, text, asked, short(column.target)), False
    if asked:
        return asked, ASKED, False
    if fixed and fixed not in DATES:
        return fixed, "the format's", False
    typical = middle(text.drop_nulls().to_list())
    if unit := unit_in_name(key.name):
        if arrival:
            check_epoch(key.name, typical, unit)
            check_digits(key.name, text, unit)
        return unit, "its name", arrival and epoch_unit(typical) == unit
    if not arrival and (word := doubtful_unit(key.name)):
        raise _doubtful(key.name, word, column)
    unit = epoch_unit(typical)
    if unit and (arrival or fixed in DATES):
        check_epoch(key.name, typical, unit)
        check_digits(key.name, text, unit)
        return unit, "size of epochs", True
    if arrival or fixed in DATES:
        return "s", "numbers from a start", False
    return None, "", False


def _doubtful(name: str, word: str, column: Column) -> UsageError:
    """Ask about the unit that a name says in a word that is not known, or that may be the least."""
    least = "minutes, or the least of several?" if word in ("min", "m") else "no unit that is known"
    return UsageError(
        f"{name} says {word}: {least}",
        fix=f"say its unit: --unit {short(column.target)}=ms (or s, us, ns, min, h)",
    )


def short(target: str) -> str:
    """Return a trace column as users may write it: without `_ns`."""
    return target.removesuffix("_ns")
