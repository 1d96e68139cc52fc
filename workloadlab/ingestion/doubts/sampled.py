"""Some rows of every chunk, by which a whole trace is judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError
from workloadlab.ingestion.rows import YEAR_NS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Sampled", "sample_of", "window"]

SAMPLES = 2_000
ODD_SHARE = 0.25
_JUDGED = ("arrival_ns", "e2e_ns", "ttft_ns", "input_tokens", "output_tokens")


def sample_of(frame: pl.DataFrame, rows: pl.Series | None = None) -> pl.DataFrame:
    """Return some rows of a chunk, evenly spread; `rows` are their numbers in the file.

    Example:
        >>> sample_of(pl.DataFrame({"input_tokens": [7, 8]})).rows()
        [(7, 1), (8, 2)]
    """
    names = [name for name in _JUDGED if name in frame.columns]
    every = max(1, frame.height // SAMPLES)
    numbers = pl.int_range(1, frame.height + 1, eager=True) if rows is None else rows
    taken = frame.select(names) if names else frame.select(pl.lit(0).alias("none")).head(0)
    return taken.with_columns(numbers.alias("row")).gather_every(every) if names else taken


@dataclass
class Sampled:
    """Some values of every chunk, and how far arrivals go back.

    Attributes:
        frames: rows, evenly spread, with their `row` in the file.
        latest_ns: the latest arrival so far.
        back_ns: the furthest that an arrival lies before an earlier row's.
        back_rows: rows that come before an earlier row's arrival.
    """

    frames: list[pl.DataFrame] = field(default_factory=list)
    latest_ns: int | None = None
    back_ns: int = 0
    back_rows: int = 0

    def add(self, frame: pl.DataFrame, sample: pl.DataFrame) -> None:
        """Take some rows of a chunk."""
        if sample.height:
            self.frames.append(sample)
            if "arrival_ns" in frame.columns:
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
