"""Latency models to simulate with, and steps to fit them on."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import polars as pl
from hypothesis import strategies as st

from workloadlab.latency import LatencyModel
from workloadlab.latency.estimators.registry import fit_estimator

__all__ = [
    "STEP_FEATURES",
    "any_step",
    "bits",
    "fitted_on_small_steps",
    "random_steps",
    "samples_of",
    "stump",
]

STEP_FEATURES = (
    "prefill_tokens",
    "prefill_context_tokens",
    "decode_seqs",
    "decode_context_tokens",
)


def stump(feature: int, at: float, low_s: float, high_s: float) -> dict[str, Any]:
    """A request model's tree: one time up to a value of a feature, another above."""
    values = [at, float(np.log(low_s)), float(np.log(high_s))]
    tree = {"roots": [0], "feature": [feature, -1, -1], "left": [1, -1, -1], "value": values}
    return {"constant": 0.0, "trees": tree}


def fitted_on_small_steps(estimator: str) -> LatencyModel:
    """A model of small steps, with the noise that gives trees something to split."""
    rng = np.random.default_rng(1)
    kind = np.arange(300) % 3
    prefill = np.where(kind > 0, rng.integers(1, 65, 300), 0)
    seqs = np.where(kind != 1, rng.integers(1, 9, 300), 0)
    cached, context = rng.choice([0, 20, 100], 300), rng.integers(1, 300, 300)
    steps = np.column_stack([prefill, prefill * cached, seqs, seqs * context]).astype(float)
    seconds = (0.01 + 1e-4 * steps[:, 0] + 1e-5 * steps[:, 3]) * rng.lognormal(0, 0.1, 300)
    coefficients = fit_estimator(estimator, steps, seconds)
    return LatencyModel(name=estimator, estimator=estimator, coefficients=coefficients)


def random_steps(rows: int, seed: int = 0) -> np.ndarray:
    """Return rows of STEP_FEATURES, a third of each kind of step."""
    rng = np.random.default_rng(seed)
    kind = np.arange(rows) % 3
    prefill = np.where(kind > 0, rng.integers(1, 2049, rows), 0)
    seqs = np.where(kind != 1, rng.integers(1, 200, rows), 0)
    cached, context = rng.choice([0, 100, 1000, 9000], rows), rng.integers(1, 6000, rows)
    return np.column_stack([prefill, prefill * cached, seqs, seqs * context]).astype(float)


def samples_of(features: np.ndarray, seconds: np.ndarray, **more: Any) -> pl.DataFrame:
    """Return the table of samples that says that these steps took these seconds."""
    return pl.DataFrame(features.astype(np.int64), schema=STEP_FEATURES).with_columns(
        latency_ns=pl.Series(np.rint(seconds * 1e9).astype(np.int64)),
        gpu=pl.lit("A100"),
        model=pl.lit("me/Llama 8B"),
        tp=pl.lit(1),
        **more,
    )


@st.composite
def any_step(
    draw: st.DrawFn, *, prefill: int, cached: int, seqs: int
) -> tuple[float, float, float, float]:
    """Draw a step that an engine could run, up to far beyond any fit."""
    chunk = draw(st.one_of(st.just(0), st.integers(1, 40), st.integers(1, prefill)))
    batch = draw(st.one_of(st.just(0), st.integers(1, 40), st.integers(1, seqs)))
    before = draw(st.integers(0, cached)) if chunk else 0
    context = draw(st.integers(0, 20_000)) if batch else 0
    return float(chunk), float(chunk * before), float(batch), float(batch * context)


def bits(value: float) -> bytes:
    """Return the bytes of a float, to compare to the last bit."""
    return struct.pack("<d", value)
