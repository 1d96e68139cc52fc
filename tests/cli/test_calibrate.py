"""`workloadlab calibrate` as a user meets it."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from support.traces import requests_at_ns

import workloadlab as wl


@pytest.fixture
def log(tmp_path):
    rng = np.random.default_rng(2)
    trace = requests_at_ns(
        (rng.exponential(0.4, 80).cumsum() * 1e9).astype(int),
        input_tokens=rng.integers(50, 6000, 80),
        output_tokens=rng.integers(20, 200, 80),
    )
    model = wl.LatencyModel.linear(constant_s=0.01, prefill_token_s=5e-5, decode_context_s=1e-7)
    wl.replay(trace, wl.Cluster.uniform(1, model)).traces[0].save(tmp_path / "log.trace")
    (tmp_path / "cluster.toml").write_text("[[pool]]\nmax_num_seqs = 256\n")
    return tmp_path / "log.trace"


def test_calibrate_writes_a_model_that_replays(run, log):
    code, out, err = run("calibrate", log, "--cluster", "cluster.toml", "-o", "model.json")
    assert code == 0, err
    assert "prefill_token_s" in out
    assert "step_overhead_s = 0.001" in err
    code, out, err = run("replay", log, "--latency", "model.json", "--instances", 1, "--json")
    assert code == 0, err
    assert json.loads(out)["runs"][0]["requests"] == 80


def test_a_cluster_with_an_unknown_key_is_refused(run, log, tmp_path):
    (tmp_path / "bad.toml").write_text("[[pool]]\nmax_seqs = 256\n")
    code, _, err = run("calibrate", log, "--cluster", "bad.toml")
    assert code == 3
    assert "bad.toml" in err


def test_a_log_without_timings_is_refused(run, log, tmp_path):
    frame = wl.Trace.open(log).frame.drop("ttft_ns", "e2e_ns")
    wl.Trace.from_frame(frame).save(tmp_path / "bare.trace")
    code, _, err = run("calibrate", "bare.trace", "--cluster", "cluster.toml")
    assert code == 2
    assert "ttft_ns" in err


def test_runs_of_waiting_clients_are_calibrated_together(run, log, tmp_path):
    clients = pl.Series([f"c{i % 4}" for i in range(80)])
    frame = wl.Trace.open(log).frame.collect().with_columns(client_id=clients)
    wl.Trace.from_frame(frame).save(tmp_path / "clients.trace")
    code, out, err = run(
        "calibrate", "clients.trace", "clients.trace", "--cluster", "cluster.toml", "-o", "model.json",
        "--sessions", "clients", "--extra", "request_overhead_s",
    )  # fmt: skip
    assert code == 0, err
    assert "request_overhead_s" in out
    assert "write request_overhead_s = " in err
    report = wl.LatencyModel.load(tmp_path / "model.json").system["calibration"]
    assert (report["requests"], report["sessions"]) == (160, "clients")
