"""The roofline estimator: eight rates with physical meaning, and nothing else.

    step = root4(read^4 + (token_s T)^4) + seq_s n + kv_s c + pair_s (x + p^2/2)
    read = weights_s + experts_s T/(T + experts_tokens),     T = p + n

Matrix products cost the larger of reading the weights once and computing T tokens (Williams,
Waterman and Patterson, Roofline, CACM 52, 2009), rounded at the knee; a mixture of experts reads
more of them the more tokens there are. Decodes stream the KV cache of c tokens, kv_s being
kv_token_s in decode-only steps and mixed_kv_token_s beside a prefill, where another kernel runs;
prefills compare every new token with all before it. A rate is what the GPU reaches, so peak over
rate is its efficiency: a GPU of 3.35 TB/s that reads 15 GB of weights in 5.6 ms reaches 80 % of its
bandwidth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.latency.estimators.estimator import Estimator
from workloadlab.latency.hardware.gpus import DTYPE_BYTES
from workloadlab.latency.step import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloadlab.fields import Fields
    from workloadlab.latency.hardware.geometry import ModelGeometry
    from workloadlab.latency.hardware.gpus import Gpu

__all__ = [
    "ESTIMATOR",
    "RATES",
    "efficiencies",
    "fit_coefficients",
    "kernel_table",
    "parse_coefficients",
]

Floats = np.ndarray[Any, np.dtype[np.float64]]

RATES = (
    "weights_s",
    "experts_s",
    "experts_tokens",
    "token_s",
    "seq_s",
    "kv_token_s",
    "mixed_kv_token_s",
    "pair_s",
)
"""Seconds per reading of the weights that every step reads, per reading of the other experts, tokens
that touch half of those, seconds per computed token, per decoding sequence, per cached token of the
decodes in steps without and with prefill, and per pair of a prefill's token with one before it."""

_ROBUST = 0.05  # relative error from which on a step counts linearly


def fit_coefficients(features: Floats, seconds: Floats) -> dict[str, float]:
    """Fit the rates on relative errors, decode, prefill and mixed steps weighing the same.

    Args:
        features: (rows, 4): prefill_tokens, prefill_context_tokens, decode_seqs,
            decode_context_tokens.
        seconds: (rows,) measured durations.
    """
    from scipy.optimize import least_squares, nnls

    kinds = kind_of(features)
    weight = np.sqrt(len(seconds) / np.bincount(kinds, minlength=3)[kinds])
    p, x, n, c = features.T
    total = p + n
    prefill = p > 0
    columns = np.column_stack([np.ones(len(p)), total, n, c * ~prefill, c * prefill, x + p * p / 2])
    unit = np.array([1.0, 1.0, 64.0, *np.maximum(columns[:, 1:].max(axis=0), 1.0)])
    unit = np.where(np.arange(len(unit)) == 2, 64.0, seconds.min() / unit)

    def errors(shares: Floats) -> Floats:
        rates = shares * unit
        read = rates[0] + rates[1] * total / (total + rates[2])
        step = (read**4 + (rates[3] * total) ** 4) ** 0.25 + columns[:, 2:] @ rates[4:]
        return np.asarray((step / seconds - 1.0) * weight)

    # The sum instead of the larger is linear: a start near the answer.
    linear_unit = np.delete(unit, [1, 2])
    start, _ = nnls(columns * linear_unit * (weight / seconds)[:, None], weight)
    start = start + 1e-3
    first = np.concatenate([[0.9 * start[0], 0.1 * start[0], 1.0], start[1:]])
    experts_tokens = np.arange(len(unit)) == 2
    bounds = (np.where(experts_tokens, 0.01, 0.0), np.where(experts_tokens, 4.0, np.inf))
    found = least_squares(
        errors, first, bounds=bounds, x_scale="jac", loss="soft_l1", f_scale=_ROBUST, max_nfev=200
    )
    values = np.where(found.x < 1e-6, 0.0, found.x * unit)
    return {name: float(f"{value:.5e}") for name, value in zip(RATES, values, strict=True)}


def efficiencies(
    coefficients: Mapping[str, float], model: ModelGeometry, gpu: Gpu, dtype: str, tp: int
) -> dict[str, float]:
    """Share of the GPU's peak that each rate reaches; rates of 0 and experts' weights are left out.

    `weights` and `kv_cache` are shares of the memory bandwidth, `products` (two operations per
    active weight and token) and `attention` (four per pair, head and width) of the dense FLOP/s.
    """
    peak = gpu.flops.get(dtype) or max(gpu.flops.values())
    value_bytes = DTYPE_BYTES.get(dtype, 2.0)
    layers = model.active_parameters() - 2 * model.vocab * model.hidden
    least = {
        "weights": (layers + model.vocab * model.hidden) * value_bytes / gpu.memory_bytes_s,
        "products": 2.0 * layers / peak,
        "kv_cache": model.kv_bytes_per_token() / gpu.memory_bytes_s,
        "attention": 4.0 * model.layers * model.heads * model.head_dim / peak,
    }
    rates = dict(zip(least, ("weights_s", "token_s", "kv_token_s", "pair_s"), strict=True))
    if model.experts:
        del rates["weights"]
    return {
        name: least[name] / tp / coefficients[rate]
        for name, rate in rates.items()
        if coefficients[rate] > 0
    }


def parse_coefficients(take: Fields) -> dict[str, float]:
    """Read the rates from JSON."""
    rates = {name: take.number(name, low=0.0, fix="write 0 or more") for name in RATES}
    take.only(RATES)
    return rates


def kernel_table(coefficients: Mapping[str, float]) -> Floats:
    """Lay the rates out for `step_time`."""
    return np.array([coefficients[name] for name in RATES], np.float64)


ESTIMATOR = Estimator(
    name="roofline",
    about="eight physical rates",
    fit=fit_coefficients,
    table=kernel_table,
    parse=parse_coefficients,
    kernel="roofline_kernel",
    libraries=("scipy.optimize",),
    efficiencies=efficiencies,
)
