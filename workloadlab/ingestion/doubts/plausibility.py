"""Does the whole trace make sense? Rows that cannot be are rejected, doubts are told or asked about.

One row that says 1970 would stretch a trace to 56 years; a cached part above the whole prompt says
that prompts are counted without it. Both are seen only beside the other rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.errors import DataError, UsageError
from workloadlab.ingestion.clean import CACHED, DAY_NS, MIXED, REASONING
from workloadlab.ingestion.doubts.durations import (
    ONE_UNIT,
    check_durations,
    check_first_tokens,
    speeds,
)
from workloadlab.ingestion.doubts.two_units import two_clocks
from workloadlab.ingestion.doubts.windows import check_grid, check_totals, check_windows
from workloadlab.ingestion.formats import unit_in_name
from workloadlab.ingestion.formats.trees import keys, label
from workloadlab.ingestion.formats.words import Total
from workloadlab.ingestion.parsing.times import SIZES_NS
from workloadlab.ingestion.rows import YEAR_NS
from workloadlab.ingestion.units import ASKED
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from workloadlab.ingestion.doubts.sampled import Sampled
    from workloadlab.ingestion.formats import Column

__all__ = ["check"]

SHARE = 0.01
MANY = 10
"""Requests at one moment that are worth a word."""
FLOOD = 1e6
GAP_S = 20.0
SPREADSHEET_DAYS = (36_526, 73_050)
"""The years 2000 and 2100 as a spreadsheet counts days."""
HOUR_NS = 3_600 * 10**9
HALF_DAY_NS = (10 * HOUR_NS, 12 * HOUR_NS)
DST_NS = (20 * 60 * 10**9, 61 * 60 * 10**9)


def check(
    sampled: Sampled,
    repaired: Mapping[str, int],
    written: int,
    columns: Sequence[Column],
    *,
    naive: bool,
    guessed: bool,
    named: bool,
    where: Path,
) -> list[str]:
    """Ask about what cannot be, and return sentences about what is odd.

    Args:
        sampled: some rows of every chunk.
        repaired: how many values were set to null, by reason.
        written: rows of the trace.
        columns: what was read.
        naive: whether dates had no zone.
        guessed: whether no format says what the keys mean.
        named: whether rows have ids of requests.
        where: the log, for the sentence.

    Raises:
        UsageError: a count or a unit must mean something else than it was taken for.
    """
    by_target = {column.target: column for column in columns}
    _check_parts(repaired, written, by_target, where)
    notes: list[str] = []
    table = sampled.table()
    _check_start(table, written, by_target.get("arrival_ns"), where)
    _check_rate(table, written, by_target.get("arrival_ns"), where)
    _check_clocks(table, by_target.get("arrival_ns"), where)
    check_windows(table, where)
    if guessed:
        if not named:
            check_totals(table, where)
            check_grid(table, where)
        _check_midnight(table, sampled, where)
        if naive:
            _check_half_days(table, sampled, where)
        _check_days(table, written, by_target.get("arrival_ns"), where)
    check_durations(repaired, written, by_target, where, guessed=guessed)
    ttft = by_target.get("ttft_ns")
    if guessed and ttft is not None and ttft.why != ASKED and "e2e_ns" not in by_target:
        check_first_tokens(table, ttft, where)
    notes += speeds(table, by_target.get("e2e_ns"), where, guessed=guessed)
    return notes + _at_once(table) + _told(sampled, repaired, naive=naive)


def _check_parts(
    repaired: Mapping[str, int], written: int, by_target: Mapping[str, Column], where: Path
) -> None:
    """Ask about parts of counts that are often above the whole."""
    for reason, part, whole in (
        (CACHED, "cached_tokens", "input_tokens"),
        (REASONING, "reasoning_tokens", "output_tokens"),
    ):
        count = repaired.get(reason, 0)
        if count > SHARE * written and not isinstance(by_target[whole].source, Total):
            of, to = label(by_target[part].source), label(by_target[whole].source)
            raise UsageError(
                f"{of} is above {to} in {count:,} of {written:,} rows, so {to} leaves it out and "
                f"{whole} would be too small",
                where=str(where),
                fix=f"add them: --map '{whole}={to}+{of}'; or leave it out: --map {part}=",
            )


def _at_once(table: pl.DataFrame) -> list[str]:
    """Return a sentence about requests that all arrive at one moment."""
    if (
        "arrival_ns" not in table.columns
        or table.height < MANY
        or table["arrival_ns"].n_unique() > 1
    ):
        return []
    return ["all requests arrive at one moment, as those of a batch do: the log tells no rate"]


def _back(sampled: Sampled) -> str:
    return plural(sampled.back_rows, "row goes", "rows go")


def _told(sampled: Sampled, repaired: Mapping[str, int], *, naive: bool) -> list[str]:
    """Return sentences about arrivals that go back, and about what was set to null."""
    notes = []
    low, high = DST_NS
    if naive and low <= sampled.back_ns <= high and sampled.back_rows * 2 > 1:
        notes.append(
            f"{_back(sampled)} back in time by up to {sampled.back_ns / 6e10:.0f} minutes "
            "and the dates have no zone: a clock that was set back would look so; sorted as UTC"
        )
    elif high < sampled.back_ns < YEAR_NS:
        notes.append(
            f"{_back(sampled)} back in time by up to {sampled.back_ns / 1e9:,.0f} s; sorted"
        )
    for reason, count in repaired.items():
        if reason in (CACHED, REASONING):
            notes.append(f"{reason} in {plural(count, 'row')}: set to null")
    if mixed := repaired.get(MIXED):
        notes.append(
            plural(mixed, "arrival is an epoch", "arrivals are epochs")
            + " in another unit than the others: each read by size"
        )
    return notes


def _check_start(table: pl.DataFrame, written: int, arrival: Column | None, where: Path) -> None:
    """Ask about whole numbers from a start that lie so far apart that they may be milliseconds."""
    if arrival is None or arrival.why != "numbers from a start" or written < 3:
        return
    times = table["arrival_ns"].drop_nulls().sort()
    ticks = times.unique(maintain_order=True)
    every = max(1, written // times.len()) if ticks.len() == times.len() else 1
    gap_s = float(ticks.diff().median() or 0) / 1e9 / every  # type: ignore[arg-type]
    if (times % 10**9 == 0).all() and gap_s >= GAP_S:
        raise UsageError(
            f"{label(arrival.source)} counts whole numbers from a start, about {gap_s:,.0f} "
            "apart: seconds, or milliseconds?",
            where=str(where),
            fix="say which: --unit arrival=s or --unit arrival=ms",
        )


def _check_clocks(table: pl.DataFrame, arrival: Column | None, where: Path) -> None:
    """Ask about counts from a start in two units."""
    if arrival is None or arrival.unit not in SIZES_NS or arrival.why == ASKED:
        return
    if doubt := two_clocks(table, arrival):
        raise UsageError(doubt, where=str(where), fix=ONE_UNIT)


def _check_midnight(table: pl.DataFrame, sampled: Sampled, where: Path) -> None:
    """Refuse times of day that pass midnight."""
    if "arrival_ns" not in table.columns or 2 * sampled.back_ns <= DAY_NS:
        return
    if (sampled.latest_ns or 0) <= DAY_NS and table["arrival_ns"].drop_nulls().ge(0).all():
        raise DataError(
            f"has times of day that go back by {sampled.back_ns / 3.6e12:.0f} hours: they pass "
            "midnight, and no day is given",
            where=str(where),
            fix="write the day before each time, such as 2026-09-21T23:59:59Z",
        )


def _check_half_days(table: pl.DataFrame, sampled: Sampled, where: Path) -> None:
    """Ask about times of day from 1 to 12 that go back by half a day: AM or PM is missing."""
    if "arrival_ns" not in table.columns or not HALF_DAY_NS[0] <= sampled.back_ns < HALF_DAY_NS[1]:
        return
    hours = table["arrival_ns"].drop_nulls() // HOUR_NS % 24
    if hours.is_between(1, 12).all() and (hours == 12).any():
        raise UsageError(
            f"has times of day from 1 to 12 only, which go back by {sampled.back_ns / HOUR_NS:.1f} "
            "hours: AM or PM is missing",
            where=str(where),
            fix="write hours from 0 to 23, or AM and PM",
        )


def _check_days(table: pl.DataFrame, written: int, arrival: Column | None, where: Path) -> None:
    """Ask about the day numbers of a spreadsheet, which as seconds make a flood."""
    if arrival is None or arrival.why != "numbers from a start" or written < 3:
        return
    times = table["arrival_ns"].drop_nulls()
    first, last = int(times.min()), int(times.max())  # type: ignore[arg-type]
    low, high = (day * 10**9 for day in SPREADSHEET_DAYS)
    tokens = float(table["input_tokens"].mean() or 0) * written  # type: ignore[arg-type]
    flood = tokens * 1e9 > FLOOD * (last - first)
    if low <= first and last <= high and (times % 10**9 != 0).any() and flood:
        raise UsageError(
            f"{label(arrival.source)} is about {first / 1e9:.6g} in every row, as a spreadsheet counts "
            "days: seconds, or days?",
            where=str(where),
            fix="write days as dates, such as 2026-09-21T14:13:20Z; or say --unit arrival=s",
        )


def _check_rate(table: pl.DataFrame, written: int, arrival: Column | None, where: Path) -> None:
    """Ask about milliseconds that a format fixes and that make a flood: copies may have seconds."""
    if arrival is None or arrival.why != "the format's" or arrival.unit != "ms" or written < 20:
        return
    if unit_in_name(keys(arrival.source)[0]) or "arrival_ns" not in table.columns:
        return
    times = table["arrival_ns"].drop_nulls()
    span_s = float(times.max() - times.min()) / 1e9  # type: ignore[operator, arg-type]
    tokens = float(table["input_tokens"].mean() or 0) * written  # type: ignore[arg-type]
    rate = tokens / span_s if span_s else 0.0
    if rate > FLOOD:
        raise UsageError(
            f"{label(arrival.source)} in milliseconds would make {rate:,.0f} prompt tokens a second: "
            "are these seconds?",
            where=str(where),
            fix="say which: --unit arrival=s or --unit arrival=ms",
        )
