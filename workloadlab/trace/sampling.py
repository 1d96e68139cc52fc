"""Some of the requests of a trace, with what such a sample keeps and what it breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.errors import UsageError
from workloadlab.fields import is_number, is_whole
from workloadlab.hints import did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SAMPLES", "draw", "note_of"]

SAMPLES = {
    "request": (
        "lengths, shares and latencies",
        "rates, gaps, sessions, prefix reuse and concurrency",
    ),
    "session": (
        "sessions: their turns, pauses, growth of context and own prefixes",
        "rates, concurrency, and prefix reuse across sessions",
    ),
    "window": (
        "all that happens inside one stretch of time: gaps, bursts, concurrency, prefix reuse",
        "sessions and caches at its ends, and what changes over longer times",
    ),
}
"""What may be drawn at random: what a sample of that keeps, and what it breaks."""

PLACE = "place"


def note_of(by: str, drawn: int, rows: int) -> str:
    """Say what a sample is.

    Example:
        >>> note_of("request", 10, 1000).split(". ")[0]
        'A sample by request: 10 of 1,000 requests'
    """
    if drawn == rows:
        return f"A sample by {by}: all of {rows:,} requests. It breaks nothing."
    keeps, breaks = SAMPLES[by]
    return (
        f"A sample by {by}: {drawn:,} of {rows:,} requests. It keeps {keeps}; it breaks {breaks}."
    )


def draw(frame: pl.LazyFrame, rows: int, size: float, by: str, seed: int) -> pl.DataFrame:
    """Return some rows in their order.

    Args:
        frame: the rows.
        rows: how many there are.
        size: how many are wanted, or a share below 1; whole sessions may be fewer, and one more.
        by: a key of `SAMPLES`.
        seed: the same seed draws the same.

    Raises:
        UsageError: no number of requests, something else to draw by, or a seed that is none.
    """
    if not (is_whole(size, 1) or (is_number(size) and size > 0)):
        raise UsageError(
            f"a sample of {size!r}", fix="name a number of requests, or a share below 1"
        )
    if by not in list(SAMPLES):
        raise UsageError(f"a sample by {by!r}", fix=did_you_mean(str(by), SAMPLES))
    if not is_whole(seed, 0):
        raise UsageError(f"a sample with seed {seed!r}", fix="use a whole number, 0 or more")
    requests = min(rows, round(size * rows if size < 1 else size))
    rng = np.random.default_rng(seed)
    if by == "window":
        return frame.slice(int(rng.integers(0, rows - requests + 1)), requests).collect()
    numbered = frame.with_row_index(PLACE)
    if by == "request":
        chosen = pl.col(PLACE).is_in(_places(rng, rows, requests).implode())
    else:
        chosen = _of_sessions(frame, rows, requests, rng)
    return (
        numbered.filter(chosen).drop(PLACE).collect(engine="streaming").sort("arrival_ns", "row_id")
    )


def _of_sessions(
    frame: pl.LazyFrame, rows: int, requests: int, rng: np.random.Generator
) -> pl.Expr:
    """Choose whole sessions until no further one fits; of requests without one, an equal share."""
    sessions = (
        frame.group_by("session_id").agg(n=pl.len()).sort("session_id").collect(engine="streaming")
    )
    named = sessions.filter(pl.col("session_id").is_not_null())
    alone = rows - int(named["n"].sum())
    wanted = requests - round(requests * alone / rows)
    order = rng.permutation(len(named))
    held = np.cumsum(named["n"].to_numpy()[order])
    kept = order[: max(1, int(np.searchsorted(held, wanted, side="right")))]
    chosen = pl.col("session_id").is_in(named["session_id"].gather(kept).implode())
    lonely = pl.col("session_id").is_null()
    few = _places(rng, alone, requests - wanted)
    return chosen | (lonely & (lonely.cum_sum() - 1).is_in(few.implode()))


def _places(rng: np.random.Generator, rows: int, count: int) -> pl.Series:
    drawn: NDArray[np.int64] = rng.choice(rows, count, replace=False, shuffle=False)
    return pl.Series(np.sort(drawn), dtype=pl.UInt32 if rows < 2**32 else pl.UInt64)
