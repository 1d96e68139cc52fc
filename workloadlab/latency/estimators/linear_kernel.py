"""The compiled evaluation of the linear estimator; see `linear_table` for the table that it reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.jit import entry, inline
from workloadlab.latency.estimators.linear_table import ATTENTION_CELLS, LAST

__all__ = ["curve", "curve_time", "decode_line", "step_time"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


@inline
def curve_time(total_tokens: float, table: Floats) -> float:
    """Seconds of the terms of total tokens alone."""
    bucket = int(total_tokens)
    if bucket > 16:
        bucket = min(15 + ((bucket + 15) >> 4), LAST)
    pair = ATTENTION_CELLS + 2 * bucket
    return float(table[pair] + table[pair + 1] * total_tokens)


@entry("float64[::1](float64[::1], float64[::1])", allocates=True)
def curve(totals: Floats, table: Floats) -> Floats:
    """Evaluate `curve_time` for every total."""
    seconds = np.empty(len(totals))
    for row in range(len(totals)):
        seconds[row] = curve_time(totals[row], table)
    return seconds


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
        bucket = min(15 + ((bucket + 15) >> 4), LAST)
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
