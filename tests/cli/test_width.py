"""Every verb prints lines of 80 columns, on both streams."""

from __future__ import annotations

import numpy as np
import pytest
from support.traces import requests_at

from workloadlab.routing.learned.artefact import LearnedRouter

CLUSTER = """
[[pool]]
instances = 2
latency = "rtxpro6000-llama-3.1-8b"
max_num_seqs = 128
"""

LOG = """arrival,input_tokens,output_tokens,ttft_ms,duration_ms,queue_wait,tenant_id
2026-11-03T10:00:00Z,812,95,210,2210,0.1,acme
2026-11-03T10:00:02Z,"1,204",20,180,700,0.2,acme
2026-11-03T10:00:03Z,-5,20,180,700,0.2,zeta
2026-11-03T10:00:04Z,77,20,180,700,0.2,zeta
"""

VERBS = {
    "ingest": "ingest log.csv -o from.trace",
    "query": "query latency_by_bucket timed.trace",
    "queries": "query --list",
    "score": "score timed.trace --slo ttft=1,tpot=50ms",
    "cluster": "cluster log.trace --latency rtxpro6000-llama-3.1-8b --instances 4",
    "engines": "cluster --list-engines",
    "characterize": "characterize log.trace",
    "against": "characterize log.trace --against log.trace",
    "traces": "traces list",
    "replay": "replay log.trace --cluster c.toml --router round_robin,least_requests "
    "--rate-scale 1,40 --slo ttft=1,tpot=50ms -o runs --overwrite",
    "plan": "plan log.trace --cluster c.toml --slo ttft=1 --window 20 --growth 2",
    "explain": "train --explain router.json",
    "routers": "replay --list-routers",
    "signals": "replay --list-signals",
    "metrics": "score --list-metrics",
    "formats": "ingest --list-formats",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("width")
    draw = np.random.default_rng(0)
    arrivals = np.cumsum(draw.exponential(0.2, 300))
    lengths = {
        "input_tokens": draw.integers(1, 20_000, 300), "output_tokens": draw.integers(1, 400, 300)
    }  # fmt: skip
    requests_at(arrivals, **lengths).save(where / "log.trace")
    ttft_ns = draw.integers(1, 10**10, 300)
    timed = requests_at(arrivals, ttft_ns=ttft_ns, e2e_ns=10 * ttft_ns, **lengths)
    timed.save(where / "timed.trace")
    (where / "log.csv").write_text(LOG)
    (where / "c.toml").write_text(CLUSTER)
    body = dict.fromkeys(("wait", "prefill", "context", "stall", "decode", "batch"), 1.0)
    LearnedRouter(name="router", body=body).save(where / "router.json")
    return where


def test_help_fits_a_terminal(run):
    from workloadlab.cli.main import cli

    for verb in cli.list_commands(None):
        _, out, _ = run(verb, "--help")
        assert [line for line in out.splitlines() if len(line) > 80] == []


def test_a_folder_that_is_not_there_and_a_log_without_timings_say_what_to_do(run, folder):
    code, _, err = run("score", "nosuch")
    assert (code, "no such folder of runs, nor log with timings" in err) == (2, True)
    code, _, err = run("score", folder / "log.trace")
    assert code == 2
    assert "replay it, and score the folder" in err


@pytest.mark.parametrize("verb", VERBS)
def test_lines_fit_a_terminal(run, folder, monkeypatch, verb):
    monkeypatch.chdir(folder)
    code, out, err = run(*VERBS[verb].split())
    assert code == 0
    assert [line for line in (out + err).splitlines() if len(line) > 80] == []
