"""Requests in flight, from rows that are read once in order of arrival; those in flight are held."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.bounded.buckets import middles
from workloadlab.characterization.bounded.in_flight_kernel import BUCKETS, DIGITS, hold_levels
from workloadlab.characterization.bounded.reading import NULL, read_rows
from workloadlab.characterization.statistics.measures import exact_sum
from workloadlab.characterization.topics.concurrency import (
    TOO_FEW,
    Concurrency,
    LevelSeries,
    levels_held,
    little,
    series_bin_s,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.plan import Plan
    from workloadlab.characterization.facts import Unsupported

__all__ = ["concurrency_of"]

NEEDED = ("arrival_ns", "e2e_ns", "input_tokens", "output_tokens", "warmup")
NONE = np.empty(0, np.int64)


@dataclass
class _Areas:
    """Requests in flight x nanoseconds, by bins that become ten times as wide where they are many.

    Any width of `round_width` that gives at most 500 bins is a multiple of theirs.
    """

    MOST = 100_000
    WIDEST_NS = 100 * 10**9

    bin_ns: int = 1_000
    areas: NDArray[np.float64] = field(default_factory=lambda: np.zeros(_Areas.MOST))

    def reach(self, span_ns: int) -> None:
        """Make room for so long since the first arrival."""
        while span_ns // self.bin_ns >= self.MOST and self.bin_ns < self.WIDEST_NS:
            self._widen(10)
        self.areas = np.pad(self.areas, (0, max(0, span_ns // self.bin_ns + 1 - len(self.areas))))

    def series(self, span_ns: int) -> LevelSeries:
        """Return the mean level in bins that read well."""
        bin_s = series_bin_s(span_ns / 1e9)
        self._widen(round(bin_s * 1e9) // self.bin_ns)
        means = self.areas[: span_ns // self.bin_ns + 1] / self.bin_ns
        return LevelSeries(bin_s, tuple(means.tolist()))

    def _widen(self, times: int) -> None:
        padded = np.pad(self.areas, (0, -len(self.areas) % times))
        self.areas = padded.reshape(-1, times).sum(axis=1)
        self.bin_ns *= times


@dataclass
class _Sweep:
    """Starts and ends met so far; see `hold_levels` for `state` and what is held."""

    ends: NDArray[np.int64] = field(default_factory=lambda: NONE)
    end_tokens: NDArray[np.int64] = field(default_factory=lambda: NONE)
    state: NDArray[np.int64] = field(default_factory=lambda: np.zeros(5, np.int64))
    held: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    held_tokens: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BUCKETS, np.int64))
    areas: _Areas = field(default_factory=_Areas)
    token_area: float = 0.0
    first_ns: int = 0
    requests: int = 0
    busy_ns: int = 0

    def take(
        self,
        starts: NDArray[np.int64],
        durations: NDArray[np.int64],
        tokens: NDArray[np.int64],
    ) -> None:
        """Meet requests, which come after all before and at other moments."""
        if not self.requests:
            self.first_ns = int(starts[0])
            self.state[0] = self.first_ns
        later = np.concatenate((self.ends, starts + durations))
        order = np.argsort(later)
        self.ends = later[order]
        self.end_tokens = np.concatenate((self.end_tokens, tokens))[order]
        self.held = np.pad(self.held, (0, max(0, len(later) + 1 - len(self.held))))
        self.requests += len(starts)
        self.busy_ns += exact_sum(durations)
        self._meet(starts, tokens, int(starts[-1]))

    def end(self) -> int:
        """Meet the ends that are left; return the moment of the last."""
        last = int(max(self.ends[-1:], default=self.state[0]))
        self._meet(NONE, NONE, last)
        return last

    def _meet(self, starts: NDArray[np.int64], tokens: NDArray[np.int64], until: int) -> None:
        self.areas.reach(until - self.first_ns)
        met, area = hold_levels(
            starts, tokens, self.ends, self.end_tokens, until, self.state, self.held,
            self.held_tokens, self.areas.areas, self.first_ns, self.areas.bin_ns,
        )  # fmt: skip
        self.ends, self.end_tokens = self.ends[met:], self.end_tokens[met:]
        self.token_area += area


def concurrency_of(plan: Plan) -> Concurrency | Unsupported | None:
    """Measure the requests in flight by their recorded durations; None where none is recorded.

    Args:
        plan: of a trace whose files are here.
    """
    if "e2e_ns" not in plan.filled:
        return None
    reading = replace(plan, filled=tuple(name for name in NEEDED if name in plan.filled))
    sweep, lengths_known = _Sweep(), True
    for part in plan.parts:
        for rows in read_rows(reading, part, {}):
            numbers = rows.numbers
            timed = rows.measured & (numbers["e2e_ns"] >= 0)
            if timed.any():
                outputs = numbers.get("output_tokens", np.full(len(rows), NULL))[timed]
                lengths_known = lengths_known and bool((outputs != NULL).all())
                tokens = numbers["input_tokens"][timed] + np.maximum(outputs, 0)
                sweep.take(numbers["arrival_ns"][timed], numbers["e2e_ns"][timed], tokens)
    span_ns = int(sweep.state[0]) - sweep.first_ns
    if not span_ns:
        return TOO_FEW
    end_ns, levels = sweep.end(), np.arange(len(sweep.held))
    area = sum(level * int(sweep.held[level]) for level in np.flatnonzero(sweep.held).tolist())
    _, _, _, most, most_tokens = sweep.state.tolist()
    of_tokens = middles(np.arange(BUCKETS), DIGITS)
    return Concurrency(
        durations="observed",
        requests=sweep.requests,
        missing=plan.requests - sweep.requests,
        in_flight=levels_held(levels, sweep.held, area, most),
        tokens=levels_held(of_tokens, sweep.held_tokens, sweep.token_area, most_tokens)
        if lengths_known
        else None,
        little=little(sweep.requests, span_ns, area, sweep.busy_ns),
        series=sweep.areas.series(end_ns - sweep.first_ns),
    )
