"""Several runs in one file: arrivals that begin anew, which one trace would lay over each other."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.errors import UsageError
from workloadlab.ingestion.formats import GENERIC
from workloadlab.ingestion.formats.names import forms
from workloadlab.ingestion.formats.trees import keys, label
from workloadlab.ingestion.privacy import described_text
from workloadlab.ingestion.rows import YEAR_NS
from workloadlab.ingestion.units import ASKED
from workloadlab.words import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workloadlab.ingestion.formats import Column, Format
    from workloadlab.ingestion.head import Head

__all__ = ["check_runs"]

FEWEST = 8
"""Rows of a run; fewer that begin anew are accidents of an order of completion."""
NEAR = 0.1
"""How near to the first arrival a run begins, as part of what the one before reached."""
RISES = 0.75
"""How many of the rows of a run come after the row before."""
HOUR_NS = 3_600 * 10**9
SHOWN = 3
MOST = 0.5
"""Values of a column, as part of the rows looked at, of which it names runs and not requests."""
_NAMES = {
    f"{what}{end}"
    for what in ("run", "experiment", "benchmark", "trial", "test_run", "sweep", "scenario")
    for end in ("", "_id", "_name")
}


def check_runs(
    table: pl.DataFrame, head: Head, columns: Sequence[Column], log_format: Format
) -> None:
    """Ask which run is meant, where arrivals of one file begin anew several times.

    Counts from a start fall back to it. Epochs fall back by hours, which shards of one log do, too:
    there the clock must be a benchmark client's, or a column be named after runs.

    Args:
        table: some rows of the trace in source order, with their `row` in the file.
        head: the beginning of the log.
        columns: what is read of it.
        log_format: its format.

    Raises:
        UsageError: they do, and the user has not said that the runs belong together.
    """
    arrival = next((each for each in columns if each.target == "arrival_ns"), None)
    guessed = log_format.name == GENERIC.name
    if arrival is None or arrival.why == ASKED or "arrival_ns" not in table.columns:
        return
    if not (guessed or log_format.clock == "client"):
        return
    begins = _begins(table.drop_nulls("arrival_ns"))
    if not begins:
        return
    dated = int(table["arrival_ns"].min() or 0) > YEAR_NS  # type: ignore[arg-type]
    key = _naming(head, columns)
    if dated and not (key and (forms(key) & _NAMES or not guessed)):
        return
    named = [f"row {row:,}" for row in begins[:SHOWN]] + ["others"] * (len(begins) > SHOWN)
    fix = "split the file there, and ingest the parts apart"
    if key:
        said = list(dict.fromkeys(head.said(key)))[:SHOWN]
        shown = [text for text in said if described_text([text]) == [text]]
        fix = f"choose one: --where {key}={shown[0] if shown else 'VALUE'}"
    raise UsageError(
        f"holds several runs: {label(arrival.source)} begins anew in {listed(named)}, and as one "
        "trace they would be served at once",
        where=str(head.path),
        fix=f"{fix}; if all belong together, say so: --unit arrival={arrival.unit or 's'}",
    )


def _begins(table: pl.DataFrame) -> list[int]:
    """Return the rows at which runs begin anew; none where most of them are no runs."""
    if table.height < 2 * FEWEST:
        return []
    times, rows = table["arrival_ns"].to_numpy(), table["row"].fill_null(0).to_numpy()
    lasted = pl.col("e2e_ns").fill_null(0) if "e2e_ns" in table.columns else 0
    ends = table.select(pl.col("arrival_ns") + lasted).to_series().to_numpy()
    dated = times.min() > YEAR_NS
    starts = [0, *(_falls(times, dated=dated)), len(times)]
    parts = list(pairwise(starts))
    good = [_is_run(times[low:high]) for low, high in parts]
    found = [
        int(rows[low])
        for (low, _), is_run, before in zip(parts[1:], good[1:], good, strict=False)
        if is_run
        and before
        and ends[low] < ends[low - 1]  # else in order of completion
        and rows[low] > rows[low - 1]  # else another file begins
    ]
    return found if 2 * sum(good) > len(parts) else []


def _falls(times: NDArray[np.int64], *, dated: bool) -> list[int]:
    """Return the places at which arrivals begin anew."""
    before, after = times[:-1], times[1:]
    if dated:
        return [int(place) + 1 for place in np.flatnonzero(before - after > HOUR_NS)]
    first = int(times.min())
    down = np.flatnonzero(after < before) + 1
    found: list[int] = []
    begun = 0
    for place in down.tolist():
        reached = int(times[begun:place].max()) - first
        if reached and int(times[place]) - first <= NEAR * reached:
            found.append(place)
            begun = place
    return found


def _is_run(times: NDArray[np.int64]) -> bool:
    steps = np.diff(times)
    return len(times) >= FEWEST and float((steps >= 0).mean()) >= RISES and times[-1] > times[0]


def _naming(head: Head, columns: Sequence[Column]) -> str | None:
    """Return the column that tells the runs apart: within each of its values arrivals only grow."""
    read = {key for column in columns for key in keys(column.source)}
    arrival = next(each for each in columns if each.target == "arrival_ns")
    likely = [key for key in head.keys if key not in read]
    likely.sort(key=lambda key: not forms(key) & _NAMES)
    table = head.table([*likely, keys(arrival.source)[0]])
    times = table[keys(arrival.source)[0]].cast(pl.Float64, strict=False)
    if times.null_count() == times.len():
        times = pl.int_range(times.len(), eager=True).cast(pl.Float64)
    for key in likely:
        named = pl.DataFrame({"key": table[key], "time": times}).drop_nulls()
        count = named["key"].n_unique()
        if not 1 < count <= MOST * max(1, named.height):
            continue
        rises = named.select((pl.col("time").diff().over("key") >= 0).mean()).item()
        if rises is not None and rises >= RISES and _changes(named["key"]) < 2 * count:
            return key
    return None


def _changes(names: pl.Series) -> int:
    return int((names != names.shift(1)).sum())
