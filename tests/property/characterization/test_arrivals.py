"""Each fast statistic equals a slow one that can be read at a glance."""

from __future__ import annotations

import json
import statistics
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloadlab import Profile, Trace, characterize
from workloadlab.characterization.frequencies import Frequencies
from workloadlab.characterization.statistics.burstiness import windowed_cv
from workloadlab.characterization.statistics.clock import Clock
from workloadlab.characterization.statistics.counts import Arrived, dispersion
from workloadlab.characterization.statistics.measures import average_ranks, spread_ranks
from workloadlab.characterization.statistics.shares import gini, top_share
from workloadlab.statistics import quantiles

FINE = Clock(tick_s=None, tie_share=0.0, distinct=0, mean_gap_s=None)
SECOND = 1_000_000_000

lengths = st.lists(st.integers(0, 5000), min_size=1, max_size=60)
arrivals = st.lists(st.integers(0, 40 * SECOND), min_size=2, max_size=80).map(
    lambda offsets: [0, *sorted(offsets)]
)


@given(arrivals, st.sampled_from([0.1, 1, 2.5, 10]))
def test_dispersion(offsets: list[int], width_s: float) -> None:
    width = round(width_s * SECOND)
    counts = []
    start = 0
    while start + width <= offsets[-1]:
        counts.append(sum(start <= t < start + width for t in offsets))
        start += width
    fast = dispersion(Arrived(np.array(offsets)), width_s)
    if len(counts) < 2:
        assert fast is None
    else:
        slow = statistics.variance(counts) / statistics.mean(counts)
        assert fast == pytest.approx(slow, rel=1e-12, abs=1e-12)


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 3 * SECOND), min_size=30, max_size=200), st.sampled_from([20, 60, 600])
)
def test_windowed_cv(gaps: list[int], width_s: int) -> None:
    offsets = np.cumsum([0, *gaps]).tolist()
    slow = []
    start = 0
    while start <= offsets[-1]:
        inside = [t for t in offsets if start <= t < start + width_s * SECOND]
        inner = [b - a for a, b in pairwise(inside)]
        if len(inner) >= 30:
            slow.append(statistics.stdev(inner) / statistics.mean(inner))
        start += width_s * SECOND
    fast = windowed_cv(np.array(offsets), width_s, FINE)
    assert fast.windows == len(slow)
    if slow:
        assert fast.p50 == pytest.approx(statistics.median(slow), rel=1e-9, abs=1e-12)
        assert fast.mean == pytest.approx(statistics.mean(slow), rel=1e-9, abs=1e-12)
        assert fast.max == pytest.approx(max(slow), rel=1e-9, abs=1e-12)


@given(lengths)
def test_gini(values: list[int]) -> None:
    fast = gini(Frequencies.of(np.sort(np.array(values, dtype=np.uint32))))
    if sum(values) == 0:
        assert fast is None
    else:
        differences = sum(abs(a - b) for a in values for b in values)
        slow = differences / (2 * len(values) * sum(values))
        assert fast == pytest.approx(slow, rel=1e-12, abs=1e-15)


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=300), st.sampled_from([1, 10]))
def test_top_share(values: list[int], percent: int) -> None:
    rows = max(1, int(len(values) * percent / 100))
    fast = top_share(Frequencies.of(np.sort(np.array(values, dtype=np.uint32))), percent)
    if sum(values) == 0:
        assert fast is None
    else:
        assert fast == sum(sorted(values, reverse=True)[:rows]) / sum(values)


@given(lengths)
def test_average_ranks(values: list[int]) -> None:
    slow = [sum(b < a for b in values) + (sum(b == a for b in values) + 1) / 2 for a in values]
    assert average_ranks(np.array(values, dtype=np.uint32)).tolist() == slow


@given(lengths, st.floats(0, 1))
def test_quantiles(values: list[int], probability: float) -> None:
    ascending = sorted(values)
    position = probability * (len(values) - 1)
    below = min(int(position), len(values) - 1)
    above = min(below + 1, len(values) - 1)
    slow = ascending[below] + (position - below) * (ascending[above] - ascending[below])
    fast = quantiles(np.array(values, dtype=np.uint32), [probability])[0]
    assert fast == pytest.approx(slow, rel=1e-9, abs=1e-9)


@given(st.integers(1, 5000), st.integers(8, 200))
def test_curves_keep_both_ends(n: int, points: int) -> None:
    ranks = spread_ranks(n, points)
    assert ranks[0] == 0
    assert ranks[-1] == n - 1
    assert len(ranks) <= points
    assert (np.diff(ranks) > 0).all()


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    n = draw(st.integers(0, 40))
    scale = draw(st.sampled_from([1, 1000, SECOND, 3 * SECOND]))

    def column(values: st.SearchStrategy) -> list:
        return draw(st.lists(values, min_size=n, max_size=n))

    tokens = st.one_of(st.integers(0, 3), st.integers(0, 10**9))
    return Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": [t * scale for t in column(st.integers(0, 10**5))],
                "input_tokens": column(tokens),
                "output_tokens": column(st.none() | tokens),
                "warmup": column(st.booleans()),
            },
            schema_overrides={
                "arrival_ns": pl.Int64,
                "input_tokens": pl.UInt32,
                "output_tokens": pl.UInt32,
                "warmup": pl.Boolean,
            },
        )
    )


@settings(max_examples=80, deadline=None)
@given(traces())
def test_any_trace_has_a_profile_that_survives_json(trace: Trace) -> None:
    profile = characterize(trace)
    text = profile.to_json()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert Profile.from_dict(json.loads(text)) == profile
    assert str(profile)
    if profile.trace.requests:
        rows = trace.read("input_tokens", "warmup").filter(~pl.col("warmup"))
        assert profile.lengths.input.sum == sum(rows["input_tokens"].to_list())
    counts = profile.to_dict()["arrivals"].get("rate_series", {"counts": []})["counts"]
    assert len(counts) <= 500
    assert sum(counts) in (0, profile.trace.requests)
