"""`workloadlab train` as a user meets it."""

from __future__ import annotations

import json

import pytest
from support.learning import mixed_trace

from workloadlab.errors import UsageError

CLUSTER = """
[[pool]]
name = "fast"
instances = 2
latency = "h100-llama-3.1-8b"
[[pool]]
name = "slow"
instances = 2
latency = "a6000-llama-3.1-8b"
"""
QUICK = ("--load", "0.9", "--seeds", 1, "--generations", 3)


@pytest.fixture
def log(tmp_path):
    mixed_trace(600).save(tmp_path / "log.trace")
    (tmp_path / "c.toml").write_text(CLUSTER)
    return tmp_path


def test_train_writes_a_router_that_replays(run, log):
    code, out, err = run("train", "log.trace", "--cluster", "c.toml", *QUICK, "-o", "mine.json")
    assert code == 0, err
    assert "router written to mine.json; replay it with --router mine.json" in err
    assert "score = " in out
    assert "Change of means and p99 with mine on the test block" in out
    code, out, err = run(
        "replay", "log.trace", "--cluster", "c.toml", "--router", "round_robin,mine.json", "--json"
    )
    assert code == 0, err
    assert [entry["router"] for entry in json.loads(out)["runs"]] == ["round_robin", "mine"]
    code, explained, err = run("train", "--explain", "mine.json", "--onnx", "mine.onnx")
    assert code == 0
    assert explained.startswith("score = ")
    assert "graph written to mine.onnx" in err
    assert (log / "mine.onnx").stat().st_size > 1000


def test_a_training_that_writes_nothing_says_so_before_it_begins(run, log, monkeypatch):
    def interrupted(*_, **__):
        raise UsageError("interrupted")

    monkeypatch.setattr("workloadlab.learning.train", interrupted)
    words = ("train", "log.trace", "--cluster", "c.toml", *QUICK)
    assert "will not be written; name a file with -o" in run(*words)[2]
    for kept in (("-o", "mine.json"), ("--json",)):
        assert "will not be written" not in run(*words, *kept)[2]
    assert (
        "predictor will not be written" in run("train", "log.trace", "--target", "output-length")[2]
    )


def test_json_is_the_router(run, log):
    code, out, err = run("train", "log.trace", "--cluster", "c.toml", *QUICK, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert (facts["format"], facts["name"]) == ("workloadlab router", "learned")
    assert facts["provenance"]["method"] == "es"
    assert facts["card"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "nothing to train on"),
        (("log.trace",), 2, "nothing to train on"),
        (("log.trace", "--cluster", "c.toml", "--method", "luck"), 2, "no method is called 'luck'"),
        (("log.trace", "--cluster", "none.toml"), 2, "no such cluster file"),
        (("--explain", "none.json"), 2, "no such file"),
        (("--explain", "c.toml"), 3, "not JSON"),
    ],
)
def test_bad_input_is_a_sentence(run, log, words, code, said):
    got, out, err = run("train", *words, "-o", "mine.json")
    assert (got, out) == (code, "")
    assert said in err
    assert not (log / "mine.json").exists()
