"""The queries of the later topics against the library, or a loop over the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from workloadlab import SLO, Profile, Trace, characterize, query
from workloadlab.characterization import Unsupported
from workloadlab.errors import UsageError
from workloadlab.scoring.metric import Context, LatencySummary
from workloadlab.scoring.metrics import run_metrics
from workloadlab.scoring.timings import read_timings
from workloadlab.sql import queries
from workloadlab.trace import RunInfo, Runs

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 1_000_000_000


def generate(seed: int, n: int = 2500) -> Trace:
    rng = np.random.default_rng(seed)
    e2e = rng.integers(SECOND, 60 * SECOND, n)
    ttft = (e2e * rng.random(n) * 0.1).astype(np.int64)
    paths = rng.integers(0, 4, (n, 5))
    depth = rng.integers(0, 6, n)
    blocks = [
        [int(sum((int(p) + 1) * 5**k for k, p in enumerate(path[: j + 1]))) for j in range(d)]
        for path, d in zip(paths, depth, strict=True)
    ]
    timed = rng.random(n) > 0.05
    frame = pl.DataFrame(
        {
            "arrival_ns": rng.integers(5 * SECOND, 9000 * SECOND, n),
            "input_tokens": depth * 512 + rng.integers(0, 512, n) * (depth == 0),
            "output_tokens": rng.integers(0, 200, n),
            "cached_tokens": rng.integers(0, 100, n),
            "ttft_ns": [int(t) if known else None for t, known in zip(ttft, timed, strict=True)],
            "e2e_ns": e2e,
            "tenant_id": rng.choice(["a", "b", "c", ""], n, p=[0.6, 0.3, 0.05, 0.05]),
            "session_id": rng.integers(0, n // 3, n).astype(str),
            "outcome": rng.choice(["ok", "error"], n, p=[0.9, 0.1]),
            "block_ids": blocks,
            "block_size": [512] * n,
            "warmup": rng.random(n) < 0.1,
        },
        schema_overrides={"block_ids": pl.List(pl.UInt64)},
    )
    named = pl.col("tenant_id").replace("", None)
    return Trace.from_frame(frame.with_columns(tenant_id=named))


@pytest.fixture(scope="module", params=[0, 1])
def trace(request: pytest.FixtureRequest) -> Trace:
    return generate(request.param)


@pytest.fixture(scope="module")
def profile(trace: Trace) -> Profile:
    return characterize(trace)


@pytest.fixture(scope="module")
def rows(trace: Trace) -> list[dict]:
    frame = trace.frame.collect().filter(~pl.col("warmup"))
    return frame.to_dicts()


def close(value: float | None) -> object:
    return None if value is None else pytest.approx(value, rel=1e-11)


def test_dispersion(trace: Trace, profile: Profile) -> None:
    found = query("dispersion", trace)
    values = profile.arrivals.dispersion
    assert found["window_s"].to_list() == [float(w) for w, v in values.items() if v is not None]
    for row in found.to_dicts():
        assert row["dispersion"] == close(values[f"{row['window_s']:g}"])
        assert row["mean"] == row["requests"] / row["windows"]


@pytest.mark.parametrize("width", [256, 1, 1000])
def test_length_histogram(trace: Trace, rows: list[dict], width: int) -> None:
    found = query("length_histogram", trace, bin_tokens=width).to_dicts()
    for row in found:
        low, high = row["tokens_from"], row["tokens_below"]
        assert high - low == width
        assert row["inputs"] == sum(low <= r["input_tokens"] < high for r in rows)
        assert row["outputs"] == sum(low <= r["output_tokens"] < high for r in rows)
    assert sum(row["inputs"] for row in found) == len(rows)
    with pytest.raises(UsageError, match="1 or more"):
        query("length_histogram", trace, bin_tokens=0)


def test_tenant_share(trace: Trace, profile: Profile) -> None:
    found = query("tenant_share", trace).to_dicts()
    parties = profile.tenants.parties["tenant_id"]
    assert [row["tenant"] for row in found] == [party.name for party in parties.largest]
    for row, party in zip(found, parties.largest, strict=True):
        assert (row["requests"], row["tokens"]) == (party.requests, party.tokens)
        assert row["share"] == close(party.share)
        assert row["token_share"] == close(party.token_share)
    k90 = next(i for i, row in enumerate(found, 1) if row["cumulative_share"] >= 0.9)
    assert k90 == profile.tenants.k90


def test_session_turns(trace: Trace, profile: Profile) -> None:
    found = query("session_turns", trace)
    turns = profile.sessions.turns
    assert found["sessions"].sum() == profile.sessions.count
    assert found["requests"].sum() == profile.sessions.requests
    assert found["turns"].max() == turns.max
    single = found.filter(pl.col("turns") == 1)
    assert single["session_share"].item() == close(turns.single_share)
    assert 1 - single["request_share"].item() == close(profile.sessions.multi_turn.requests)
    assert found["session_share"].sum() == pytest.approx(1)


def test_continuation_hazard(trace: Trace, profile: Profile) -> None:
    found = query("continuation_hazard", trace).to_dicts()
    assert len(found) == len(profile.sessions.hazard)
    for row, hazard in zip(found, profile.sessions.hazard, strict=True):
        assert (row["at_turn"], row["reached"]) == (hazard.turn, hazard.reached)
        assert row["probability"] == close(hazard.probability)
    assert query("continuation_hazard", trace, turns=2).height == 2


def test_prefix_ceiling(trace: Trace, profile: Profile) -> None:
    check_ceiling(trace, profile)


def check_ceiling(trace: Trace, profile: Profile) -> None:
    (row,) = query("prefix_ceiling", trace).to_dicts()
    prefix = profile.prefix
    assert prefix.chained
    assert (row["requests"], row["blocks"]) == (prefix.requests, prefix.blocks)
    assert row["unique_blocks"] == prefix.unique_blocks
    for name in list(row)[3:]:
        assert row[name] == close(getattr(prefix.ceiling, name)), name


def test_reuse_time(trace: Trace, profile: Profile) -> None:
    check_reuse(trace, profile)


def check_reuse(trace: Trace, profile: Profile) -> None:
    (row,) = query("reuse_time", trace).to_dicts()
    reuse = profile.prefix.reuse_time_s
    assert row["reuses"] == reuse.n
    for name in ("mean", "p50", "p80", "p90", "p99", "max"):
        assert row[f"{name}_s"] == close(getattr(reuse, name)), name
    assert row["within_60_s"] == close(reuse.within_60_s)
    assert row["within_600_s"] == close(reuse.within_600_s)


def test_concurrency(trace: Trace, profile: Profile) -> None:
    (row,) = query("concurrency", trace).to_dicts()
    found = profile.concurrency
    assert (row["requests"], row["peak"]) == (found.requests, found.in_flight.peak)
    assert row["mean"] == close(found.in_flight.mean)
    assert row["little_l"] == close(found.little.l)
    assert row["little_lambda_w"] == close(found.little.lambda_w)


def test_latency_by_bucket(trace: Trace, profile: Profile) -> None:
    found = query("latency_by_bucket", trace).to_dicts()
    groups = profile.service_levels.by_input
    assert [row["requests"] for row in found] == [group.requests for group in groups]
    for row, group in zip(found, groups, strict=True):
        assert row["ttft_mean_s"] == close(group.ttft_s["mean"])
        for name in ("ttft", "tpot", "e2e"):
            for p in ("p50", "p99"):
                assert row[f"{name}_{p}_s"] == close(getattr(group, f"{name}_s")[p]), (name, p)


def test_slo_by_hour(trace: Trace) -> None:
    timings = read_timings(trace)
    met = SLO(ttft_s=2.0, tpot_s=0.3).met(timings)
    hours = ((timings.arrival_s - timings.arrival_s.min()) // 3600).astype(int)
    found = query("slo_by_hour", trace, ttft_s=2.0, tpot_s=0.3).to_dicts()
    assert [row["hour"] for row in found] == sorted(set(hours.tolist()))
    for row in found:
        mine = hours == row["hour"]
        assert row["requests"] == mine.sum()
        assert row["served"] == timings.served[mine].sum()
        assert row["met"] == met[mine].sum()
        assert row["attainment"] == met[mine].sum() / mine.sum()


def test_worst_minutes(trace: Trace, profile: Profile) -> None:
    found = query("worst_minutes", trace).to_dicts()
    worst = profile.service_levels.worst_window
    assert found[0]["minute"] * 60 == worst.start_s
    assert found[0]["requests"] == worst.requests
    assert found[0]["ttft_p90_s"] == close(worst.p90_s)
    assert len(found) <= 10
    assert query("worst_minutes", trace, listed=2).height == 2
    ordered = [row["ttft_p90_s"] for row in found]
    assert ordered == sorted(ordered, reverse=True)


def test_token_cost_by_tenant(trace: Trace, rows: list[dict]) -> None:
    found = query("token_cost_by_tenant", trace, input_price=3, cached_price=0.5, output_price=15)
    total = 0.0
    for row in found.to_dicts():
        mine = [r for r in rows if r["tenant_id"] == row["tenant"]]
        cached = sum(min(r["cached_tokens"], r["input_tokens"]) for r in mine)
        fresh = sum(r["input_tokens"] for r in mine) - cached
        generated = sum(r["output_tokens"] for r in mine)
        counted = (row["requests"], row["cached_prompt"], row["new_prompt"], row["generated"])
        assert counted == (len(mine), cached, fresh, generated)
        assert row["cost"] == close((3 * fresh + 0.5 * cached + 15 * generated) / 1e6)
        total += row["cost"]
    assert found["tenant"].to_list()[-1] is None
    for row in found.to_dicts():
        assert row["cost_share"] == close(row["cost"] / total)


@pytest.fixture(scope="module")
def runs() -> Runs:
    traces, infos = [], []
    for seed, router in enumerate(("random", "least_requests")):
        info = RunInfo(
            run_id=f"{router}__x1.0__s0", router=router, rate_scale=1.0, seed=0, instances=2
        )
        served = generate(seed).frame.with_columns(
            run_id=pl.lit(info.run_id),
            preemptions=pl.lit(1, pl.UInt32),
            instance_id=pl.when(pl.col("row_id") % 2 == 0)
            .then(pl.lit("i0"))
            .otherwise(pl.lit("i1")),
        )
        traces.append(Trace.from_frame(served))
        infos.append(info)
    return Runs(tuple(infos), tuple(traces))


SQL_NAMES = {"cached_share": "cache_hit_ratio", "preempted": "preemptions"}
"""Columns of `router_comparison` that are called otherwise than the metric."""


def in_sql(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return metrics by the names that the query gives them, `ttft_p99_s` for a part of `ttft_s`."""
    found = {column: metrics[name] for column, name in SQL_NAMES.items()}
    for name, value in metrics.items():
        if isinstance(value, LatencySummary):
            short = name.removesuffix("_s")
            found |= {f"{short}_{part}_s": number for part, number in vars(value).items()}
        else:
            found[name] = value
    return found


