"""Concurrency, costs, service levels, drift and agents against loops over the rows."""

from __future__ import annotations

import json
import math
import statistics
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.traces import requests_at

import workloadlab as wl
from workloadlab import LatencyModel, Profile, Trace, characterize
from workloadlab.characterization import Unsupported, compare
from workloadlab.characterization.statistics.distances import distance, share_divergence
from workloadlab.characterization.study import Study
from workloadlab.characterization.topics.agentic import measure_agentic
from workloadlab.characterization.topics.concurrency import measure_concurrency
from workloadlab.characterization.topics.drift import measure_drift
from workloadlab.characterization.topics.phases import measure_phases
from workloadlab.characterization.topics.service_levels import measure_service_levels

SECOND = 1_000_000_000
MODEL = LatencyModel.linear(
    constant_s=0.01, prefill_token_s=1e-4, prefill_context_s=1e-8, decode_seq_s=1e-4,
    decode_context_s=1e-7, name="by hand",
)  # fmt: skip

timed = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 30), st.integers(0, 5000), st.integers(0, 300)),
    min_size=2,
    max_size=40,
)


def trace_of(rows: list[tuple], **columns: list) -> Trace:
    arrival_s, e2e_s, inputs, outputs = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
    return requests_at(
        arrival_s,
        e2e_ns=[t * SECOND for t in e2e_s],
        input_tokens=inputs,
        output_tokens=outputs,
        **columns,
    )


@settings(deadline=None)
@given(timed)
def test_concurrency(rows: list[tuple]) -> None:
    found = measure_concurrency(Study(trace_of(rows)))
    arrivals = sorted(row[0] for row in rows)
    if arrivals[0] == arrivals[-1]:
        assert isinstance(found, Unsupported)
        return
    end = max(t + d for t, d, _, _ in rows)
    levels = [sum(t <= s < t + d for t, d, _, _ in rows) for s in range(arrivals[0], end)]
    tokens = [sum(i + o for t, d, i, o in rows if t <= s < t + d) for s in range(arrivals[0], end)]
    if levels:
        assert found.in_flight.peak == max(levels)
        assert found.in_flight.mean == pytest.approx(statistics.mean(levels))
        assert found.tokens.peak == max(tokens)
        assert found.tokens.mean == pytest.approx(statistics.mean(tokens))
        ascending = sorted(levels)
        assert found.in_flight.p90 == ascending[math.ceil(0.9 * len(levels) - 1e-9) - 1]
        series = found.series
        assert sum(series.mean) * series.bin_s == pytest.approx(sum(levels))
    little = found.little
    assert little.l == pytest.approx(little.lambda_w, rel=1e-12, abs=1e-12)
    assert little.lambda_w == pytest.approx(
        sum(d for _, d, _, _ in rows) / (arrivals[-1] - arrivals[0])
    )
    assert little.relative_error < 1e-12


@settings(deadline=None, max_examples=30)
@given(timed)
def test_phases(rows: list[tuple]) -> None:
    trace = trace_of(rows, tenant_id=[f"t{i % 3}" for i in range(len(rows))])
    study = Study(trace, MODEL)
    times, found = study.phase_times, measure_phases(study)
    prefill, decode = [], []
    for _, _, tokens, outputs in sorted(rows, key=lambda row: row[0]):
        seconds, done = 0.0, 0
        while done < tokens:
            chunk = min(2048, tokens - done)
            seconds += MODEL.step_time_s(prefill_tokens=chunk, prefill_context_tokens=chunk * done)
            done += chunk
        prefill.append(seconds)
        step = MODEL.step_time_s(decode_seqs=32, decode_context_tokens=32 * (tokens + outputs / 2))
        decode.append(max(outputs - 1, 0) * step)
    engine = [p + d / 32 for p, d in zip(prefill, decode, strict=True)]
    assert times.prefill_s.tolist() == pytest.approx(prefill, rel=1e-9)
    assert times.decode_s.tolist() == pytest.approx(decode, rel=1e-9)
    assert found.gpu_s_total == pytest.approx(sum(engine), rel=1e-9)
    heavy = [("LH"[p >= 0.5], "LH"[d >= 5]) for p, d in zip(prefill, decode, strict=True)]
    for group in found.classes:
        assert group.requests == heavy.count(tuple(group.name))
    assert sum(cost.requests for cost in found.by_tenant) == len(rows)
    assert sum(cost.gpu_s for cost in found.by_tenant) == pytest.approx(sum(engine), rel=1e-9)
    span = max(row[0] for row in rows) - min(row[0] for row in rows)
    if span:
        assert found.offered_load == pytest.approx(sum(engine) / span, rel=1e-9)
        assert found.least_instances >= found.offered_load
    else:
        assert found.least_instances is None


