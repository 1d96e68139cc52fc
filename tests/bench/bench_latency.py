"""Speed of fitting and of the compiled step times."""

from __future__ import annotations

import time

import numpy as np
import polars as pl
from numba import njit

from workloadlab.latency import ESTIMATORS, LatencyModel, fit
from workloadlab.latency.estimators.registry import estimator_named, fit_estimator

NAMES = ["prefill_tokens", "prefill_context_tokens", "decode_seqs", "decode_context_tokens"]


def random_steps(rows, seed=0):
    """A third of each kind of step, as real engines visit them."""
    rng = np.random.default_rng(seed)
    kind = np.arange(rows) % 3
    prefill = np.where(kind > 0, rng.integers(1, 4097, rows), 0)
    seqs = np.where(kind != 1, rng.integers(1, 257, rows), 0)
    cached, context = rng.choice([0, 0, 100, 1000, 5000], rows), rng.integers(10, 6000, rows)
    features = np.column_stack([prefill, prefill * cached, seqs, seqs * context]).astype(float)
    model = LatencyModel.load("rtxpro6000-llama-3.1-8b")
    seconds = model.predict(dict(zip(NAMES, features.T, strict=True)))
    return features, seconds * rng.lognormal(0, 0.03, rows)


@njit
def _evaluate(step_time, features, table, repeats):
    total = 0.0
    for _ in range(repeats):
        for row in range(features.shape[0]):
            total += step_time(
                features[row, 0], features[row, 1], features[row, 2], features[row, 3], table
            )
    return total


def best_seconds(work, repeats):
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def run() -> list[dict]:
    """Nanoseconds per step of every estimator and kind of step; seconds per fit."""
    features, seconds = random_steps(9000)
    kinds = (features[:, 0] > 0) * 1 + ((features[:, 0] > 0) & (features[:, 2] > 0))
    rows = []
    for name in ESTIMATORS:
        estimator = estimator_named(name)
        table = estimator.table(fit_estimator(name, features, seconds))
        for index, kind in enumerate(("decode", "prefill", "mixed")):
            steps = np.ascontiguousarray(features[kinds == index][:2000])
            repeats = 20 if name in ("forest", "boosting") else 200
            _evaluate(estimator.step_time, steps, table, 1)
            taken = best_seconds(lambda: _evaluate(estimator.step_time, steps, table, repeats), 5)  # noqa: B023
            rows.append(
                {"name": f"step time, {name}, {kind}", "value": taken / repeats / len(steps) * 1e9,
                 "unit": "ns", "detail": "one step, random order, one thread"}
            )  # fmt: skip
    many, measured = random_steps(100_000, 1)
    samples = pl.DataFrame(many.astype(np.int64), schema=NAMES).with_columns(
        latency_ns=pl.Series(np.rint(measured * 1e9).astype(np.int64)),
        gpu=pl.lit("any"), model=pl.lit("any"), tp=pl.lit(1),
    )  # fmt: skip
    for estimator in ("auto", *ESTIMATORS):
        taken = best_seconds(lambda: fit(samples, estimator=estimator), 1)  # noqa: B023
        rows.append(
            {"name": f"fit, {estimator}", "value": taken, "unit": "s",
             "detail": "100,000 samples, with error card"}
        )  # fmt: skip
    return rows
