"""The compiled evaluation of the linear estimator; see `linear`, which fills the table that it reads.

A table holds the coefficients of attention, then the curve of total tokens T as pairs of (intercept,
slope): one pair per token up to 16, one per 16 tokens up to 8192, one beyond.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.jit import entry, inline

__all__ = [
    "ATTENTION_CELLS",
    "CURVE_EDGES",
    "TABLE_CELLS",
    "curve",
    "curve_time",
    "decode_line",
    "step_time",
    "with_curve",
]

Floats = np.ndarray[Any, np.dtype[np.float64]]

ATTENTION_CELLS = 19
"""Cells before the curve."""

CURVE_EDGES: tuple[int, ...] = (*range(17), *range(32, 8192 + 1, 16))
"""Where the curve's pairs change: pair b holds for totals over edge b - 1 up to edge b."""

_LAST = len(CURVE_EDGES)

TABLE_CELLS = ATTENTION_CELLS + 2 * (_LAST + 1)
"""Length of the table."""


@inline
def curve_time(total_tokens: float, table: Floats) -> float:
    """Seconds of the terms of total tokens alone."""
    bucket = int(total_tokens)
    if bucket > 16:
        bucket = min(15 + ((bucket + 15) >> 4), _LAST)
    pair = ATTENTION_CELLS + 2 * bucket
    return float(table[pair] + table[pair + 1] * total_tokens)


@entry("float64[::1](float64[::1], float64[::1])", allocates=True)
def curve(totals: Floats, table: Floats) -> Floats:
    """Evaluate `curve_time` for every total."""
    seconds = np.empty(len(totals))
    for row in range(len(totals)):
        seconds[row] = curve_time(totals[row], table)
    return seconds


def with_curve(table: Floats, knots: Floats, more_s: Floats) -> Floats:
    """Return the table with seconds added to its curve, made to rise.

    Args:
        table: from `linear.kernel_table`.
        knots: totals among `CURVE_EDGES`, rising.
        more_s: seconds to add at the knots; linear between them, constant beyond.
    """
    edges = np.array(CURVE_EDGES, np.float64)
    pairs = table[ATTENTION_CELLS:].reshape(-1, 2).copy()
    ends = np.column_stack([edges[:-1], edges[1:]])
    values = pairs[1:_LAST, :1] + pairs[1:_LAST, 1:] * ends
    values += np.interp(ends, knots, more_s)
    line = values.ravel()
    line = np.maximum.accumulate(line) + np.minimum.accumulate(line[::-1])[::-1]
    values = np.maximum(0.0, line.reshape(-1, 2) / 2)
    slope = (values[:, 1] - values[:, 0]) / (ends[:, 1] - ends[:, 0])
    pairs[1:_LAST] = np.column_stack([values[:, 0] - slope * ends[:, 0], slope])
    pairs[_LAST, 0] = values[-1, 1] - pairs[_LAST, 1] * edges[_LAST - 1]
    corrected: Floats = np.concatenate([table[:ATTENTION_CELLS], pairs.ravel()])
    return corrected


@entry("float64(float64, float64, float64, float64, float64[::1])")
def step_time(
    prefill_tokens: float,
    prefill_context_tokens: float,
    decode_seqs: float,
    decode_context_tokens: float,
    table: Floats,
) -> float:
    """Seconds of one engine step; `table` comes from `linear.kernel_table`.

    Runs compiled, and as plain Python through `.py_func` with the same bits.
    """
    total = prefill_tokens + decode_seqs
    bucket = int(total)
    if bucket > 16:
        bucket = min(15 + ((bucket + 15) >> 4), _LAST)
    pair = ATTENTION_CELLS + 2 * bucket
    seconds = table[pair] + table[pair + 1] * total
    if prefill_tokens == 0.0:
        seconds += table[0]
        seconds += table[1] * decode_seqs
        seconds += table[2] * max(0.0, decode_seqs - 128.0)
        seconds += table[3] * decode_context_tokens
        seconds += table[4] * min(decode_context_tokens, 32768.0)
        seconds += table[5] * min(decode_context_tokens, 131072.0)
        return float(seconds)
    mean_cached = prefill_context_tokens / prefill_tokens
    mean_decode = 0.0
    if decode_seqs > 0.0:
        mean_decode = decode_context_tokens / decode_seqs
    seconds += table[6]
    seconds += table[7] * prefill_tokens
    seconds += table[8] * (prefill_tokens * prefill_tokens)
    seconds += table[9] * prefill_context_tokens
    seconds += table[10] * mean_cached
    seconds += table[11] * (max(0.0, prefill_tokens - 384.0) * mean_cached)
    seconds += table[12] * max(mean_cached, mean_decode)
    seconds += table[13] * decode_seqs
    seconds += table[14] * (decode_seqs * prefill_tokens)
    seconds += table[15] * decode_context_tokens
    seconds += table[16] * max(0.0, decode_context_tokens - 131072.0)
    crowd = max(0.0, decode_seqs - 64.0)
    seconds += table[17] * (crowd * max(0.0, mean_decode - 1024.0))
    seconds += table[18] * (crowd * max(0.0, mean_decode - 2048.0))
    return float(seconds)


@entry("UniTuple(float64, 3)(float64, float64, float64[::1])")
def decode_line(
    decode_seqs: float, decode_context_tokens: float, table: Floats
) -> tuple[float, float, float]:
    """Line of decode-only steps over their context: (seconds, seconds per token, last context)."""
    seconds = step_time(0.0, 0.0, decode_seqs, decode_context_tokens, table)
    if decode_context_tokens < 32768.0:
        return seconds, table[3] + table[4] + table[5], 32768.0
    if decode_context_tokens < 131072.0:
        return seconds, table[3] + table[5], 131072.0
    return seconds, table[3], np.inf
