"""Rows that are no requests, but sums or rates of a stretch of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError
from workloadlab.ingestion.doubts.durations import SPEED
from workloadlab.ingestion.rows import YEAR_NS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_grid", "check_totals", "check_windows"]

MINUTE_NS = 60 * 10**9
FEWEST = 3
STEPS_NS = tuple(step * 10**9 for step in (5, 10, 15, 20, 30))
"""Steps of dashboards below a minute."""
MANY = 12
"""Rows that tell such steps, and running totals."""
UNEVEN = 0.3
"""How much the steps of a running total differ, as parts of their mean."""
GRID_SHARE = 0.7
"""How many of the places of a grid have a row."""
SINGLE = 8_192
"""Prompt tokens of a request, in the middle; sums over a minute have more."""
LEAST_SPREAD = 0.1
"""Decades by which durations of requests differ; means over many differ less."""


def check_windows(table: pl.DataFrame, where: Path) -> None:
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


def check_grid(table: pl.DataFrame, where: Path) -> None:
    """Refuse rows at the beginning of minutes, hours or days, never two: a dashboard's sums or rates.

    Requests that come about once a minute, and are logged to the minute, share some minutes or, where
    they are few, leave some out, which a dashboard does not.
    """
    if "arrival_ns" not in table.columns or table.height < FEWEST:
        return
    times = table["arrival_ns"].drop_nulls().sort()
    width = int(times.diff().min() or 0)  # type: ignore[arg-type]
    fine = width in STEPS_NS and times.len() >= MANY
    if (width < MINUTE_NS and not fine) or int(times[0]) <= YEAR_NS:
        return
    span = int(times[-1]) - int(times[0])
    even = (times % width == 0).all() and (times.len() - 1) * width >= GRID_SHARE * span
    skips = width == MINUTE_NS and (times.len() - 1) * width < span
    if even and not _answers(table) and not (skips and _single(table)):
        raise DataError(
            f"has one row at the beginning of every {_length(width)}: sums or rates of "
            "many requests, not requests",
            where=str(where),
            fix="log the requests one by one; use this for their rate only (if they are requests, keep "
            "the seconds of their times, or their ids: --map request_id=COLUMN)",
        )


def _length(width: int) -> str:
    return f"{width / 1e9:g} seconds" if width < MINUTE_NS else f"{width / MINUTE_NS:g} minutes"


def check_totals(table: pl.DataFrame, where: Path) -> None:
    """Refuse counts that only grow, by uneven steps and from about one step on: running totals."""
    names = ("input_tokens", "output_tokens")
    if table.height < MANY or not {*names} <= set(table.columns):
        return
    for name in names:
        counts = table[name].cast(pl.Int64)
        steps = counts.diff().drop_nulls()
        if counts.null_count() or not (steps > 0).all():
            return
        even = float(steps.std()) < UNEVEN * float(steps.mean())  # type: ignore[arg-type]
        if even or int(counts[-1]) * FEWEST < int(counts[0]) * counts.len():
            return
    raise DataError(
        f"has running totals, not requests: both counts grow in each of {table.height:,} rows",
        where=str(where),
        fix="log what each request adds (if they are requests, name their ids: --map request_id=COLUMN)",
    )


def _single(table: pl.DataFrame) -> bool:
    """Say whether prompts are as long as single ones are, and differ as they do."""
    tokens = table["input_tokens"].drop_nulls()
    middle = float(tokens.median() or 0)  # type: ignore[arg-type]
    return 0 < middle <= SINGLE and int(tokens.min()) > 0 and 2 * tokens.n_unique() > tokens.len()  # type: ignore[arg-type]


def _answers(table: pl.DataFrame) -> bool:
    """Say whether durations grow with tokens as those of single answers do."""
    if not {"e2e_ns", "output_tokens"} <= set(table.columns):
        return False
    many = table.filter((pl.col("output_tokens") > 8) & (pl.col("e2e_ns") > 0))
    if many.height < FEWEST:
        return False
    speed = (many["output_tokens"] / many["e2e_ns"] * 1e9).log10()
    low, high = SPEED
    spread = float(many["e2e_ns"].log10().std() or 0)  # type: ignore[arg-type]
    middle = 10 ** float(speed.median())  # type: ignore[arg-type]
    return low < middle < high and spread > LEAST_SPREAD
