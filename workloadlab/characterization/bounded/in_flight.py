"""Requests in flight, from rows that are read once in order of arrival; those in flight are held."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.characterization.bounded.buckets import middles
from workloadlab.characterization.bounded.in_flight_kernel import BUCKETS, DIGITS, hold_levels
from workloadlab.characterization.bounded.reading import NULL, read_rows
from workloadlab.characterization.rows import MEASURED, TOTAL_TOKENS
from workloadlab.characterization.topics.concurrency import (
    TOO_FEW,
    Concurrency,
    LevelSeries,
    levels_held,
    little,
    series_bin_s,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.plan import Plan
    from workloadlab.characterization.facts import Unsupported

__all__ = ["concurrency_of"]

NEEDED = ("arrival_ns", "row_id", "e2e_ns", "input_tokens", "output_tokens", "warmup")


@dataclass(frozen=True)
class _Timed:
    """What is known of the requests with a duration before they are met in order.

    Attributes:
        requests, missing: with a duration, and without.
        first_ns, last_ns, end_ns: first and last arrival, and the last end.
        busy_ns: sum of their durations.
        lengths_known: whether each has its number of tokens.
    """

    requests: int
    missing: int
    first_ns: int
    last_ns: int
    end_ns: int
    busy_ns: int
    lengths_known: bool


def concurrency_of(plan: Plan) -> Concurrency | Unsupported:
    """Measure the requests in flight by their recorded durations.

    Args:
        plan: of a trace that records some; its files are here.
    """
    timed = _timed(plan)
    if timed is None:
        return TOO_FEW
    bin_s = series_bin_s((timed.end_ns - timed.first_ns) / 1e9)
    bin_ns = round(bin_s * 1e9)
    areas = np.zeros((timed.end_ns - timed.first_ns) // bin_ns + 1)
    held, held_tokens = np.zeros(1, np.int64), np.zeros(BUCKETS, np.int64)
    state = np.array([timed.first_ns, 0, 0, 0, 0], dtype=np.int64)
    ends, end_tokens, area = np.empty(0, np.int64), np.empty(0, np.int64), 0.0
    for starts, durations, tokens in _stretches(plan):
        later = np.concatenate((ends, starts + durations))
        order = np.argsort(later)
        ends, end_tokens = later[order], np.concatenate((end_tokens, tokens))[order]
        held = np.pad(held, (0, max(0, len(ends) + 1 - len(held))))
        met, more = hold_levels(
            starts, tokens, ends, end_tokens, starts[-1], state, held, held_tokens, areas,
            timed.first_ns, bin_ns,
        )  # fmt: skip
        ends, end_tokens, area = ends[met:], end_tokens[met:], area + more
    nothing = np.empty(0, np.int64)
    _, more = hold_levels(
        nothing, nothing, ends, end_tokens, timed.end_ns, state, held, held_tokens, areas,
        timed.first_ns, bin_ns,
    )  # fmt: skip
    requests_area = sum(level * int(held[level]) for level in np.flatnonzero(held).tolist())
    return Concurrency(
        durations="observed",
        requests=timed.requests,
        missing=timed.missing,
        in_flight=levels_held(np.arange(len(held)), held, requests_area, int(state[3])),
        tokens=levels_held(
            middles(np.arange(BUCKETS), DIGITS), held_tokens, area + more, int(state[4])
        )
        if timed.lengths_known
        else None,
        little=little(timed.requests, timed.last_ns - timed.first_ns, requests_area, timed.busy_ns),
        series=LevelSeries(bin_s, tuple((areas / bin_ns).tolist())),
    )


def _timed(plan: Plan) -> _Timed | None:
    """Return None where under two requests at different times have a duration."""
    rows = pl.concat([pl.scan_parquet(file) for file in plan.files], how="diagonal")
    lengths = TOTAL_TOKENS if "output_tokens" in plan.filled else pl.lit(None)
    is_timed, arrival = pl.col("e2e_ns") >= 0, pl.col("arrival_ns")
    found = rows.filter(MEASURED).select(
        requests=is_timed.sum(),
        missing=(~is_timed.fill_null(value=False)).sum(),
        first_ns=arrival.filter(is_timed).min(),
        last_ns=arrival.filter(is_timed).max(),
        end_ns=(arrival + pl.col("e2e_ns")).filter(is_timed).max(),
        busy_ns=pl.col("e2e_ns").filter(is_timed).cast(pl.Int128).sum(),
        lengths_known=lengths.is_not_null().filter(is_timed).all(),
    ).collect(engine="streaming")  # fmt: skip
    timed = _Timed(**found.row(0, named=True))
    return timed if timed.requests > 1 and timed.last_ns > timed.first_ns else None


def _stretches(
    plan: Plan,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Yield arrivals, durations and tokens of the requests with a duration, in order of arrival."""
    plan = replace(plan, filled=tuple(name for name in NEEDED if name in plan.filled))
    for part in plan.parts:
        for rows in read_rows(plan, part, {}):
            numbers = rows.numbers
            chosen = rows.measured & (numbers["e2e_ns"] >= 0)
            if chosen.any():
                outputs = numbers.get("output_tokens", np.full(len(rows), NULL))
                tokens = numbers["input_tokens"] + np.where(outputs == NULL, 0, outputs)
                yield numbers["arrival_ns"][chosen], numbers["e2e_ns"][chosen], tokens[chosen]
