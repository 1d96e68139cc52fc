"""Serving systems at a fixed concurrency: models of kernels alone, replayed as a closed loop."""

from __future__ import annotations

import polars as pl
import pytest
from support.fixed_concurrency import dense_rows, errors_of

AICONFIGURATOR = {"tpot": 0.149, "ttft": 0.528}
"""Mean |TPOT error| and median |TTFT error| of AIConfigurator, measured on a like sample."""


@pytest.mark.data
def test_dense_models_on_h100_and_h200(shared_data):
    rows = dense_rows(shared_data)
    assert len(rows) == 158
    errors = errors_of(shared_data, rows)
    tpot, ttft = (errors[name].abs() for name in ("tpot", "ttft"))
    by_clients = errors.group_by("clients").agg(pl.len(), pl.col("tpot", "ttft").median())
    print(by_clients.sort("clients"))
    print(f"TPOT off by {tpot.mean():.1%} on average, TTFT by {ttft.median():.1%} in the median")
    assert tpot.mean() < 0.10
    assert ttft.median() < 0.30
    assert tpot.mean() < AICONFIGURATOR["tpot"]
    assert ttft.median() < AICONFIGURATOR["ttft"]