def test_phases_need_a_model_and_outputs() -> None:
    bare = Trace.from_frame(pl.DataFrame({"arrival_ns": [0, SECOND], "input_tokens": [5, 5]}))
    assert "latency model" in characterize(bare).phases.unsupported
    assert "output_tokens" in characterize(bare, MODEL).phases.unsupported
    profile = characterize(trace_of([(0, 1, 100, 5), (4, 1, 100, 5)]), MODEL)
    assert profile.phases.mean_kv_gib is None
    assert profile.concurrency.durations == "observed"


def test_a_known_model_gives_memory() -> None:
    model = wl.LatencyModel.load("rtxpro6000-llama-3.1-8b")
    trace = Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": [0, SECOND],
                "input_tokens": [5000, 5000],
                "output_tokens": [50, 1],
                "block_ids": [[1, 2], [1, 3]],
                "block_size": [16, 16],
            }
        )
    )
    profile = characterize(trace, model, lru_blocks=[4])
    assert profile.prefix.lru[0].gib == 4 * 16 * 131_072 / 2**30
    assert profile.phases.mean_kv_gib == pytest.approx(
        profile.phases.mean_kv_tokens * 131_072 / 2**30
    )
    assert profile.concurrency.durations == "predicted"


def test_latencies_go_to_their_tenants_where_the_log_was_not_in_order() -> None:
    trace = requests_at(
        [0, 1, 2],
        row_id=[2, 0, 1],
        tenant_id=["a", "b", "b"],
        ttft_ns=[SECOND, 5 * SECOND, 7 * SECOND],
    )
    found = measure_service_levels(Study(trace)).by_tenant
    assert [(group.name, group.ttft_s["mean"]) for group in found] == [("b", 6.0), ("a", 1.0)]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 300),
            st.none() | st.integers(1, 4000),
            st.integers(0, 4000),
            st.integers(0, 40_000),
            st.integers(0, 4),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_service_levels(rows: list[tuple]) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    ttft = [None if row[1] is None else row[1] / 1000 for row in rows]
    trace = Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": [row[0] * SECOND for row in rows],
                "ttft_ns": [None if row[1] is None else row[1] * 1_000_000 for row in rows],
                "e2e_ns": [((row[1] or 0) + row[2]) * 1_000_000 for row in rows],
                "input_tokens": [row[3] for row in rows],
                "output_tokens": [row[4] for row in rows],
                "tenant_id": ["even" if row[3] % 2 == 0 else None for row in rows],
            },
            schema_overrides={"ttft_ns": pl.Int64, "tenant_id": pl.String},
        )
    )
    found = measure_service_levels(Study(trace))
    known = [t for t in ttft if t is not None]
    assert found.overall.requests == len(rows)
    assert found.overall.ttft_s["p50"] == (
        pytest.approx(statistics.median(known)) if known else None
    )
    for a, prompt in enumerate(found.attainment.ttft_targets_s):
        for b, each in enumerate(found.attainment.tpot_targets_s):
            met = 0
            for _, first_ms, later_ms, _, tokens in rows:
                if first_ms is None or first_ms > round(1000 * prompt):
                    continue
                met += tokens <= 1 or later_ms <= round(1000 * each) * (tokens - 1)
            assert found.attainment.share[a][b] == met / len(rows)
    assert sum(group.requests for group in found.by_input) == len(rows)
    assert sum(group.requests for group in found.by_hour) == len(rows)
    even = sum(row[3] % 2 == 0 for row in rows)
    assert [group.requests for group in found.by_tenant] == ([even] if even else [])
    assert found.by_instance == ()
    assert found.outcomes == {"unrecorded": len(rows)}


