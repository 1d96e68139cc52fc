"""The compiled sum of the terms beyond the kernels; see `step_terms`, which lays out their table.

A table begins with the terms by name, then the number of points of a curve, that of dense operators:
tokens, then seconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.jit import entry, helper
from workloadlab.latency.step import LARGE_TOKENS, TILE_TOKENS

__all__ = ["LONGEST", "captured_tokens", "terms_of_steps", "terms_s"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

LONGEST, _POINTS, _CURVE = 1, 5, 6


@helper
def _dense_s(tokens: float, table: Floats) -> float:
    """Seconds of dense operators, linear between the points of their curve and beyond the last two."""
    count = int(table[_POINTS])
    if count == 0:
        return 0.0
    low, high = _CURVE, _CURVE + count - 1
    while high - low > 1:
        middle = (low + high) >> 1
        if tokens >= table[middle]:
            low = middle
        else:
            high = middle
    share = (tokens - table[low]) / (table[high] - table[low])
    return float(table[low + count] + share * (table[high + count] - table[low + count]))


@entry("float64(float64, float64, float64, float64, float64, boolean, float64[::1])")
def terms_s(
    prefill_tokens: float,
    prefill_context_tokens: float,
    decode_seqs: float,
    mean_context: float,
    longest_context: float,
    captured: bool,
    table: Floats,
) -> float:
    """Seconds that a step takes beyond its kernels; `table` is `StepTerms.table()`."""
    seconds = 0.0
    if captured:
        seconds -= table[0]
    if prefill_tokens > 0.0:
        whole = longest_context > prefill_tokens + prefill_context_tokens / prefill_tokens
    else:
        whole = decode_seqs >= table[2]
    if whole and longest_context > mean_context:
        seconds += table[LONGEST] * (longest_context - mean_context)
    total = prefill_tokens + decode_seqs
    if total > LARGE_TOKENS:
        seconds += (table[3] - 1.0) * _dense_s(total, table)
    if prefill_tokens >= TILE_TOKENS:
        seconds += table[4] * decode_seqs
    return float(seconds)


@entry("int64(int64, int64)")
def captured_tokens(tokens: int, most: int) -> int:
    """Return the size of the smallest captured graph that holds so many tokens, 0 if none does.

    vLLM captures batches of 1, 2, 4, then every 8 up to 256 and every 16 up to `most` tokens, and pads
    a step to the next of those (`CompilationConfig.cudagraph_capture_sizes`).
    """
    size = tokens
    if tokens > 256:
        size = (tokens + 15) // 16 * 16
    elif tokens > 4:
        size = (tokens + 7) // 8 * 8
    elif tokens == 3:
        size = 4
    return size if size <= most else 0


@entry(
    "Tuple((float64[::1], float64[:, ::1]))(float64[:, ::1], int64, float64[::1])", allocates=True
)
def terms_of_steps(features: Floats, most: int, table: Floats) -> tuple[Floats, Floats]:
    """Evaluate `terms_s` for steps with equal contexts, captured up to `most` tokens.

    Returns:
        The seconds, and the rows of (p, x, n, c) padded to the sizes of their graphs.
    """
    seconds, padded = np.empty(len(features)), features.copy()
    for row in range(len(features)):
        p, x, n, c = features[row]
        size = captured_tokens(int(p + n), most)
        seconds[row] = terms_s(p, x, n, c / n if n > 0.0 else 0.0, 0.0, size > 0, table)
        padded[row, 0 if p > 0.0 else 2] += max(0.0, float(size) - p - n)
    return seconds, padded