def test_router_comparison(runs: Runs, tmp_path: Path) -> None:
    found = query("router_comparison", runs)
    assert found["router"].to_list() == ["least_requests", "random"]
    board = {
        info.router: in_sql(run_metrics(read_timings(served), Context(instances=2)))
        for info, served in runs
    }
    for row in found.to_dicts():
        scores = board[row.pop("router")]
        assert row.pop("run")
        assert row.pop("instances") == 2
        assert row == {column: close(scores[column]) for column in row}
    assert query("router_comparison", runs.save(tmp_path / "runs")).equals(found)
    assert query("router_comparison", str(tmp_path / "runs")).equals(found)
    with pytest.raises(UsageError, match="no runs"):
        query("router_comparison", Runs((), ()))


SINGLE = sorted({q.name for q in queries()} - {"router_comparison", "latency_by_instance"})


@pytest.mark.parametrize("name", SINGLE)
def test_saved_and_in_memory_agree(name: str, trace: Trace, tmp_path: Path) -> None:
    saved = trace.save(tmp_path / "x.trace")
    assert query(name, saved).equals(query(name, trace))


@pytest.mark.data
def test_mooncake_conversation(shared_data: Path) -> None:
    import gzip
    import json

    with gzip.open(shared_data / "mooncake" / "conversation_trace.jsonl.gz", "rt") as lines:
        requests = [json.loads(line) for line in lines]
    trace = Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": [r["timestamp"] * 1_000_000 for r in requests],
                "input_tokens": [r["input_length"] for r in requests],
                "block_ids": [r["hash_ids"] for r in requests],
                "block_size": [512] * len(requests),
            }
        )
    )
    profile = characterize(trace, lru_blocks=[1000])
    check_ceiling(trace, profile)
    check_reuse(trace, profile)
    assert isinstance(profile.tenants, Unsupported)
