"""The compiled evaluation of the table estimator; see `table`."""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.jit import entry, inline
from workloadlab.latency.estimators import linear_kernel
from workloadlab.latency.estimators.linear_table import TABLE_CELLS

__all__ = ["decode_line", "step_time"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


@inline
def _locate(value: float, first: int, count: int, table: Floats) -> tuple[int, float]:
    """Cell of the axis that starts at `first`, and how far into it, from 0 to 1."""
    low, high = first, first + count - 1
    while high - low > 1:
        middle = (low + high) >> 1
        if value >= table[middle]:
            low = middle
        else:
            high = middle
    part = (value - table[low]) / (table[high] - table[low])
    return low - first, min(1.0, max(0.0, part))


@entry("float64(float64, float64, int64, float64[::1])")
def _plane(a: float, b: float, grid: int, table: Floats) -> float:
    """Seconds between the nodes of a grid of two axes."""
    rows, columns = int(table[grid]), int(table[grid + 1])
    i, u = _locate(a, grid + 2, rows, table)
    j, v = _locate(b, grid + 2 + rows, columns, table)
    at = grid + 2 + rows + columns + i * columns + j
    low = table[at] + v * (table[at + 1] - table[at])
    high = table[at + columns] + v * (table[at + columns + 1] - table[at + columns])
    return float(low + u * (high - low))


@entry("float64(float64, float64, float64, float64, int64, float64[::1])")
def _room(a: float, b: float, c: float, d: float, grid: int, table: Floats) -> float:
    """Seconds between the nodes of a grid of four axes."""
    n0, n1, n2, n3 = (
        int(table[grid]),
        int(table[grid + 1]),
        int(table[grid + 2]),
        int(table[grid + 3]),
    )
    first = grid + 4
    i, t = _locate(a, first, n0, table)
    j, u = _locate(b, first + n0, n1, table)
    k, v = _locate(c, first + n0 + n1, n2, table)
    m, w = _locate(d, first + n0 + n1 + n2, n3, table)
    at = first + n0 + n1 + n2 + n3 + ((i * n1 + j) * n2 + k) * n3 + m
    seconds = 0.0
    for x in range(2):
        for y in range(2):
            corner = at + (x * n1 + y) * n2 * n3
            low = table[corner] + w * (table[corner + 1] - table[corner])
            corner += n3
            high = table[corner] + w * (table[corner + 1] - table[corner])
            share = (t if x == 1 else 1.0 - t) * (u if y == 1 else 1.0 - u)
            seconds += share * (low + v * (high - low))
    return seconds


@inline
def _clamped(value: float, first: int, count: int, table: Floats) -> float:
    return float(min(table[first + count - 1], max(table[first], value)))


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
    p, x, n, c = prefill_tokens, prefill_context_tokens, decode_seqs, decode_context_tokens
    kind = 0
    if p > 0.0:
        kind = 2 if n > 0.0 else 1
    grid = int(table[TABLE_CELLS + kind])
    if grid == 0 or p + n == 0.0:
        return float(linear_kernel.step_time(p, x, n, c, table))
    cached = x / p if p > 0.0 else 0.0
    context = c / n if n > 0.0 else 0.0
    # The nearest step within the grid.
    p_in, cached_in, n_in, context_in = p, cached, n, context
    n0, n1 = int(table[grid]), int(table[grid + 1])
    if kind == 0:
        n_in = _clamped(n, grid + 2, n0, table)
        context_in = _clamped(context, grid + 2 + n0, n1, table)
        seconds = _plane(n_in, context_in, grid, table)
    elif kind == 1:
        p_in = _clamped(p, grid + 2, n0, table)
        cached_in = _clamped(cached, grid + 2 + n0, n1, table)
        seconds = _plane(p_in, cached_in, grid, table)
    else:
        n2, n3 = int(table[grid + 2]), int(table[grid + 3])
        p_in = _clamped(p, grid + 4, n0, table)
        cached_in = _clamped(cached, grid + 4 + n0, n1, table)
        n_in = _clamped(n, grid + 4 + n0 + n1, n2, table)
        context_in = _clamped(context, grid + 4 + n0 + n1 + n2, n3, table)
        seconds = _room(p_in, cached_in, n_in, context_in, grid, table)
    seconds += linear_kernel.curve_time(p_in + n_in, table)
    if p_in != p or cached_in != cached or n_in != n or context_in != context:
        seconds += linear_kernel.step_time(p, x, n, c, table)
        seconds -= linear_kernel.step_time(p_in, p_in * cached_in, n_in, n_in * context_in, table)
    return float(max(0.0, seconds))


@entry("UniTuple(float64, 3)(float64, float64, float64[::1])")
def decode_line(
    decode_seqs: float, decode_context_tokens: float, table: Floats
) -> tuple[float, float, float]:
    """Line of decode-only steps over their context: (seconds, seconds per token, last context).

    Within a cell of the grid the plane is one, beyond the last node the linear estimator. Batches
    outside the grid are taken step by step.
    """
    n, c = decode_seqs, decode_context_tokens
    seconds = step_time(0.0, 0.0, n, c, table)
    grid = int(table[TABLE_CELLS])
    if grid == 0 or n == 0.0:
        line: tuple[float, float, float] = linear_kernel.decode_line(n, c, table)
        return line
    rows, columns = int(table[grid]), int(table[grid + 1])
    nodes = grid + 2 + rows
    inside = table[grid + 2] <= n <= table[nodes - 1] and table[nodes] <= c / n
    if seconds == 0.0 or not inside:
        return seconds, 0.0, c
    if c / n >= table[nodes + columns - 1]:
        _, slope, edge = linear_kernel.decode_line(n, c, table)
        return seconds, slope, edge
    i, u = _locate(n, grid + 2, rows, table)
    j, _ = _locate(c / n, nodes, columns, table)
    at = nodes + columns + i * columns + j
    low = table[at + 1] - table[at]
    high = table[at + columns + 1] - table[at + columns]
    width = table[nodes + j + 1] - table[nodes + j]
    return seconds, (low + u * (high - low)) / (width * n), table[nodes + j + 1] * n
