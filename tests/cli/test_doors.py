"""What is asked for by names and places that cannot be right: bytes for a name, logs that differ."""

from __future__ import annotations

import os

import pytest
from support.traces import requests_at, requests_every

import workloadlab as wl

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
BYTES = "b\udce9d"


def azure(path, prompt):
    rows = (
        f"2026-09-21 14:{k // 60:02}:{k % 60:02},{prompt + k},{5 + k % 7}\n" for k in range(200)
    )
    path.write_text(HEADER + "".join(rows))


@pytest.mark.parametrize(
    "words",
    [
        f"ingest {BYTES}.csv",
        f"ingest a.csv -o {BYTES}.trace",
        f"characterize {BYTES}.trace",
        f"replay a.trace --cluster {BYTES}.toml",
        f"query session_turns {BYTES}/a.trace",
        f"report {BYTES}.html --trace a.trace",
    ],
)
def test_a_name_that_is_no_text_is_refused_in_a_sentence(run, words):
    code, _, err = run(*words.split())
    assert code == 2
    assert "its name is not text in UTF-8" in err
    assert r"b\xe9d" in err


def test_a_file_of_such_a_name_is_refused_where_a_folder_or_the_place_leads_to_it(
    run, tmp_path, monkeypatch
):
    azure(tmp_path / f"{BYTES}.csv", 10)
    code, _, err = run("ingest", ".", "-o", "a.trace")
    assert (code, "its name is not text in UTF-8" in err) == (2, True)
    inside = tmp_path / BYTES
    inside.mkdir()
    requests_every(0.1, 50).save(tmp_path / "a.trace").path.rename(inside / "a.trace")
    monkeypatch.chdir(inside)
    with pytest.raises(wl.WorkloadlabError, match="not text in UTF-8"):
        wl.query("length_quantiles", "a.trace")
    assert wl.Trace.open("a.trace").requests == 50


@pytest.mark.parametrize(
    "words",
    [
        "calibrate pipe --cluster c.toml -o fit.json",
        "characterize pipe",
        "export pipe -o log.jsonl",
        "plan pipe --cluster c.toml --slo ttft=1",
        "query session_turns pipe",
        "replay pipe --latency a100-llama-2-7b --router random -o runs",
        "report page.html --trace pipe",
        "train pipe --cluster c.toml -o router.json",
    ],
)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_no_trace(run, tmp_path, words):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "c.toml").write_text(POOL)
    code, _, err = run(*words.split())
    assert (code, "pipe: is a pipe or a device" in err) == (2, True), err


def test_a_folder_is_ingested_again_without_what_is_hidden_in_it(run, tmp_path):
    azure(tmp_path / "a.csv", 10)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "owner").touch()
    code, _, err = run("ingest", ".", "-o", "x.trace")
    assert (code, "owner" in err) == (0, False)


def test_a_page_of_one_log_takes_no_runs_of_another(run, tmp_path):
    for name, prompt in (("a", 10), ("b", 50)):
        azure(tmp_path / f"{name}.csv", prompt)
        assert run("ingest", f"{name}.csv", "-o", f"{name}.trace")[0] == 0
    words = ("--latency", "a100-llama-2-7b", "--router", "random", "-o", "runs")
    assert run("replay", "a.trace", *words)[0] == 0
    code, _, err = run("report", "page.html", "--trace", "b.trace", "--runs", "runs")
    assert code == 2
    assert "the runs replay a.csv, and the workload is of b.csv: they do not hold the same" in err
    assert not (tmp_path / "page.html").exists()
    assert run("report", "page.html", "--trace", "a.trace", "--runs", "runs")[0] == 0


POOL = '[[pool]]\nlatency = "a100-llama-2-7b"\ninstances = 2\n'


def test_why_requests_are_lost_is_said_with_the_result_also_quietly(run, tmp_path):
    requests_at([0, 1, 2], input_tokens=[10, 500, 900]).save(tmp_path / "a.trace")
    (tmp_path / "few.toml").write_text(POOL + "kv_blocks = 40\n")
    code, out, err = run("replay", "a.trace", "--cluster", "few.toml", "-q")
    assert (code, err) == (0, "")
    assert "Not served: 1 of 3 requests need more KV cache than an instance has" in out
    (tmp_path / "stop.toml").write_text(
        POOL + '[[event]]\nat_s = 0.0\nkind = "stop"\ninstance = "pool"\n'
    )
    code, out, _ = run("replay", "a.trace", "--cluster", "stop.toml", "-q")
    assert code == 0
    said = " ".join(out.split())
    assert "Not served: pool serves nothing, because an event of the cluster (stop at 0 s)" in said
    (tmp_path / "enough.toml").write_text(POOL)
    assert "Not served" not in run("replay", "a.trace", "--cluster", "enough.toml")[1]


def test_whoever_interrupts_a_replay_hears_what_is_lost(run, tmp_path, monkeypatch):
    requests_every(0.1, 50).save(tmp_path / "a.trace")
    (tmp_path / "c.toml").write_text(POOL)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("workloadlab.cli.replay._replay", interrupted)
    code, _, err = run("replay", "a.trace", "--cluster", "c.toml", "-o", "cc", "-q")
    said = " ".join(err.split())
    assert code == 130
    assert "no run of this replay was kept in cc; a sweep keeps each as it ends" in said
    assert said.endswith("--sweep FILE -o FOLDER interrupted")
    assert not (tmp_path / "cc").exists()
