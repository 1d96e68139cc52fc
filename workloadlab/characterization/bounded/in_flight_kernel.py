"""The loop over starts and ends in order of time, and how long each level is held."""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.characterization.bounded.buckets import bucket_of, buckets
from workloadlab.jit import entry, helper

__all__ = ["BUCKETS", "DIGITS", "hold_levels"]

DIGITS = 9
BUCKETS = buckets(62, DIGITS)


@helper
def hold(since: Any, until: Any, level: Any, areas: Any, first: Any, bin_ns: Any) -> None:
    """Add a level that is held from one moment to another to the bins between them."""
    place = (since - first) // bin_ns
    while since < until:
        stop = min(until, first + (place + 1) * bin_ns)
        areas[place] += np.float64(level) * (stop - since)
        since = stop
        place += 1


@entry()
def hold_levels(
    starts: Any, start_tokens: Any, ends: Any, end_tokens: Any, until: Any, state: Any, held: Any,
    held_tokens: Any, areas: Any, first: Any, bin_ns: Any,
) -> Any:  # fmt: skip
    """Go through starts and ends up to a moment; return (ends that were met, tokens x nanoseconds).

    Arrays and state:
        starts, ends: moments, ascending; of each with its tokens.
        state: the last moment, requests and tokens in flight since, the most of either so far.
        held: nanoseconds per number of requests in flight; must reach to all starts.
        held_tokens: the same per bucket of tokens.
        areas: requests x nanoseconds per bin of `bin_ns` since `first`.
    """
    i, j, area = 0, 0, 0.0
    while i < len(starts) or (j < len(ends) and ends[j] <= until):
        starting = i < len(starts) and (j == len(ends) or starts[i] <= ends[j])
        moment = starts[i] if starting else ends[j]
        if moment > state[0]:
            held[state[1]] += moment - state[0]
            held_tokens[bucket_of(state[2], np.int64(DIGITS))] += moment - state[0]
            area += np.float64(state[2]) * (moment - state[0])
            hold(state[0], moment, state[1], areas, first, bin_ns)
            state[0] = moment
        while i < len(starts) and starts[i] == moment:
            state[1] += 1
            state[2] += start_tokens[i]
            i += 1
        while j < len(ends) and ends[j] == moment:
            state[1] -= 1
            state[2] -= end_tokens[j]
            j += 1
        state[3] = max(state[3], state[1])
        state[4] = max(state[4], state[2])
    return j, area
