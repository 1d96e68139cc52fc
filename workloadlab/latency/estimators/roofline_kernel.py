"""The compiled evaluation of the roofline estimator; its table is the rates, in the order of `RATES`."""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.jit import entry

__all__ = ["decode_line", "step_time"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


@entry("float64(float64, float64, float64, float64, float64[::1])")
def step_time(
    prefill_tokens: float,
    prefill_context_tokens: float,
    decode_seqs: float,
    decode_context_tokens: float,
    table: Floats,
) -> float:
    """Seconds of one engine step; `table` comes from `kernel_table`.

    Runs compiled, and as plain Python through `.py_func` with the same bits.
    """
    total = prefill_tokens + decode_seqs
    read = table[0]
    if total > 0.0:
        read += table[1] * (total / (total + table[2]))
    compute = table[3] * total
    read, compute = read * read, compute * compute
    seconds = np.sqrt(np.sqrt(read * read + compute * compute))
    seconds += table[4] * decode_seqs
    seconds += (table[5] if prefill_tokens == 0.0 else table[6]) * decode_context_tokens
    seconds += table[7] * (prefill_context_tokens + prefill_tokens * prefill_tokens * 0.5)
    return float(seconds)


@entry("UniTuple(float64, 3)(float64, float64, float64[::1])")
def decode_line(
    decode_seqs: float, decode_context_tokens: float, table: Floats
) -> tuple[float, float, float]:
    """Line of decode-only steps over their context: (seconds, seconds per token, last context)."""
    return step_time(0.0, 0.0, decode_seqs, decode_context_tokens, table), table[5], np.inf
