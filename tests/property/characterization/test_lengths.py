"""Tails, bands and lengths over time against slow versions."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloadlab import Trace, characterize
from workloadlab.characterization import Unsupported
from workloadlab.characterization.frequencies import Frequencies
from workloadlab.characterization.statistics.bands import length_series, output_bands
from workloadlab.characterization.statistics.tails import hill_plot

SECOND = 1_000_000_000

pairs = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 900)), min_size=1, max_size=120)


@given(pairs)
def test_bands(rows: list[tuple[int, int]]) -> None:
    inputs, outputs = (np.array(column, dtype=np.uint32) for column in zip(*rows, strict=True))
    bands = output_bands(inputs, outputs)
    assert sum(band.rows for band in bands) == len(rows)
    for band, following in pairwise(bands):
        assert band.input_high < following.input_low
    for band in bands:
        mine = [o for i, o in rows if band.input_low <= i <= band.input_high]
        assert band.rows == len(mine)
        assert band.p50 == statistics.median(mine)
        assert band.p90 == pytest.approx(np.quantile(mine, 0.9))


@given(st.lists(st.tuples(st.integers(0, 7200), st.integers(0, 900)), min_size=1, max_size=80))
def test_length_series(rows: list[tuple[int, int]]) -> None:
    rows.sort(key=lambda row: row[0])
    arrival = np.array([t for t, _ in rows]) * SECOND
    series = length_series(arrival, np.array([v for _, v in rows], dtype=np.uint32))
    assert series.bin_s == 600
    for i, (n, mean, median) in enumerate(zip(series.rows, series.mean, series.p50, strict=True)):
        mine = [v for t, v in rows if 600 * i <= t - rows[0][0] < 600 * (i + 1)]
        assert n == len(mine)
        assert (mean, median) == (
            (statistics.mean(mine), statistics.median(mine)) if mine else (None, None)
        )
    assert sum(series.rows) == len(rows)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.booleans())
def test_hill(seed: int, capped: bool) -> None:
    values = np.sort(np.random.default_rng(seed).lognormal(6, 1, 600).astype(np.uint32))
    limit = int(values[-20]) if capped else None
    hill = hill_plot(Frequencies.of(values), limit=limit)
    top = [min(v, limit) if capped else v for v in values[::-1].tolist()]
    cut = sum(v >= limit for v in values.tolist()) if capped else 0
    assert hill.censored == cut
    for k, alpha in hill.points:
        excess = sum(math.log(x / top[int(k)]) for x in top[: int(k)])
        assert alpha == pytest.approx((k - cut) / excess, rel=1e-9)


def test_a_power_law_has_a_stable_range_even_when_cut_off() -> None:
    values = np.sort(100 * np.random.default_rng(1).random(50_000) ** (-1 / 1.3))
    whole, cut = (
        hill_plot(Frequencies.of(values)),
        hill_plot(Frequencies.of(values), limit=float(values[-500])),
    )
    for hill in (whole, cut):
        assert hill.alpha == pytest.approx(1.3, rel=0.06)
        assert hill.stable_k[1] > 3 * hill.stable_k[0]
    assert hill_plot(Frequencies.of(np.minimum(values, values[-500]))).points[0][1] > 5
    assert isinstance(hill_plot(Frequencies.of(values[:50])), Unsupported)


def test_lorenz_and_moments() -> None:
    rng = np.random.default_rng(2)
    tokens = rng.lognormal(5, 1, 4000).astype(int)
    column = characterize(
        Trace.from_frame(
            pl.DataFrame({"arrival_ns": np.arange(4000) * SECOND, "input_tokens": tokens})
        )
    ).lengths.input
    ascending = sorted(tokens.tolist())
    for rows, share in column.lorenz:
        held = sum(ascending[: round(rows * 4000)]) / sum(ascending)
        assert share == pytest.approx(held, abs=1e-12)
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(column.lorenz))
    assert 1 - 2 * area == pytest.approx(column.gini, abs=0.01)
    centered = tokens - tokens.mean()
    assert column.skew == pytest.approx(
        np.mean(centered**3) / np.mean(centered**2) ** 1.5, rel=1e-9
    )
    assert column.cv == pytest.approx(tokens.std(ddof=1) / tokens.mean(), rel=1e-9)
    assert column.p999 == pytest.approx(np.quantile(tokens, 0.999))


def test_reasoning() -> None:
    frame = pl.DataFrame(
        {
            "arrival_ns": [0, 1, 2, 3, 4],
            "input_tokens": [1] * 5,
            "output_tokens": [10, 20, 0, 40, None],
            "reasoning_tokens": [5, 20, 0, None, 3],
        }
    )
    reasoning = characterize(Trace.from_frame(frame)).lengths.reasoning
    assert (reasoning.n, reasoning.sum, reasoning.max, reasoning.without_reasoning) == (
        3,
        25,
        20,
        1,
    )
    assert reasoning.share_of_output == 25 / 30
    assert reasoning.ratio_histogram == (0, 0, 0, 0, 0, 1, 0, 0, 0, 1)
    plain = characterize(Trace.from_frame(frame.drop("reasoning_tokens")))
    assert isinstance(plain.lengths.reasoning, Unsupported)
