"""Durations that cannot be: answers too fast or too slow, days, two units in one column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.ingestion.clean import LATE, LONG
from workloadlab.ingestion.doubts.two_units import two_lengths, two_units
from workloadlab.ingestion.formats.trees import label
from workloadlab.ingestion.formats.words import Minus
from workloadlab.words import three

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workloadlab.ingestion.formats import Column

__all__ = ["ONE_UNIT", "SPEED", "check_durations", "check_first_tokens", "speeds"]

SPEED = (0.2, 20_000.0)
"""Tokens a second of one answer, in the middle, beyond which its unit is wrong."""
ODD_SHARE = 0.25
ONE_UNIT = "write one unit, or split the log and ingest the parts apart"


def speeds(table: pl.DataFrame, e2e: Column | None, where: Path, *, guessed: bool) -> list[str]:
    """Ask about answers at an impossible speed, or at two; return sentences where a format says so.

    Raises:
        UsageError: their unit was guessed.
    """
    if e2e is None or not {"e2e_ns", "output_tokens"} <= set(table.columns):
        return []
    notes = []
    if doubt := two_units(table, e2e):
        notes.append((doubt, ONE_UNIT))
    many = table.filter((pl.col("output_tokens") > 8) & (pl.col("e2e_ns") > 0))
    if many.height >= 5:
        speed = many.select((pl.col("output_tokens") / (pl.col("e2e_ns") / 1e9)).median()).item()
        if not SPEED[0] <= speed <= SPEED[1]:
            words = (
                f"an answer makes {three(speed)} tokens/s in the middle: the unit of e2e is wrong"
            )
            notes.append((words, "say its unit: --unit e2e=ms (or s, us, ns)"))
    if notes and guessed:
        words, fix = notes[0]
        raise UsageError(words, where=str(where), fix=fix)
    return [words for words, _ in notes]


def check_first_tokens(table: pl.DataFrame, ttft: Column, where: Path) -> None:
    """Ask about times to first token in two units, where no end tells that some are too long.

    Raises:
        UsageError: they are.
    """
    if ttft.target in table.columns and (doubt := two_lengths(table, ttft)):
        raise UsageError(doubt, where=str(where), fix=ONE_UNIT)


def check_durations(
    repaired: Mapping[str, int], written: int, by_target: Mapping[str, Column], where: Path, *,
    guessed: bool,
) -> None:  # fmt: skip
    """Ask about durations of which many are days or negative, and about first tokens after the end."""
    late = repaired.get(LATE, 0)
    if guessed and late > ODD_SHARE * written:
        first, last = (label(by_target[name].source) for name in ("ttft_ns", "e2e_ns"))
        raise UsageError(
            f"{first} is above {last} in {late:,} of {written:,} rows: no first token comes after the "
            "last one",
            where=str(where),
            fix=f"map them the other way round (--map ttft={last},e2e={first}), or leave one out: "
            "--map ttft=",
        )
    for name in ("e2e_ns", "ttft_ns"):
        column = by_target.get(name)
        before = repaired.get(f"negative {name}", 0)
        if column is not None and isinstance(column.source, Minus) and before > ODD_SHARE * written:
            raise UsageError(
                f"{label(column.source.end)} is before {label(column.source.start)} in {before:,} of "
                f"{written:,} rows: two clocks that differ, or columns in each other's place",
                where=str(where),
                fix=f"map a duration of one clock, or leave it out: --map {name.removesuffix('_ns')}=",
            )
        days = repaired.get(LONG[name], 0)
        if days > ODD_SHARE * written:
            word = name.removesuffix("_ns")
            raise UsageError(
                f"{label(by_target[name].source)} would be days in {days:,} of {written:,} rows as "
                f"{word}: it is in another unit, or a time of day",
                where=str(where),
                fix=f"say its unit (--unit {word}=ms), map another key, or leave it out: --map {word}=",
            )