def test_the_worst_minute() -> None:
    trace = Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": [i * SECOND for i in range(180)],
                "input_tokens": [1] * 180,
                "ttft_ns": [(9 if 60 <= i < 120 else 1) * SECOND for i in range(180)],
                "e2e_ns": [10 * SECOND] * 180,
                "outcome": ["ok"] * 170 + ["timeout"] * 10,
                "instance_id": ["a", "b"] * 90,
            }
        )
    )
    found = measure_service_levels(Study(trace))
    worst = found.worst_window
    assert (worst.start_s, worst.requests, worst.of, worst.p90_s) == (60.0, 60, "ttft", 9.0)
    assert found.outcomes == {"ok": 170, "timeout": 10}
    assert [group.name for group in found.by_instance] == ["a", "b"]


samples = st.lists(st.integers(0, 50), min_size=2, max_size=60)


@given(samples, samples)
def test_distances(a: list[int], b: list[int]) -> None:
    from scipy import stats

    found = distance(np.array(a), np.array(b))
    assert found.ks == pytest.approx(stats.ks_2samp(a, b, method="asymp").statistic, abs=1e-12)
    assert found.wasserstein == pytest.approx(stats.wasserstein_distance(a, b), abs=1e-9)
    assert found.psi >= 0
    assert distance(np.array(a), np.array(a)).psi == 0


def test_comparison_tells_a_change_from_noise() -> None:
    rng = np.random.default_rng(4)

    def made(scale: float, models: list[str]) -> Trace:
        return Trace.from_frame(
            pl.DataFrame(
                {
                    "arrival_ns": np.cumsum(rng.exponential(SECOND / scale, 4000)).astype(np.int64),
                    "input_tokens": (rng.lognormal(6, 1, 4000) * scale).astype(np.int64),
                    "model": rng.choice(models, 4000),
                }
            )
        )

    same = compare(made(1, ["a", "b"]), made(1, ["a", "b"]))
    other = compare(made(1, ["a", "b"]), made(2, ["a", "c"]))
    assert same.columns["input_tokens"].ks < 2 * same.columns["input_tokens"].floor.ks
    assert other.columns["input_tokens"].ks > 5 * other.columns["input_tokens"].floor.ks
    assert other.rate_ratio == pytest.approx(2, rel=0.1)
    assert other.columns["iat_s"].mean_ratio == pytest.approx(0.5, rel=0.1)
    models = other.categories["model"]
    assert (models.appeared, models.gone) == (1, 1)
    assert models.jensen_shannon == pytest.approx(0.5, abs=0.03)
    assert same.categories["model"].jensen_shannon < 0.01
    assert "input_tokens" in str(other)
    assert json.loads(other.to_json())["columns"]["input_tokens"]["psi"] > 0.25


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 9), min_size=1),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 9), min_size=1),
)
def test_share_divergence(a: dict[str, int], b: dict[str, int]) -> None:
    from scipy.spatial.distance import jensenshannon

    p, q = ([counts.get(name, 0) for name in "abc"] for counts in (a, b))
    assert share_divergence(a, b) == pytest.approx(jensenshannon(p, q, base=2) ** 2, abs=1e-7)


