"""The linear estimator: non-negative coefficients on terms that a roofline gives reasons for.

A step costs what its total tokens cost (weights read once, then matrix products in whole tiles)
plus what its attention costs. Attention runs in one of two kernels: decode-only batches stream the
cached context at memory bandwidth; batches with a prefill walk it in a kernel made for many
queries. So the terms of attention exist once per kernel. Several chunks in one step count as one
chunk of their total length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.latency.estimators.estimator import Estimator
from workloadlab.latency.estimators.linear_table import (
    ATTENTION_CELLS,
    CURVE_EDGES,
    TABLE_CELLS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloadlab.fields import Fields

__all__ = [
    "ESTIMATOR",
    "TERMS",
    "describe_terms",
    "design_matrix",
    "fit_coefficients",
    "kernel_table",
    "parse_coefficients",
    "scaled",
]

Floats = np.ndarray[Any, np.dtype[np.float64]]

# Knots of total tokens T. Matrix products compute whole tiles of 64 to 256 tokens, so T has stairs;
# below 32 a mixture of experts reads more experts with every token.
_STAIRS = (1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 320, 384, *range(512, 2048, 128))
_FIRST = (16, 64, 256)
_ABOVE = (256, 512, 1024, 2048, 4096, 8192)

_TOTAL = (
    *(f"total_tokens_first_{k}" for k in _FIRST),
    *(f"total_tokens_above_{k}" for k in _ABOVE),
    *(f"total_tokens_step_{k}" for k in _STAIRS),
)
_DECODE = (
    "decode_step",
    "decode_seqs",
    "decode_seqs_above_128",
    "decode_context",
    "decode_context_first_32768",
    "decode_context_first_131072",
)
_PREFILL = (
    "prefill_step",
    "prefill_tokens",
    "prefill_tokens_squared",
    "prefill_context",
    "prefill_mean_context",
    "prefill_mean_context_wide",
    "longest_context",
    "mixed_seqs",
    "mixed_seqs_prefill_tokens",
    "mixed_context",
    "mixed_context_above_131072",
    "mixed_crowding_above_1024",
    "mixed_crowding_above_2048",
)

TERMS: tuple[str, ...] = (*_TOTAL, *_DECODE, *_PREFILL)
"""Names of the terms (`describe_terms` has their formulas); a coefficient is seconds per unit."""

_FORMULAS = {
    "total_tokens_first_K": "min(T, K): weights and experts touched by the first tokens",
    "total_tokens_above_K": "max(0, T - K): compute-bound from K on",
    "total_tokens_step_K": "1 if T > K: one more row of tiles",
    "decode_step": "1 in steps without prefill",
    "decode_seqs": "n in steps without prefill",
    "decode_seqs_above_128": "max(0, n - 128) in steps without prefill",
    "decode_context": "c in steps without prefill: the KV cache streamed once",
    "decode_context_first_K": "min(c, K) in steps without prefill: bandwidth not yet reached",
    "prefill_step": "1 in steps with prefill",
    "prefill_tokens": "p",
    "prefill_tokens_squared": "p^2: self attention of the chunk",
    "prefill_context": "x: attention of the chunk to what is cached",
    "prefill_mean_context": "m = x/p: a short chunk still walks its whole cached context",
    "prefill_mean_context_wide": "max(0, p - 384) * m: a chunk of many blocks walks it many times",
    "longest_context": "max(m, c/n) in steps with prefill: the slowest block's walk",
    "mixed_seqs": "n in steps with prefill",
    "mixed_seqs_prefill_tokens": "n * p: the grid spans the longest chunk for every sequence",
    "mixed_context": "c in steps with prefill",
    "mixed_context_above_131072": "max(0, c - 131072) in steps with prefill: caches overflow",
    "mixed_crowding_above_K": "max(0, n - 64) * max(0, c/n - K) in steps with prefill: as above",
}


def describe_terms() -> dict[str, str]:
    """Return the formula and the reason of every term.

    p, x, n, c are prefill_tokens, prefill_context_tokens, decode_seqs, decode_context_tokens and
    T = p + n; K stands for the number in the term's name.
    """
    return dict(_FORMULAS)


def design_matrix(features: Floats) -> Floats:
    """Evaluate every term: rows of (p, x, n, c) to rows of `TERMS`."""
    p, x, n, c = features.T
    total = p + n
    prefill = (p > 0).astype(np.float64)
    decode = 1.0 - prefill
    mean_cached = np.divide(x, p, out=np.zeros_like(x), where=p > 0)
    mean_decode = np.divide(c, n, out=np.zeros_like(c), where=n > 0)
    columns = [np.minimum(total, k) for k in _FIRST]
    columns += [np.maximum(0.0, total - k) for k in _ABOVE]
    columns += [(total > k).astype(np.float64) for k in _STAIRS]
    columns += [
        decode,
        decode * n,
        decode * np.maximum(0.0, n - 128),
        decode * c,
        decode * np.minimum(c, 32768),
        decode * np.minimum(c, 131072),
        prefill,
        p,
        p * p,
        x,
        mean_cached,
        np.maximum(0.0, p - 384) * mean_cached,
        prefill * np.maximum(mean_cached, mean_decode),
        prefill * n,
        n * p,
        prefill * c,
        prefill * np.maximum(0.0, c - 131072),
        prefill * np.maximum(0.0, n - 64) * np.maximum(0.0, mean_decode - 1024),
        prefill * np.maximum(0.0, n - 64) * np.maximum(0.0, mean_decode - 2048),
    ]
    return np.column_stack(columns)


def fit_coefficients(features: Floats, seconds: Floats) -> dict[str, float]:
    """Fit the terms by non-negative least squares on relative errors.

    Minimises the sum over steps of w * ((predicted - measured)/measured)^2 with every coefficient
    >= 0 (Lawson and Hanson's NNLS). w makes decode, prefill and mixed steps weigh the same in
    total, so that a table rich in one kind does not spoil the others. Coefficients are rounded to
    six significant digits: the rest is noise, and a file is the same on every machine.

    Args:
        features: (rows, 4): prefill_tokens, prefill_context_tokens, decode_seqs,
            decode_context_tokens.
        seconds: (rows,) measured durations.
    """
    from scipy.optimize import nnls

    kind = (features[:, 0] > 0) * 1 + ((features[:, 0] > 0) & (features[:, 2] > 0))
    rows = np.bincount(kind, minlength=3)
    weight = np.sqrt(len(seconds) / rows[kind])
    matrix = design_matrix(features) * (weight / seconds)[:, None]
    scale = np.linalg.norm(matrix, axis=0)
    scale[scale == 0] = 1.0
    solution, _ = nnls(matrix / scale, weight, maxiter=100 * len(TERMS))
    values = (float(f"{value:.5e}") for value in solution / scale)
    coefficients = dict(zip(TERMS, values, strict=True))
    return _extrapolated(coefficients, float((features[:, 0] + features[:, 2]).max()))


def _extrapolated(coefficients: dict[str, float], last: float) -> dict[str, float]:
    """Let cost grow beyond the largest measured T by its mean slope over the upper half below it.

    Stairs beyond the data have no coefficient, so without this the curve would go flat.
    """
    knot = next((k for k in _ABOVE if k >= last), None)
    if knot is None:
        return coefficients
    at_last, at_half, later = _curve(coefficients, [last, max(1.0, last // 2), 2.0 * knot])
    slope = (at_last - at_half) / (last - max(1.0, last // 2)) if last > 1 else 0.0
    missing = slope - (later - at_last) / (2.0 * knot - last)
    if missing > 0:
        coefficients[f"total_tokens_above_{knot}"] += float(f"{missing:.5e}")
    return coefficients


def _curve(coefficients: Mapping[str, float], totals: list[float]) -> list[float]:
    total = np.array(totals)
    rows = design_matrix(np.column_stack([0 * total, 0 * total, total, 0 * total]))
    values = np.array([coefficients[name] for name in _TOTAL])
    return [float(value) for value in rows[:, : len(_TOTAL)] @ values]


def parse_coefficients(take: Fields) -> dict[str, float]:
    """Read the coefficients from JSON."""
    fix = "write seconds per unit, 0 or more"
    coefficients = {name: take.number(name, low=0.0, fix=fix) for name in TERMS}
    take.only(TERMS)
    return coefficients


def kernel_table(coefficients: Mapping[str, float]) -> Floats:
    """Lay the coefficients out for `step_time`; the same coefficients give the same bits."""
    table = np.zeros(TABLE_CELLS)
    table[:ATTENTION_CELLS] = [coefficients[name] for name in (*_DECODE, *_PREFILL)]
    for bucket, low in enumerate(CURVE_EDGES, start=1):
        intercept, slope = 0.0, 0.0
        for k in _FIRST:
            if low < k:
                slope += coefficients[f"total_tokens_first_{k}"]
            else:
                intercept += coefficients[f"total_tokens_first_{k}"] * k
        for k in _ABOVE:
            if low >= k:
                slope += coefficients[f"total_tokens_above_{k}"]
                intercept -= coefficients[f"total_tokens_above_{k}"] * k
        for k in _STAIRS:
            if low >= k:
                intercept += coefficients[f"total_tokens_step_{k}"]
        table[ATTENTION_CELLS + 2 * bucket] = intercept
        table[ATTENTION_CELLS + 2 * bucket + 1] = slope
    return table


def scaled(coefficients: Mapping[str, float], factor: float, more_s: float) -> dict[str, float]:
    """Return the coefficients of steps that take `factor` times as long, and `more_s` longer.

    Example:
        >>> scaled(dict.fromkeys(TERMS, 0.01), 2.0, 0.5)["decode_step"]
        0.52
    """
    changed = {name: value * factor for name, value in coefficients.items()}
    for name in ("decode_step", "prefill_step"):
        changed[name] += more_s
    return changed


ESTIMATOR = Estimator(
    name="linear",
    about="non-negative least squares on roofline terms",
    fit=fit_coefficients,
    table=kernel_table,
    parse=parse_coefficients,
    kernel="linear_kernel",
    libraries=("scipy.optimize",),
    scaled=scaled,
)
