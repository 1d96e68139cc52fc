"""Sessions and agents from counts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.bounded.buckets import lowest
from workloadlab.characterization.bounded.kernels import GAP_DIGITS
from workloadlab.characterization.bounded.sessions import COUNTED, TIMES
from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.frequencies import Frequencies
from workloadlab.characterization.statistics.measures import Spread
from workloadlab.characterization.topics.agentic import NO_SECOND, Agentic, Appends, ToolTime
from workloadlab.characterization.topics.sessions import (
    CONTEXT_TURNS,
    Context,
    LiveSessions,
    Pauses,
    Sessions,
    hazard_of,
    mass_of,
    turns_of,
)

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.by_session import Sorted

__all__ = ["Times", "agentic_from", "sessions_from"]


@dataclass(frozen=True)
class Times:
    """Times in buckets: the mean of each stands for those in it; their sum is exact.

    Attributes:
        table: bucket, how many, and the sum above its lowest number in two parts.
        longest: of all.
    """

    table: NDArray[np.int64]
    longest: int

    @property
    def sum_ns(self) -> int:
        """Sum of all."""
        places, counts, high, low = self.table.T.tolist()
        base = lowest(self.table[:, 0], GAP_DIGITS).tolist() if places else []
        return sum(
            b * n + (h << 16) + rest for b, n, h, rest in zip(base, counts, high, low, strict=True)
        )

    def spread_s(self) -> Spread | None:
        """Return them in seconds; None for none."""
        return self.some_s() if len(self.table) else None

    @property
    def frequencies_s(self) -> Frequencies:
        """How often each is, in seconds."""
        places, counts, high, low = self.table.T
        means = lowest(places, GAP_DIGITS) + (high * 65536.0 + low) / counts
        return Frequencies(means / 1e9, counts)

    def some_s(self) -> Spread:
        """Return at least one in seconds."""
        found = self.frequencies_s
        p50, p90, p99 = found.quantiles([0.5, 0.9, 0.99])
        return Spread(found.n, self.sum_ns / found.n / 1e9, p50, p90, p99, self.longest / 1e9)


def sessions_from(arrays: dict[str, NDArray[Any]], rows: Sorted, peak: int) -> Sessions:
    """Make the facts of sessions.

    Args:
        arrays: of all sessions, merged.
        rows: what they were counted from.
        peak: the most that were live at a time.
    """
    times, counts = _times(arrays), _counts(arrays)
    lengths, growth = _frequencies(arrays["turns"]), _frequencies(arrays["growth"])
    everything = times["pause"].spread_s()
    span_ns = int(arrays["died"][0]) - int(arrays["born"][0])
    return Sessions(
        count=lengths.n,
        requests=counts["requests"],
        missing=rows.missing,
        turns=turns_of(lengths),
        hazard=hazard_of(lengths),
        pauses_s=Unsupported("no session has a second request")
        if everything is None
        else Pauses(
            measured_from="end" if rows.ends_recorded else "arrival",
            all=everything,
            think=times["think"].spread_s(),
            tool=times["tool"].spread_s(),
            recorded=times["recorded"].spread_s(),
            overlapping=counts["overlapping"],
        ),
        live=LiveSessions(
            peak=peak,
            mean=times["lifetime"].sum_ns / span_ns if span_ns else float(lengths.n),
            lifetime_s=times["lifetime"].some_s(),
        ),
        context=Context(
            input_p50_by_turn=tuple(_medians(arrays["prompts"])),
            growth_tokens=_spread(growth),
            shrinks=counts["shrinks"],
            resets=counts["resets"],
        ),
        multi_turn=mass_of(
            lengths,
            (counts["inputs.several"], counts["inputs"]),
            (counts["outputs.several"], counts["outputs"]),
        ),
    )


def agentic_from(arrays: dict[str, NDArray[Any]], rows: Sorted) -> Agentic | Unsupported:
    """Make the facts of agents."""
    counts, lengths = _counts(arrays), _frequencies(arrays["turns"])
    if lengths.values[-1] == 1:
        return NO_SECOND
    appended = _frequencies(arrays["appends"])
    total, everything, requests = int(appended.total), counts["inputs"], counts["requests"]
    return Agentic(
        steps_per_turn=_spread(_frequencies(arrays["steps"])),
        tool_time=_tool_time(arrays, counts) if rows.ends_recorded else None,
        appends=Appends(
            tokens=_some(appended),
            large_share=counts["large.requests"] / requests,
            large_token_share=counts["large.tokens"] / total if total else None,
            fresh_share=total / everything if everything else None,
            prefill_amplification=everything / total if total else None,
        ),
        cached_share=rows.cached[0] / rows.cached[1] if rows.cached and rows.cached[1] else None,
        compactions=counts["resets"],
    )


def _tool_time(arrays: dict[str, NDArray[Any]], counts: dict[str, int]) -> ToolTime | None:
    tool = _times(arrays)["tool"]
    seconds = tool.spread_s()
    if seconds is None:
        return None
    long_ns = (counts["long.high"] << 16) + counts["long.low"]
    return ToolTime(
        seconds=seconds,
        over_a_minute_share=counts["long.pauses"] / seconds.n,
        over_a_minute_time_share=long_ns / tool.sum_ns if tool.sum_ns else None,
    )


def _times(arrays: dict[str, NDArray[Any]]) -> dict[str, Times]:
    longest = arrays["longest"].tolist()
    return {name: Times(arrays[name], most) for name, most in zip(TIMES, longest, strict=True)}


def _counts(arrays: dict[str, NDArray[Any]]) -> dict[str, int]:
    return dict(zip(COUNTED, arrays["counts"].tolist(), strict=True))


def _frequencies(table: NDArray[np.int64]) -> Frequencies:
    return Frequencies(table[:, 0], table[:, 1])


def _spread(values: Frequencies) -> Spread | None:
    return _some(values) if values.n else None


def _some(values: Frequencies) -> Spread:
    p50, p90, p99 = values.quantiles([0.5, 0.9, 0.99])
    return Spread(values.n, int(values.total) / values.n, p50, p90, p99, float(values.values[-1]))


def _medians(prompts: NDArray[np.int64]) -> list[float]:
    """Return the median of the prompts of each turn."""
    edges = np.searchsorted(prompts[:, 0], np.arange(CONTEXT_TURNS + 1)).tolist()
    return [_frequencies(prompts[a:b, 1:]).quantiles([0.5])[0] for a, b in pairwise(edges) if b > a]
