"""One column in two units, as a service leaves it that changed its log, or two that share one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.ingestion.formats.trees import label
from workloadlab.ingestion.parsing.times import SIZES_NS
from workloadlab.ingestion.units import TOKENS_PER_S
from workloadlab.words import seconds, three

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.ingestion.formats import Column

__all__ = ["two_clocks", "two_lengths", "two_units"]

FEWEST = 3
"""Rows on either side; fewer are accidents."""
SHARE = 0.002
GAP = 0.5
"""Decades of speed without a row, between the units."""
STEPS = ((2.4, 3.6), (5.4, 6.6))
"""Decades between the middles of two units."""
SHOWN = 3
JUMP = (500.0, 2_000.0)
"""How many times a count from a start grows, from one row to the next, where its unit changes."""
RATE = (100.0, 10_000.0)
"""How many times further apart the same arrivals lie then."""


def two_units(table: pl.DataFrame, e2e: Column) -> str | None:
    """Return a sentence if answers come at two speeds a thousandfold apart, with none in between.

    Answers of a cache are fast, and those that time out slow, but their durations do not grow with their
    tokens; in another unit they do, or only one of both kinds has fractions.

    Args:
        table: some rows of the trace; `row` where they are known.
        e2e: where durations come from.
    """
    rows = table.filter((pl.col("output_tokens") > 8) & (pl.col("e2e_ns") > 0)).with_columns(
        speed=(pl.col("output_tokens") / pl.col("e2e_ns") * 1e9).log10()
    )
    parts = _parted(rows)
    if parts is None:
        return None
    slow, fast = parts
    low, high = (_middle(part) for part in parts)
    least, most = np.log10(TOKENS_PER_S)
    odd, even = (slow, fast) if least <= high <= most else (fast, slow)
    if not (least <= low <= most or least <= high <= most):
        return None
    if not (_grow(odd) or _fractions(odd, even, e2e)):
        return None
    return (
        f"{label(e2e.source)} is in two units: {_places(even)} make {_rate(even)} tokens/s, "
        f"but {_places(odd)} would make {_rate(odd)}"
    )


def two_lengths(table: pl.DataFrame, column: Column) -> str | None:
    """Return a sentence if durations, of which no tokens tell the speed, lie a thousandfold apart.

    Some have fractions of their unit, the others are whole numbers of it and differ: what timed out
    would be alike.

    Args:
        table: some rows of the trace; `row` where they are known.
        column: where the durations come from.
    """
    name = column.target
    rows = table.filter(pl.col(name) > 0).with_columns(speed=pl.col(name).log10())
    parts = _parted(rows)
    if parts is None:
        return None
    short, long = parts
    if long[name].n_unique() < FEWEST or not _fractions(short, long, column):
        return None
    return (
        f"{label(column.source)} is in two units: {_places(short)} take {_seconds(short)}, but "
        f"{_places(long)} would take {_seconds(long)}"
    )


def two_clocks(table: pl.DataFrame, arrival: Column) -> str | None:
    """Return a sentence if arrivals that count from a start do so in two units, by turns or in parts.

    Args:
        table: some rows of the trace in source order; `row` where they are known.
        arrival: where arrivals come from.
    """
    if "arrival_ns" not in table.columns:
        return None
    rows = table.drop_nulls("arrival_ns").filter(pl.col("arrival_ns") > 0)
    if rows.height < 2 * FEWEST:
        return None
    times = rows["arrival_ns"].to_numpy().astype(np.float64)
    growth = times[1:] / times[:-1]
    least, most = JUMP
    up, down = (growth >= least) & (growth <= most), (growth >= 1 / most) & (growth <= 1 / least)
    level = np.cumsum(np.concatenate([[0], up.astype(int) - down]))
    level -= level.min()
    if level.max() != 1:
        return None
    low, high = rows.filter(level == 0), rows.filter(level == 1)
    if min(low.height, high.height) < FEWEST:
        return None
    gaps = [float(part["arrival_ns"].diff().abs().median() or 0) for part in (low, high)]  # type: ignore[arg-type]
    if not gaps[0] or not RATE[0] <= gaps[1] / gaps[0] <= RATE[1]:
        return None
    return (
        f"{label(arrival.source)} counts from a start in two units: {_places(high)} lie a thousand "
        f"times further apart than {_places(low)}"
    )


def _parted(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """Cut rows at the widest gap in `speed` that leaves enough on either side, if units differ so."""
    fewest = max(FEWEST, int(SHARE * rows.height))
    if rows.height < 2 * fewest:
        return None
    rows = rows.sort("speed")
    speed = rows["speed"].to_numpy()
    gaps = np.diff(speed)[fewest - 1 : len(speed) - fewest]
    cut = int(np.argmax(gaps)) + fewest
    low, high = rows[:cut], rows[cut:]
    apart = _middle(high) - _middle(low)
    if gaps.max() < GAP or not any(least <= apart <= most for least, most in STEPS):
        return None
    return low, high


def _middle(rows: pl.DataFrame) -> float:
    return float(rows["speed"].median())  # type: ignore[arg-type]


def _grow(rows: pl.DataFrame) -> bool:
    """Say whether durations grow with tokens: then speeds vary less than they do."""
    durations: NDArray[np.float64] = np.log10(rows["e2e_ns"].to_numpy())
    return rows.height > FEWEST and float(rows["speed"].std() or 0) < 0.8 * float(durations.std())  # type: ignore[arg-type]


def _fractions(odd: pl.DataFrame, even: pl.DataFrame, column: Column) -> bool:
    """Say whether one has fractions of the unit and the other has whole numbers."""
    if column.unit not in SIZES_NS:
        return False
    unit = SIZES_NS[column.unit]
    one, other = (float(((part[column.target] % unit) != 0).mean()) for part in (odd, even))
    return abs(one - other) > 0.5


def _places(rows: pl.DataFrame) -> str:
    named = sorted(rows["row"].drop_nulls().to_list())
    more = ", ..." if len(named) > SHOWN else ""
    return f"rows {', '.join(map(str, named[:SHOWN]))}{more}" if named else f"{rows.height} rows"


def _seconds(rows: pl.DataFrame) -> str:
    return seconds(10 ** _middle(rows) / 1e9)


def _rate(rows: pl.DataFrame) -> str:
    return three(10 ** _middle(rows))
