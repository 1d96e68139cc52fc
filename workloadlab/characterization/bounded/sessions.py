"""Sessions of some rows: integers, which those of other sessions are merged with in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.bounded.buckets import lowest, places_of
from workloadlab.characterization.bounded.kernels import GAP_DIGITS
from workloadlab.characterization.bounded.partial import Partial
from workloadlab.characterization.bounded.rules import (
    add,
    add_by_key,
    add_by_two_keys,
    largest,
    least,
)
from workloadlab.characterization.compactions import count_resets
from workloadlab.characterization.topics.agentic import (
    LARGE_APPEND,
    LONG_TOOL_NS,
    appended_tokens,
    steps_of,
)
from workloadlab.characterization.topics.sessions import CONTEXT_TURNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.rules import Rule
    from workloadlab.characterization.rows import SessionRows

__all__ = ["COUNTED", "RULES", "TIMES", "bucketed", "counted", "tally_sessions"]

TIMES = ("pause", "think", "tool", "recorded", "lifetime")
"""Times of which buckets are kept, by what they are of."""

COUNTED = (
    "requests", "overlapping", "shrinks", "resets", "inputs", "inputs.several", "outputs",
    "outputs.several", "large.requests", "large.tokens", "long.pauses", "long.low", "long.high",
)  # fmt: skip
"""Names of the numbers of `counts`."""

RULES: dict[str, Rule] = {
    "turns": add_by_key,
    "steps": add_by_key,
    "growth": add_by_key,
    "appends": add_by_key,
    "prompts": add_by_two_keys,
    "counts": add,
    "born": least,
    "died": largest,
    "longest": largest,
    **dict.fromkeys(TIMES, add_by_key),
}
"""Quantity by quantity, how those of two sets of sessions become one.

turns, steps, growth, appends: value, how often. prompts: turn, tokens, how often. born, died: the first
and the last moment. longest: of each of `TIMES`. The times: bucket, how many, and the sum of what they
are above its lowest number, divided by 2^16 and the rest.
"""


def tally_sessions(key: str, place: int, rows: SessionRows) -> Partial:
    """Count the sessions of one file.

    Args:
        key: of the trace's plan.
        place: of the file.
        rows: of the file.
    """
    starts = np.flatnonzero(rows.first)
    turns = np.diff(np.append(starts, len(rows.session)))
    later = np.flatnonzero(~rows.first)
    growth = rows.input_tokens[later] - rows.input_tokens[later - 1]
    appended = appended_tokens(rows)
    early = rows.turn < CONTEXT_TURNS
    prompts = np.column_stack((rows.turn[early], rows.input_tokens[early]))
    died = np.maximum.reduceat(rows.end_ns, starts)
    times = _times(rows, later) | {"lifetime": died - rows.arrival_ns[starts]}
    arrays = {
        "turns": counted(turns),
        "steps": counted(steps_of(rows) if rows.after_tool is not None else turns[:0]),
        "growth": counted(growth[growth > 0]),
        "appends": counted(appended),
        "prompts": np.column_stack(np.unique(prompts, axis=0, return_counts=True)),
        "counts": _counts(rows, turns, later, growth, appended, times),
        "born": rows.arrival_ns.min(keepdims=True),
        "died": died.max(keepdims=True),
        "longest": np.array([each.max(initial=-1) for each in times.values()]),
        **{name: bucketed(values) for name, values in times.items()},
    }
    return Partial(key, (place,), {}, {name: arrays[name] for name in RULES})


def _times(rows: SessionRows, later: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Return the pauses, those after answers and after tools, and the recorded ones."""
    ends = rows.end_ns if rows.ends_recorded else rows.arrival_ns
    pauses = np.maximum(rows.arrival_ns[later] - ends[later - 1], 0)
    none = pauses[:0]
    after = None if rows.after_tool is None else rows.after_tool[later - 1]
    return {
        "pause": pauses,
        "think": none if after is None else pauses[~after],
        "tool": none if after is None else pauses[after],
        "recorded": rows.think_ns[rows.think_ns >= 0],
    }


def _counts(
    rows: SessionRows,
    turns: NDArray[np.int64],
    later: NDArray[np.int64],
    growth: NDArray[np.int64],
    appended: NDArray[np.int64],
    times: dict[str, NDArray[np.int64]],
) -> NDArray[np.int64]:
    ends = rows.end_ns if rows.ends_recorded else rows.arrival_ns
    several = np.repeat(turns > 1, turns)
    large = appended >= LARGE_APPEND
    long = times["tool"][times["tool"] > LONG_TOOL_NS]
    found = {
        "requests": len(rows.session),
        "overlapping": np.count_nonzero(rows.arrival_ns[later] < ends[later - 1]),
        "shrinks": np.count_nonzero(growth < 0),
        "resets": count_resets(rows, later, growth),
        "inputs": rows.input_tokens.sum(),
        "inputs.several": rows.input_tokens[several].sum(),
        "outputs": rows.output_tokens.sum(),
        "outputs.several": rows.output_tokens[several].sum(),
        "large.requests": np.count_nonzero(large),
        "large.tokens": appended[large].sum(),
        "long.pauses": len(long),
        "long.low": (long & 0xFFFF).sum(),
        "long.high": (long >> 16).sum(),
    }
    return np.array([int(found[name]) for name in COUNTED])


def counted(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return value and how often it occurs."""
    return np.column_stack(np.unique(values, return_counts=True)).astype(np.int64)


def bucketed(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return bucket, how many, and the sum of what is above its lowest number in two parts."""
    places = places_of(values, GAP_DIGITS)
    above = values - lowest(places, GAP_DIGITS)
    distinct, inverse, counts = np.unique(places, return_inverse=True, return_counts=True)
    sums = np.zeros((2, len(distinct)), np.int64)
    np.add.at(sums[0], inverse, above >> 16)
    np.add.at(sums[1], inverse, above & 0xFFFF)
    return np.column_stack((distinct, counts, *sums)).astype(np.int64)
