"""No verb writes over what it reads, and none over a device."""

from __future__ import annotations

import json
import sys

import pytest

import workloadlab as wl
from workloadlab.cli.main import main

CLUSTER = """
[[pool]]
instances = 2
latency = "rtxpro6000-llama-3.1-8b"
"""


def ended(words):
    with pytest.raises(SystemExit) as end:
        main(words)
    return end.value.code


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wl.Trace.of([(second, 10, 5) for second in range(30)]).save(tmp_path / "a.trace")
    (tmp_path / "c.toml").write_text(CLUSTER)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("report a.trace --trace a.trace", "a.trace"),
        ("characterize a.trace -o a.trace", "a.trace"),
        ("export a.trace --format vidur -o a.trace", "a.trace"),
        ("train a.trace --cluster c.toml -o c.toml", "c.toml"),
        ("train a.trace --cluster c.toml -o a.trace", "a.trace"),
        ("calibrate a.trace --cluster c.toml -o ./a.trace", "a.trace"),
    ],
)
def test_a_source_is_not_written_over(folder, words, kept, capsys):
    before = (folder / kept).read_bytes()
    assert ended(words.split()) == 2
    assert "is a source and would be overwritten" in capsys.readouterr().err
    assert (folder / kept).read_bytes() == before


WRITERS = {
    "replay none --latency rtxpro6000-llama-3.1-8b -o": True,
    "merge none -o": True,
    "demo --out": True,
    "train none --cluster c.toml --folder": True,
    "train none --cluster c.toml -o": False,
    "characterize none -o": False,
    "export none --format vidur -o": False,
    "calibrate none --cluster c.toml -o": False,
    "fit none -o": False,
    "measure --model none -o": False,
    "traces get none -o": False,
    "score none --per-request": False,
    "report": False,
}
"""Verbs, and whether what they write is a folder; what they read is not there."""


@pytest.mark.parametrize("words", WRITERS)
def test_where_results_go_is_tried_before_the_work(folder, words, capsys):
    (folder / "full").mkdir()
    places = {"a.trace/x": "a.trace is a file", "/dev/null": "/dev/null is a device"}
    if WRITERS[words]:
        places |= {"a.trace": "a.trace is a file"}
    else:
        places |= {"full": "full is a folder", "no/x": "the folder no does not exist"}
    for place, said in places.items():
        assert ended([*words.split(), place]) == 2
        assert said in capsys.readouterr().err
    if sys.platform == "linux":
        assert ended([*words.split(), "/proc/x"]) == 4
        assert "nothing can be written into /proc" in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["a.trace", "c.toml", "full"]


def test_runs_that_are_read_are_not_written_over_and_a_page_among_them_is(folder, capsys):
    assert (
        ended(["replay", "a.trace", "--cluster", "c.toml", "--router", "round_robin", "-o", "runs"])
        == 0
    )
    before = (folder / "runs" / "manifest.json").read_bytes()
    assert ended(["report", "runs/manifest.json", "--runs", "runs"]) == 2
    assert (folder / "runs" / "manifest.json").read_bytes() == before
    for _ in range(2):
        assert ended(["report", "runs/page.html", "--runs", "runs"]) == 0
    assert (folder / "runs" / "page.html").is_file()


def test_a_device_is_not_written_over(folder, capsys):
    assert ended(["characterize", "a.trace", "-o", "/dev/null"]) == 2
    assert "is a device" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["--window 0", "--window nan", "--window -5", "--start-up -1"])
def test_a_plan_takes_seconds_above_0(folder, words, capsys):
    assert ended(f"plan a.trace --cluster c.toml --slo ttft=1 {words}".split()) == 2


def test_a_trace_of_one_request_cannot_be_trained_on(folder, capsys):
    wl.Trace.of([(0, 10, 5)]).save(folder / "one.trace")
    assert ended(["train", "one.trace", "--cluster", "c.toml", "-o", "r.json"]) == 2
    assert "too few" in capsys.readouterr().err


def test_a_rate_given_twice_is_replayed_once(folder):
    assert len(wl.replay("a.trace", "c.toml", routers="round_robin", rate_scale=[1, 1.0])) == 1


def test_json_has_null_for_what_is_no_number(folder, capsys):
    assert (
        ended(["query", "--sql", "SELECT 'nan'::double AS x, 2.5 AS y", "a.trace", "--json"]) == 0
    )
    assert '"x": null' in capsys.readouterr().out


def test_a_gate_on_a_latency_fails_where_requests_are_lost(folder, capsys):
    event = '[[event]]\nat_s = 3\nkind = "stop"\ninstance = "pool"\nrequests = "fail"\n'
    (folder / "dead.toml").write_text(CLUSTER + event)
    assert (
        ended(
            ["replay", "a.trace", "--cluster", "dead.toml", "--router", "round_robin", "-o", "dead"]
        )
        == 0
    )
    for gate in ("p99 ttft_s > 60", "mean e2e_s > 60"):
        assert ended(["score", "dead", "--fail-on", gate]) == 1
        assert "of the requests were not served" in " ".join(capsys.readouterr().err.split())
    assert ended(["score", "dead", "--fail-on", "p99 ttft_s < 0"]) == 0
    capsys.readouterr()
    assert (
        ended(["score", "dead", "-q", "--json", "--fail-on", gate, "--fail-on", "p99 e2e < 0"]) == 1
    )
    out, err = capsys.readouterr()
    assert err.startswith("gate failed, mean e2e_s > 60: round_robin at the recorded rate:")
    [said] = json.loads(out)["gates"].pop(gate)
    assert said.endswith("of the requests were not served")


def test_what_is_no_folder_of_runs_is_refused_by_its_type():
    with pytest.raises(wl.WorkloadlabError, match="runs of type list"):
        wl.score([])


@pytest.mark.parametrize("sql", ["selct 1", "INSTALL httpfs", "COPY trace TO 'x'", "", " "])
def test_sql_that_is_no_select_is_called_so(folder, sql, capsys):
    assert ended(["query", "--sql", sql, "a.trace"]) == 2
    assert "is no SELECT" in capsys.readouterr().err
