"""The compiled walk over trees; see `trees`, which lays out the table that it reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.jit import entry
from workloadlab.latency.estimators import linear_kernel
from workloadlab.latency.estimators.linear_table import TABLE_CELLS
from workloadlab.latency.step import KINDS

__all__ = ["decode_line", "step_time", "tree_sum"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_TREES = TABLE_CELLS + len(KINDS) * 8
"""Where the trees begin: behind the linear table and the boxes."""


@entry("float64(float64[::1], float64[::1], int64)", allocates=True)
def tree_sum(inputs: Floats, table: Floats, start: int) -> float:
    """Add up the leaves that the inputs reach and the constant; see `tree_table`.

    The next node follows from the number of this one, without a branch or a look-up; unsigned numbers
    spare the test for a negative index.
    """
    trees, levels, total = int(table[start]), int(table[start + 1]), table[start + 2]
    feature, one, two = table.view(np.uint64), np.uint64(1), np.uint64(2)
    inner = np.uint64((1 << levels) - 1)
    tree = np.uint64(start + 3)
    for _ in range(trees):
        node = np.uint64(0)
        for _ in range(levels):
            at = tree + two * node
            right = np.uint64(inputs[feature[at]] > table[at + one])
            node = two * node + one + right
        total += table[tree + inner + node]
        tree += two * inner + inner + one
    return float(total)


@entry("float64(float64, float64, float64, float64, float64[::1])", allocates=True)
def _inside_time(p: float, cached: float, n: float, context: float, table: Floats) -> float:
    """Seconds of a step within its box."""
    base = max(1e-12, linear_kernel.step_time(p, p * cached, n, n * context, table))
    inputs = np.empty(5)
    inputs[0], inputs[1], inputs[2], inputs[3], inputs[4] = p, cached, n, context, base
    total = tree_sum(inputs, table, _TREES)
    return float(max(0.0, total) * (np.sqrt(base) * np.sqrt(np.sqrt(base))))


@entry("float64(float64, float64, float64, float64, float64[::1])", allocates=True)
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
    p, x, n, c = prefill_tokens, prefill_context_tokens, decode_seqs, decode_context_tokens
    box = TABLE_CELLS
    if p > 0.0:
        box += 16 if n > 0.0 else 8
    if (table[box + 1] == 0.0 and table[box + 5] == 0.0) or p + n == 0.0:
        return float(linear_kernel.step_time(p, x, n, c, table))
    cached = x / p if p > 0.0 else 0.0
    context = c / n if n > 0.0 else 0.0
    p_in = min(table[box + 1], max(table[box], p))
    cached_in = min(table[box + 3], max(table[box + 2], cached))
    n_in = min(table[box + 5], max(table[box + 4], n))
    context_in = min(table[box + 7], max(table[box + 6], context))
    seconds = _inside_time(p_in, cached_in, n_in, context_in, table)
    if p_in != p or cached_in != cached or n_in != n or context_in != context:
        seconds += linear_kernel.step_time(p, x, n, c, table)
        seconds -= linear_kernel.step_time(p_in, p_in * cached_in, n_in, n_in * context_in, table)
    return float(max(0.0, seconds))


@entry("UniTuple(float64, 3)(float64, float64, float64[::1])", allocates=True)
def decode_line(
    decode_seqs: float, decode_context_tokens: float, table: Floats
) -> tuple[float, float, float]:
    """Line of decode-only steps: trees have no line, so it holds for one step."""
    seconds = step_time(0.0, 0.0, decode_seqs, decode_context_tokens, table)
    return seconds, 0.0, decode_context_tokens
