"""The command line as a user meets it: output, exit codes, sentences instead of tracebacks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import workloadlab as wl
from workloadlab.cli.main import VERBS
from workloadlab.latency import Domain
from workloadlab.latency.envelope import Envelope


@pytest.fixture
def log(tmp_path):
    rng = np.random.default_rng(5)
    path = tmp_path / "log.csv"
    pl.DataFrame(
        {
            "t": np.sort(rng.uniform(0, 60_000, 400)).round(3),
            "prompt_len": rng.integers(1, 4000, 400),
            "out": rng.integers(1, 400, 400),
        }
    ).write_csv(path)
    return path


@pytest.fixture
def trace(tmp_path, log):
    return wl.ingest(
        log,
        tmp_path / "log.trace",
        mapping={"arrival": "t", "input_tokens": "prompt_len", "output_tokens": "out"},
        units={"arrival": "ms"},
    ).path


CLUSTER = '[[pool]]\ninstances = 3\nlatency = "rtxpro6000-llama-3.1-8b"\n'


def test_help_lists_every_verb(run):
    code, out, _ = run("--help")
    assert code == 0
    assert all(verb in out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(run, verb):
    code, out, _ = run(verb, "--help")
    assert code == 0
    assert "Usage: workloadlab" in out


def test_python_dash_m_works():
    done = subprocess.run(
        [sys.executable, "-m", "workloadlab", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert wl.__version__ in done.stdout


def test_the_chain_from_log_to_scores(run, log, tmp_path):
    code, out, err = run(
        "ingest", log, "-o", "log.trace", "--map", "arrival=t,input_tokens=prompt_len",
        "--map", "output_tokens=out", "--unit", "arrival=ms",
    )  # fmt: skip
    assert code == 0
    read = ["arrival <- t (ms, as asked)", "input_tokens <- prompt_len", "output_tokens <- out"]
    assert [line.strip() for line in err.splitlines()] == read
    assert "400 requests over 60.0 s (generic format)" in out

    code, out, _ = run("characterize", "log.trace", "--json", "-o", "profile.json")
    assert code == 0
    saved = json.loads((tmp_path / "profile.json").read_text())
    assert json.loads(out) == {key: saved[key] for key in saved if key != "sha256"}
    assert json.loads(out)["trace"]["requests"] == 400

    (tmp_path / "cluster.toml").write_text(CLUSTER)
    code, out, err = run(
        "replay", "log.trace", "--cluster", "cluster.toml", "--router", "random,least_requests",
        "--rate-scale", "0.5,1", "--seeds", 2, "-o", "runs",
    )  # fmt: skip
    assert code == 0
    assert "8 runs written to runs" in err
    assert "least_requests" in out

    code, out, _ = run("score", "runs", "--slo", "ttft=1,tpot=0.05", "--json")
    assert code == 0
    board = json.loads(out)
    assert board["schema_version"] == 1
    assert len(board["runs"]) == 8
    wanted = {"router", "rate_scale", "seed", "requests", "makespan_s", "throughput_rps",
              "output_tokens_per_s", "ttft_s", "tpot_s", "e2e_s", "queue_s", "slo_attainment",
              "goodput_rps", "cache_hit_ratio", "preemptions", "load_cv"}  # fmt: skip
    assert wanted <= set(board["runs"][0])
    assert set(board["runs"][0]["ttft_s"]) == {"mean", "p50", "p90", "p95", "p99"}
    assert {"mean_difference", "low", "high"} <= set(board["pairs"][0])

    code, out, _ = run("query", "rate_by_minute", "log.trace", "--csv")
    assert code == 0
    assert len(out.splitlines()) == 2

    code, _, _ = run("report", "page.html", "--profile", "profile.json", "--runs", "runs")
    assert code == 0
    assert "least_requests" in (tmp_path / "page.html").read_text()


def test_score_against_observed(run, trace, tmp_path):
    observed = wl.replay(
        wl.Trace.open(trace), wl.Cluster.uniform(2, "rtxpro6000-llama-3.1-8b"), routers=["random"]
    )
    observed.outcomes().save(tmp_path / "observed.trace")
    code, _, _ = run("replay", "observed.trace", "--latency", "rtxpro6000-llama-3.1-8b",
                     "--instances", 2, "--router", "random", "-o", "again")  # fmt: skip
    assert code == 0
    code, out, _ = run("score", "again", "--observed", "observed.trace", "--json",
                       "--per-request", "errors.parquet")  # fmt: skip
    assert code == 0
    errors = json.loads(out)["runs"][0]["fidelity"]
    for latency in ("ttft_s", "tpot_s", "e2e_s", "queue_s"):
        for statistic in ("mean_error", "p50_error", "p90_error", "p99_error"):
            assert abs(errors[latency][statistic]) < 1e-6
    assert pl.read_parquet(tmp_path / "errors.parquet").height == 400


def test_a_router_of_the_users_own(run, trace, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import workloadlab as wl\n"
        "@wl.router\n"
        "def mine(request, instance):\n"
        "    return instance.queued_tokens + instance.running\n"
    )
    code, out, _ = run(
        "replay", trace, "--latency", "rtx4090-llama-3.1-8b", "--router", "mine.py:mine"
    )
    assert code == 0
    assert "mine" in out


def test_lists(run):
    code, out, _ = run("replay", "--list-routers", "--json")
    assert code == 0
    routers = {entry["name"]: entry for entry in json.loads(out)["routers"]}
    assert {"name", "family", "needs", "formula", "source"} <= set(routers["least_tokens"])
    code, out, _ = run("replay", "--list-routers")
    assert "power_of_two" in out
    code, out, _ = run("fit", "--list")
    assert "rtxpro6000-llama-3.1-8b" in out
    code, out, _ = run("query", "--list")
    assert "length_quantiles" in out


BAD_ROUTERS = """
import workloadlab as wl

