"""One compiled step time for clusters whose pools use different estimators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from workloadlab.latency import linear, roofline, table, trees
from workloadlab.latency.estimators import estimator_named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workloadlab.latency.model import LatencyModel

__all__ = ["decode_line", "mixed_kernel", "step_time"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_CODES = {"linear": 0.0, "table": 1.0, "roofline": 2.0, "forest": 3.0, "boosting": 3.0}


@njit("float64(float64, float64, float64, float64, float64[::1])", cache=True, nogil=True)
def step_time(
    prefill_tokens: float,
    prefill_context_tokens: float,
    decode_seqs: float,
    decode_context_tokens: float,
    coded: Floats,
) -> float:
    """Seconds of one engine step; the first cell of the table says which estimator reads the rest."""
    p, x, n, c = prefill_tokens, prefill_context_tokens, decode_seqs, decode_context_tokens
    rest = coded[1:]
    if coded[0] == 0.0:
        return float(linear.step_time(p, x, n, c, rest))
    if coded[0] == 1.0:
        return float(table.step_time(p, x, n, c, rest))
    if coded[0] == 2.0:
        return float(roofline.step_time(p, x, n, c, rest))
    return float(trees.step_time(p, x, n, c, rest))


@njit("UniTuple(float64, 3)(float64, float64, float64[::1])", cache=True, nogil=True)
def decode_line(
    decode_seqs: float, decode_context_tokens: float, coded: Floats
) -> tuple[float, float, float]:
    """Line of decode-only steps; the first cell of the table says which estimator reads the rest."""
    n, c = decode_seqs, decode_context_tokens
    rest = coded[1:]
    line: tuple[float, float, float]
    if coded[0] == 0.0:
        line = linear.decode_line(n, c, rest)
    elif coded[0] == 1.0:
        line = table.decode_line(n, c, rest)
    elif coded[0] == 2.0:
        line = roofline.decode_line(n, c, rest)
    else:
        line = trees.decode_line(n, c, rest)
    return line


def mixed_kernel(
    models: Sequence[LatencyModel],
) -> tuple[Callable[..., float], Callable[..., tuple[float, float, float]], Floats]:
    """Return one compiled step time, its decode line and a row of its table for each model.

    Models of one estimator keep its own function. Rows are as long as the longest, zeros behind.

    Returns:
        The function `(prefill_tokens, prefill_context_tokens, decode_seqs, decode_context_tokens,
        row) -> seconds`, the function `(decode_seqs, decode_context_tokens, row) -> line` of
        `Estimator.decode_line`, and the rows, (models, cells). The seconds have the same bits as
        those of `LatencyModel.kernel`.

    Example:
        >>> from workloadlab.latency import LatencyModel
        >>> models = [LatencyModel.linear(constant_s=s) for s in (0.01, 0.02)]
        >>> step_s, line, rows = mixed_kernel(models)
        >>> step_s(0.0, 0.0, 8.0, 4000.0, rows[1])
        0.02
        >>> line(8.0, 4000.0, rows[1])
        (0.02, 0.0, 32768.0)
    """
    kernels = [model.kernel() for model in models]
    functions = {id(function): function for function, _ in kernels}
    mixed = len(functions) > 1
    cells = max(len(row) for _, row in kernels) + mixed
    rows = np.zeros((len(models), cells))
    for index, (model, (_, row)) in enumerate(zip(models, kernels, strict=True)):
        rows[index, mixed : mixed + len(row)] = row
        if mixed:
            rows[index, 0] = _CODES[model.estimator]
    if mixed:
        return step_time, decode_line, rows
    return kernels[0][0], estimator_named(models[0].estimator).decode_line, rows
