"""Latency models to simulate with, and steps to fit them on."""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.latency import LatencyModel
from workloadlab.latency.estimators.registry import fit_estimator

__all__ = ["fitted_on_small_steps", "stump"]


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
