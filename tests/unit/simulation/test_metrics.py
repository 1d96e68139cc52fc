"""Metrics without traces, and the rate at saturation."""

from __future__ import annotations

import numpy as np
import pytest
from support.learning import mixed_trace
from support.traces import requests_every

import workloadlab as wl
from workloadlab.errors import UsageError

MODEL = wl.LatencyModel.linear(constant_s=0.02, prefill_token_s=1e-4, decode_seq_s=1e-3)


def test_metrics_are_those_of_the_scoreboard():
    trace = mixed_trace(200)
    cluster = wl.Cluster.uniform(2, MODEL, kv_blocks=500, max_num_seqs=8)
    options = {"routers": ["round_robin", "lmetric"], "rate_scale": [1.0, 3.0], "seeds": 2}
    rows = wl.replay_metrics(trace, cluster, ttft_s=0.5, tpot_s=0.1, **options).to_dicts()
    board = wl.score(wl.replay(trace, cluster, **options), slo=wl.SLO(ttft_s=0.5, tpot_s=0.1))
    assert len(rows) == len(board.runs) == 8
    for row, run in zip(rows, board.runs, strict=True):
        assert (row["router"], row["rate_scale"], row["seed"]) == (
            run.router,
            run.rate_scale,
            run.seed,
        )
        assert (row["requests"], row["served"]) == (run.requests, run.served)
        assert row["preemptions"] == run.preemptions
        shown = {
            "ttft_mean_s": run.ttft_s.mean, "ttft_p50_s": run.ttft_s.p50,
            "ttft_p95_s": run.ttft_s.p95, "ttft_p99_s": run.ttft_s.p99,
            "e2e_mean_s": run.e2e_s.mean, "e2e_p99_s": run.e2e_s.p99,
            "makespan_s": run.makespan_s, "goodput_rps": run.goodput_rps,
        }  # fmt: skip
        for name, value in shown.items():
            assert row[name] == pytest.approx(value, rel=1e-6), name


def test_at_saturation_the_backlog_neither_grows_nor_shrinks():
    rng = np.random.default_rng(0)
    trace = requests_every(
        0.1, 3000, input_tokens=rng.integers(10, 400, 3000), output_tokens=rng.integers(5, 60, 3000)
    )
    cluster = wl.Cluster.uniform(2, MODEL, max_num_seqs=16)
    rps = wl.saturation(trace, cluster)
    scale = rps / 10.0
    waits = [
        wl.replay_metrics(trace, cluster, routers=["least_requests"], rate_scale=load * scale)
        for load in (0.8, 1.25)
    ]
    longest = [one["ttft_p99_s"][0] for one in waits]
    assert longest[0] < 2.0
    assert longest[1] > 0.15 * 3000 / rps / 1.25


def test_too_few_requests_have_no_rate():
    with pytest.raises(UsageError, match="too few for a rate"):
        wl.saturation(
            requests_every(1, 10, input_tokens=5, output_tokens=2), wl.Cluster.uniform(1, MODEL)
        )
