"""Does the whole trace make sense? Rows that cannot be are rejected, doubts are told or asked about.

One row that says 1970 would stretch a trace to 56 years; a cached part above the whole prompt says
that prompts are counted without it. Both are seen only beside the other rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError, UsageError
from workloadlab.ingestion.clean import CACHED, DAY_NS, LONG, MIXED, REASONING
from workloadlab.ingestion.formats import unit_in_name
from workloadlab.ingestion.formats.trees import keys, label
from workloadlab.ingestion.formats.words import Total
from workloadlab.ingestion.rows import YEAR_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from workloadlab.ingestion.formats import Column

__all__ = ["Sampled", "check", "window"]

SAMPLES = 2_000
SHARE = 0.01
ODD_SHARE = 0.25
SPEED = (0.2, 20_000.0)
FLOOD = 1e6
GAP_S = 20.0
MINUTE_NS = 60 * 10**9
SPREADSHEET_DAYS = (36_526, 73_050)
"""The years 2000 and 2100 as a spreadsheet counts days."""
DST_NS = (20 * 60 * 10**9, 61 * 60 * 10**9)


@dataclass
class Sampled:
    """Some values of every chunk, and how far arrivals go back.

    Attributes:
        frames: rows, evenly spread.
        latest_ns: the latest arrival so far.
        back_ns: the furthest that an arrival lies before an earlier row's.
        back_rows: rows that come before an earlier row's arrival.
    """

    frames: list[pl.DataFrame] = field(default_factory=list)
    latest_ns: int | None = None
    back_ns: int = 0
    back_rows: int = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Take some rows of a chunk."""
        names = [
            n
            for n in ("arrival_ns", "e2e_ns", "ttft_ns", "input_tokens", "output_tokens")
            if n in frame.columns
        ]
        if not frame.height or not names:
            return
        self.frames.append(frame.select(names).gather_every(max(1, frame.height // SAMPLES)))
        if "arrival_ns" in names:
            self._order(frame["arrival_ns"].drop_nulls())

    def _order(self, arrival: pl.Series) -> None:
        if not arrival.len():
            return
        first, last = int(arrival.min()), int(arrival.max())  # type: ignore[arg-type]
        before = self.latest_ns
        self.latest_ns = last if before is None else max(before, last)
        if arrival.is_sorted() and (before is None or before <= first):
            return
        highest = arrival.cum_max()
        if before is not None:
            highest = highest.clip(lower_bound=before)
        back = highest - arrival
        self.back_rows += int((back > 0).sum())
        self.back_ns = max(self.back_ns, int(back.max()))  # type: ignore[arg-type]

    def table(self) -> pl.DataFrame:
        """Return all that was taken."""
        return pl.concat(self.frames, how="diagonal") if self.frames else pl.DataFrame()


def window(sampled: Sampled, where: Path) -> tuple[int, int] | None:
    """Return the arrivals between which a row is believed; None if there are none.

    Raises:
        DataError: so many rows lie outside that it is not clear which are wrong.
    """
    table = sampled.table()
    if "arrival_ns" not in table.columns:
        return None
    arrival = table["arrival_ns"].drop_nulls()
    if arrival.len() < 2:
        return None
    low, high = (int(arrival.quantile(q, "nearest")) for q in (0.25, 0.75))  # type: ignore[arg-type]
    if high - low > 20 * YEAR_NS:
        raise _two_clocks(arrival, where)
    reach = max(YEAR_NS, 100 * (high - low))
    outside = ~arrival.is_between(low - reach, high + reach)
    if int(outside.sum()) > ODD_SHARE * arrival.len():
        raise _two_clocks(arrival, where)
    return low - reach, high + reach


def _two_clocks(arrival: pl.Series, where: Path) -> DataError:
    years = (float(arrival.max()) - float(arrival.min())) / YEAR_NS  # type: ignore[arg-type]
    return DataError(
        f"has arrivals {years:.0f} years apart, and many on either side: two clocks or two units",
        where=str(where),
        fix="split the log where its clock changes, or choose rows with --where",
    )


def check(
    sampled: Sampled,
    repaired: Mapping[str, int],
    written: int,
    columns: Sequence[Column],
    *,
    naive: bool,
    guessed: bool,
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
        where: the log, for the sentence.

    Raises:
        UsageError: a count or a unit must mean something else than it was taken for.
    """
    by_target = {column.target: column for column in columns}
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
    notes = []
    table = sampled.table()
    _check_start(table, written, by_target.get("arrival_ns"), where)
    _check_rate(table, written, by_target.get("arrival_ns"), where)
    _check_windows(table, where)
    if guessed:
        _check_grid(table, where)
        _check_midnight(table, sampled, where)
        _check_days(table, written, by_target.get("arrival_ns"), where)
    _check_durations(repaired, written, by_target, where)
    if {"e2e_ns", "output_tokens"} <= set(table.columns):
        many = table.filter((pl.col("output_tokens") > 8) & (pl.col("e2e_ns") > 0))
        if many.height >= 5:
            speed = many.select(
                (pl.col("output_tokens") / (pl.col("e2e_ns") / 1e9)).median()
            ).item()
            if not SPEED[0] <= speed <= SPEED[1]:
                words = (
                    f"an answer makes {speed:,.3g} tokens/s in the middle: the unit of e2e is wrong"
                )
                if guessed:
                    raise UsageError(
                        words, where=str(where), fix="say its unit: --unit e2e=ms (or s, us, ns)"
                    )
                notes.append(words)
    low, high = DST_NS
    if naive and low <= sampled.back_ns <= high and sampled.back_rows * 2 > 1:
        notes.append(
            f"{sampled.back_rows:,} rows go back in time by up to {sampled.back_ns / 6e10:.0f} minutes "
            "and the dates have no zone: a clock that was set back would look so; sorted as UTC"
        )
    elif high < sampled.back_ns < YEAR_NS:
        notes.append(
            f"{sampled.back_rows:,} rows go back in time by up to {sampled.back_ns / 1e9:,.0f} s; sorted"
        )
    for reason, count in repaired.items():
        if reason in (CACHED, REASONING):
            notes.append(f"{reason} in {count:,} rows: set to null")
    if mixed := repaired.get(MIXED):
        notes.append(
            f"{mixed:,} arrivals are epochs in another unit than the others: each read by size"
        )
    return notes


def _check_windows(table: pl.DataFrame, where: Path) -> None:
    """Refuse rows that are all as long as each other and begin on whole multiples of that."""
    if not {"arrival_ns", "e2e_ns"} <= set(table.columns) or table.height < 3:
        return
    length = table["e2e_ns"]
    width = int(length.max() or 0)  # type: ignore[arg-type]
    if width < MINUTE_NS or length.null_count() or length.min() != width:
        return
    if ((table["arrival_ns"] % width) == 0).fill_null(value=False).all():
        raise DataError(
            f"has sums of many requests, not requests: each row is {width / MINUTE_NS:g} minutes long "
            "and begins where such a window begins",
            where=str(where),
            fix="log the requests one by one; use this for their rate only",
        )


def _check_grid(table: pl.DataFrame, where: Path) -> None:
    """Refuse one row at the beginning of every minute, hour or day: a dashboard's sums or rates."""
    if "arrival_ns" not in table.columns or table.height < 3:
        return
    times = table["arrival_ns"].drop_nulls().sort()
    width = int(times.diff().min() or 0)  # type: ignore[arg-type]
    even = width >= MINUTE_NS and times.diff().max() == width
    if even and (times % width == 0).all() and int(times[0]) > YEAR_NS:
        raise DataError(
            f"has one row at the beginning of every {width / MINUTE_NS:g} minutes: sums or rates of "
            "many requests, not requests",
            where=str(where),
            fix="log the requests one by one; use this for their rate only",
        )


def _check_durations(
    repaired: Mapping[str, int], written: int, by_target: Mapping[str, Column], where: Path
) -> None:
    """Ask about durations of which many are days."""
    for name in ("e2e_ns", "ttft_ns"):
        days = repaired.get(LONG[name], 0)
        if days > ODD_SHARE * written:
            word = name.removesuffix("_ns")
            raise UsageError(
                f"{label(by_target[name].source)} would be days in {days:,} of {written:,} rows as "
                f"{word}: it is in another unit, or a time of day",
                where=str(where),
                fix=f"say its unit (--unit {word}=ms), map another key, or leave it out: --map {word}=",
            )


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


def _check_midnight(table: pl.DataFrame, sampled: Sampled, where: Path) -> None:
    """Refuse times of day that pass midnight."""
    if "arrival_ns" not in table.columns or 2 * sampled.back_ns <= DAY_NS:
        return
    if table["arrival_ns"].drop_nulls().is_between(0, DAY_NS).all():
        raise DataError(
            f"has times of day that go back by {sampled.back_ns / 3.6e12:.0f} hours: they pass "
            "midnight, and no day is given",
            where=str(where),
            fix="write the day before each time, such as 2026-09-21T23:59:59Z",
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
