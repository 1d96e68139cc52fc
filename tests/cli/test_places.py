"""Where verbs write: `-` is refused, and a folder that does not exist, by all of them alike."""

from __future__ import annotations

import pytest
from support.traces import requests_every

WRITERS = [
    "calibrate log.trace --cluster c.toml -o",
    "characterize log.trace -o",
    "demo --out",
    "export log.trace -o",
    "fit steps.csv -o",
    "ingest log.csv -o",
    "measure --model m -o",
    "merge runs runs -o",
    "replay log.trace --latency h100-llama-3.1-8b -o",
    "report",
    "score runs --per-request",
    "traces get burstgpt -o",
    "train log.trace --cluster c.toml -o",
    "train log.trace --cluster c.toml --folder",
    "train --explain r.json --onnx",
]


@pytest.fixture
def files(tmp_path):
    requests_every(0.1, 20).save(tmp_path / "log.trace")
    (tmp_path / "log.csv").write_text("timestamp,prompt_tokens\n1700000000,5\n1700000001,6\n")
    return tmp_path


@pytest.mark.parametrize("words", WRITERS)
def test_a_dash_is_no_place_for_results(run, files, words):
    before = sorted(files.iterdir())
    code, out, err = run(*words.split(), "-")
    assert (code, out) == (2, "")
    assert "- is no place for results" in " ".join(err.split())
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize("words", WRITERS)
def test_nobody_makes_the_folders_above(run, files, words):
    code, out, err = run(*words.split(), "missing/dir/x")
    assert (code, out) == (2, "")
    assert "the folder missing/dir does not exist" in " ".join(err.split())
    assert not (files / "missing").exists()


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("replay log.trace --latency h100-llama-3.1-8b --rate-scale=", "--rate-scale"),
        ("replay log.trace --latency h100-llama-3.1-8b --router=,", "--router"),
        ("replay log.trace --latency h100-llama-3.1-8b --slo=", "--slo"),
        ("score log.trace --slice=", "--slice"),
        ("plan log.trace --cluster c.toml --slo ttft=1 --router=", "--router"),
    ],
)
def test_an_option_without_a_value_is_refused(run, files, words, option):
    code, out, err = run(*words.split())
    assert (code, out) == (2, "")
    assert f"{option} is empty" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("replay log.trace --latency h100-llama-3.1-8b --slo ttft=0",
         "the target ttft = 0 s is not above 0 fix: give the time that a request may take"),
        ("report p.html", "give --trace, --profile, --model, --plan, --runs or --router"),
        ("train log.trace --cluster c.toml --objective goodput",
         "goodput without targets fix: give --slo ttft=1 or --slo tpot=50ms"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_how_to_mend_it_on_the_command_line(run, files, words, said):
    code, _, err = run(*words.split())
    assert code == 2
    assert said in " ".join(err.split())