def test_a_change_of_days_is_found() -> None:
    rng = np.random.default_rng(5)
    arrival = np.arange(0, 10 * 86_400, 60) * SECOND
    day = np.arange(len(arrival)) // 1440
    tokens = (rng.lognormal(6, 0.5, len(arrival)) * np.where(day < 6, 1, 1.5)).astype(np.int64)
    trace = Trace.from_frame(pl.DataFrame({"arrival_ns": arrival, "input_tokens": tokens}))
    (point,) = measure_drift(Study(trace)).change_points
    assert (point.column, point.day) == ("input_tokens", 6)
    assert point.after / point.before == pytest.approx(1.5, rel=0.1)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.integers(0, 500),
            st.integers(0, 90),
            st.integers(0, 60_000),
            st.integers(0, 500),
            st.sampled_from(["stop", "tool_calls"]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_agents(rows: list[tuple]) -> None:
    rows = sorted(rows, key=lambda row: row[1])
    names, arrival, e2e, inputs, outputs, reasons = zip(*rows, strict=True)
    trace = Trace.from_frame(
        pl.DataFrame(
            {
                "session_id": names,
                "arrival_ns": [t * SECOND for t in arrival],
                "e2e_ns": [t * SECOND for t in e2e],
                "input_tokens": inputs,
                "output_tokens": outputs,
                "finish_reason": reasons,
            }
        )
    )
    found = measure_agentic(Study(trace))
    groups = {name: [row for row in rows if row[0] == name] for name in set(names)}
    if all(len(group) == 1 for group in groups.values()):
        assert isinstance(found, Unsupported)
        return
    appended, steps, pauses = [], [], []
    for group in groups.values():
        appended.append(group[0][3])
        steps.append(1)
        for before, after in pairwise(group):
            appended.append(max(0, after[3] - before[3] - before[4]))
            if before[5] == "tool_calls":
                steps[-1] += 1
                pauses.append(max(0, after[1] - before[1] - before[2]))
            else:
                steps.append(1)
    assert found.appends.tokens.mean == pytest.approx(statistics.mean(appended))
    assert found.appends.large_share == sum(a >= 10_000 for a in appended) / len(appended)
    assert found.steps_per_turn.mean == pytest.approx(statistics.mean(steps))
    assert found.steps_per_turn.n == len(steps)
    if pauses:
        assert found.tool_time.seconds.p50 == pytest.approx(statistics.median(pauses))
        long = [p for p in pauses if p > 60]
        assert found.tool_time.over_a_minute_share == len(long) / len(pauses)
    else:
        assert found.tool_time is None


def test_a_trace_of_every_column_has_a_profile_that_survives_json() -> None:
    rng = np.random.default_rng(6)
    n = 3000
    e2e = rng.integers(SECOND, 30 * SECOND, n)
    trace = Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": np.sort(rng.integers(0, 5 * 86_400 * SECOND, n)),
                "input_tokens": rng.integers(0, 100_000, n),
                "output_tokens": rng.integers(0, 900, n),
                "reasoning_tokens": rng.integers(0, 300, n),
                "cached_tokens": rng.integers(0, 300, n),
                "ttft_ns": (e2e * rng.random(n)).astype(np.int64),
                "e2e_ns": e2e,
                "queue_ns": e2e // 9,
                "session_id": rng.choice(["s1", "s2", "s3"], n),
                "tenant_id": rng.choice(["x", "y"], n),
                "client_id": rng.choice(["k", "l"], n),
                "model": rng.choice(["m", "n"], n),
                "finish_reason": rng.choice(["stop", "tool_calls"], n),
                "outcome": rng.choice(["ok", "error"], n),
                "instance_id": rng.choice(["i", "j"], n),
                "block_ids": [[int(i) for i in range(k)] for k in rng.integers(0, 9, n)],
                "block_size": [16] * n,
            }
        )
    )
    profile = characterize(trace, MODEL, lru_blocks=[3, 5])
    unsupported = [name for name, topic in vars(profile).items() if isinstance(topic, Unsupported)]
    assert unsupported == []
    text = profile.to_json()
    assert "NaN" not in text
    assert Profile.from_dict(json.loads(text)) == profile
    assert max(map(len, str(profile).splitlines())) <= 140
    assert sum(len(facts.tables()) for _, facts in profile.topics()) > 15
