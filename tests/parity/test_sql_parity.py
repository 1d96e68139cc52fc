"""Each named query gives what the library, or a loop over the rows, gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workloadlab import Trace, characterize, query

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 1_000_000_000


def generate(seed: int, n: int = 3000) -> Trace:
    rng = np.random.default_rng(seed)
    e2e = rng.integers(SECOND, 60 * SECOND, n)
    dead = rng.random(n) < 0.05
    instances = np.array(["a-0", "a-1", "b-0", None], dtype=object)[rng.integers(0, 4, n)]
    frame = pl.DataFrame(
        {
            "arrival_ns": rng.integers(5 * SECOND, 4000 * SECOND, n),
            "input_tokens": rng.integers(1, 10**9, n),
            "output_tokens": rng.integers(0, 5, n),
            "ttft_ns": (e2e * rng.random(n)).astype(np.int64),
            "e2e_ns": e2e,
            "instance_id": instances.tolist(),
            "warmup": rng.random(n) < 0.1,
        }
    )
    holes = [pl.when(~pl.lit(pl.Series(dead))).then(pl.col(c)).alias(c) for c in ("ttft_ns",)]
    unrecorded = pl.when(pl.col("output_tokens") != 3).then(pl.col("output_tokens"))
    return Trace.from_frame(frame.with_columns(*holes, output_tokens=unrecorded))


@pytest.fixture(params=[0, 1])
def trace(request: pytest.FixtureRequest) -> Trace:
    return generate(request.param)


def check_rate(trace: Trace) -> None:
    profile = characterize(trace)
    minutes = query("rate_by_minute", trace)
    per_minute = profile.arrivals.per_minute
    assert minutes["minute"].to_list() == list(range(per_minute.bins))
    assert minutes["requests"].sum() == profile.trace.requests
    assert minutes["requests"].min() == per_minute.min
    assert minutes["requests"].max() == per_minute.max
    assert minutes["requests"].mean() == pytest.approx(per_minute.mean, rel=1e-12)
    assert minutes["input_tokens"].sum() == profile.lengths.input.sum
    assert minutes["output_tokens"].sum() == profile.lengths.output.sum
    series = profile.arrivals.rate_series
    bins = query("rate_by_minute", trace, bin_s=series.bin_s)
    assert tuple(bins["requests"]) == series.counts
    assert bins["rate_rps"].to_list() == [count / series.bin_s for count in series.counts]


def check_lengths(trace: Trace) -> None:
    lengths = characterize(trace).lengths
    rows = query("length_quantiles", trace).to_dicts()
    assert [row["column"] for row in rows] == ["input_tokens", "output_tokens"]
    for row, column in zip(rows, (lengths.input, lengths.output), strict=True):
        assert (row["n"], row["sum"], row["max"]) == (column.n, column.sum, column.max)
        for name in ("mean", "p50", "p90", "p95", "p99"):
            assert row[name] == pytest.approx(getattr(column, name), rel=1e-12), name


def test_rate_by_minute(trace: Trace) -> None:
    check_rate(trace)


def test_length_quantiles(trace: Trace) -> None:
    check_lengths(trace)


def test_latency_by_instance(trace: Trace) -> None:
    rows = query("latency_by_instance", trace).to_dicts()
    assert [row["instance_id"] for row in rows] == ["a-0", "a-1", "b-0", None]
    columns = ("instance_id", "ttft_ns", "e2e_ns", "output_tokens", "warmup")
    measured = [row for row in trace.read(*columns).to_dicts() if not row["warmup"]]
    for row in rows:
        mine = [r for r in measured if r["instance_id"] == row["instance_id"]]
        assert row["requests"] == len(mine)
        timed = [r for r in mine if r["ttft_ns"] is not None]
        values = {
            "ttft": [r["ttft_ns"] / 1e9 for r in timed],
            "e2e": [r["e2e_ns"] / 1e9 for r in mine],
            "tpot": [
                (r["e2e_ns"] - r["ttft_ns"]) / (r["output_tokens"] - 1) / 1e9
                for r in timed
                if (r["output_tokens"] or 0) > 1
            ],
        }
        for name, seconds in values.items():
            assert row[f"{name}_mean_s"] == pytest.approx(np.mean(seconds), rel=1e-12)
            assert row[f"{name}_p50_s"] == pytest.approx(np.quantile(seconds, 0.5), rel=1e-12)
            assert row[f"{name}_p99_s"] == pytest.approx(np.quantile(seconds, 0.99), rel=1e-12)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.integers(0, 500 * SECOND), st.integers(0, 10**9), st.integers(0, 10**9)),
        min_size=2,
        max_size=40,
        unique_by=lambda row: row[0],
    )
)
def test_generated_traces(rows: list[tuple[int, int, int]]) -> None:
    arrival, inputs, outputs = zip(*rows, strict=True)
    trace = Trace.from_frame(
        pl.DataFrame({"arrival_ns": arrival, "input_tokens": inputs, "output_tokens": outputs})
    )
    check_rate(trace)
    check_lengths(trace)


@pytest.mark.parametrize("name", ["rate_by_minute", "length_quantiles", "latency_by_instance"])
def test_saved_and_in_memory_agree(name: str, trace: Trace, tmp_path: Path) -> None:
    saved = trace.save(tmp_path / "it's.trace")
    assert query(name, saved).equals(query(name, trace))
    assert query(name, str(saved.path)).equals(query(name, trace))


@pytest.mark.data
def test_azure_conversation(shared_data: Path) -> None:
    rows = pl.read_csv(shared_data / "azure" / "AzureLLMInferenceTrace_conv.csv")
    stamp = rows["TIMESTAMP"].str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ns")
    trace = Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": stamp.cast(pl.Int64),
                "input_tokens": rows["ContextTokens"],
                "output_tokens": rows["GeneratedTokens"],
            }
        )
    )
    check_rate(trace)
    check_lengths(trace)
    assert query("length_quantiles", trace)["p99"].to_list() == [4142, 601]
    assert query("rate_by_minute", trace)["requests"].max() == 507