@wl.router
def raises(request, instance):
    return 1 // instance.running

@wl.router(kind="choose")
def nowhere(request, instances):
    return 99
"""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("nonsense", 2, "No such command 'nonsense'"),
        ("rplay", 2, "did you mean replay"),
        ("replay log.trace --ruter x", 2, "--router"),
        ("ingest", 2, "Missing argument"),
        ("ingest none.csv", 2, "none.csv"),
        ("ingest .", 2, "."),
        ("ingest empty.csv", 3, "empty.csv"),
        ("ingest header.csv", 3, "header.csv"),
        ("ingest log.csv", 2, "--map"),
        ("ingest log.csv --format azure", 2, "TIMESTAMP"),
        ("ingest log.csv --format nope", 2, "nope"),
        ("ingest log.csv --map input_tokens", 2, "is not key=value"),
        ("ingest bad.csv --strict", 3, "ContextTokens"),
        ("characterize none.trace", 2, "no such file"),
        ("characterize log.csv", 3, "not Parquet"),
        ("characterize plain.parquet", 3, "Parquet but not a trace"),
        ("characterize .", 2, "is a folder"),
        ("replay log.trace", 2, "no cluster"),
        ("replay log.trace --cluster none.toml", 2, "no such cluster file"),
        ("replay log.trace --cluster typo.toml", 3, "unknown key 'kv_block'"),
        (
            "replay log.trace --cluster good.toml --instances 2 --latency b.json",
            2,
            'write instances = 2, latency = "b.json" in good.toml, under [[pool]]',
        ),
        (
            "replay log.trace --cluster a100-llama-2-7b",
            2,
            "names a latency model, and a cluster is wanted",
        ),
        ("replay log.trace --cluster good.toml --router best", 2, "no router is called 'best'"),
        ("replay log.trace --cluster good.toml --rate-scale fast", 2, "'fast' is not a number"),
        ("replay log.trace --cluster good.toml --rate-scale -1", 2, "0.000001 to 1,000,000"),
        ("replay log.trace --cluster good.toml --router bad.py:raises", 2, "ZeroDivisionError"),
        ("replay log.trace --cluster good.toml --router bad.py:nowhere", 2, "chose instance 99"),
        ("replay log.trace --latency none.json", 2, "none.json"),
        ("replay log.trace --latency broken.json", 3, "is not JSON"),
        ("fit", 2, "nothing to fit"),
        ("fit none.parquet", 2, "none.parquet"),
        ("fit plain.parquet", 3, "plain.parquet"),
        ("score none", 2, "no such folder of runs"),
        ("score runs --slo ttft", 2, "is not key=value"),
        ("score runs --slo speed=1", 2, "'speed' is no latency"),
        ("score runs --slo ttft=fast", 2, "not a number"),
        ("score runs --slo tpot=50", 2, "write tpot=50ms or tpot=50s"),
        ("score runs --observed log.trace", 2, "needs ttft_ns and e2e_ns"),
        ("query nothing log.trace", 2, "nothing"),
        ("query --sql log.trace", 2, "needs a name, or --sql, and a trace"),
        ("export log.trace --format moncake", 2, "did you mean mooncake"),
        ("score runs --slo ttft=5parsecs", 2, "write ttft=0.5 or ttft=500ms"),
        ("query rate_by_minute log.trace --param no=1", 2, "no"),
        ("report page.html", 2, "nothing to report"),
        ("report none/page.html --trace log.trace", 2, "does not exist"),
    ],
)
def test_mistakes_get_a_sentence_and_a_code(run, trace, tmp_path, words, code, said):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n")
    (tmp_path / "bad.csv").write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-01-01 00:00:00.0,ten,1\n"
    )
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "plain.parquet")
    (tmp_path / "good.toml").write_text(CLUSTER)
    (tmp_path / "typo.toml").write_text(CLUSTER + "kv_block = 3\n")
    (tmp_path / "broken.json").write_text('{"format": ')
    (tmp_path / "bad.py").write_text(BAD_ROUTERS)
    if "runs" in words:
        wl.replay(wl.Trace.open(trace), wl.Cluster.load(tmp_path / "good.toml")).save(
            tmp_path / "runs"
        )
    before = names(tmp_path)
    got, out, err = run(*words.split())
    assert (got, out) == (code, ""), err
    assert said in err
    assert names(tmp_path) == before


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != "__pycache__")


def test_a_step_outside_the_domain_is_said(run, tmp_path):
    wl.Trace.from_frame(
        pl.DataFrame(
            {"arrival_ns": [0] * 600, "input_tokens": [10] * 600, "output_tokens": [50] * 600}
        )
    ).save(tmp_path / "burst.trace")
    code, _, err = run("replay", "burst.trace", "--latency", "rtxpro6000-llama-3.1-8b",
                       "--instances", 1, "--max-num-seqs", 600, "--router", "random")  # fmt: skip
    assert code == 0
    assert "outside the latency model's domain" in " ".join(err.split())


def test_steps_beyond_a_calibration_are_said_with_how_far_off_they_may_be(run, tmp_path):
    wl.Trace.from_frame(
        pl.DataFrame(
            {"arrival_ns": [0] * 60, "input_tokens": [10] * 60, "output_tokens": [50] * 60}
        )
    ).save(tmp_path / "burst.trace")
    steps = np.array([[600.0, 0, 0, 0], [10, 0, 4, 100], [0, 0, 4, 9000]])
    known = Envelope(error=0.1, low=(0, 0, 0, 0), high=(600, 0, 4, 9000),
                     most_s=(0, 0, 1e-3, 0), beside_prompt_s=0)  # fmt: skip
    line = wl.LatencyModel.linear(constant_s=0.01, decode_seq_s=1e-4)
    replace(line, domain=Domain.of(steps), intervals=known).save(tmp_path / "few.json")
    code, _, err = run("replay", "burst.trace", "--latency", "few.json", "--instances", 1,
                       "--router", "random")  # fmt: skip
    assert code == 0
    assert "outside the latency model's domain" in " ".join(err.split())
    tpot = re.search(r"means lie between: .* TPOT ([0-9.]+) and ([0-9.]+) s", " ".join(err.split()))
    assert [float(end) for end in tpot.groups()] == pytest.approx([0.0094, 0.067], rel=0.1)


def test_debug_shows_the_traceback(trace):
    done = subprocess.run(
        [sys.executable, "-m", "workloadlab", "--debug", "replay", trace, "--latency", "no-such-model"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" in done.stderr
