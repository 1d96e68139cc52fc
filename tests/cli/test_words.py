"""Options that every verb has, what a shell completes, and SQL on the spot."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import click
import pytest

import workloadlab as wl
from workloadlab.cli.main import VERBS, LazyVerbs, cli
from workloadlab.routing.learned.artefact import LearnedRouter


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "x.trace"
    wl.Trace.of([(0.5 * k, 10 + k, 5) for k in range(40)]).save(path)
    return path


def options_of(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_json_quiet_and_verbose(verb):
    assert isinstance(cli, LazyVerbs)
    command = cli.get_command(click.Context(cli), verb)
    assert {"-q", "-v"} <= options_of(command)
    parts = command.commands.values() if isinstance(command, click.Group) else [command]
    assert all("--json" in options_of(part) for part in parts)


@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_80_columns(run, verb):
    _, out, _ = run(verb, "--help")
    shown = out.partition("Example")[0]
    assert max(map(len, shown.splitlines())) <= 80


LISTS = [
    "replay --list-routers", "replay --list-signals", "fit --list", "query --list",
    "ingest --list-formats", "export --list-formats", "score --list-metrics", "cluster --list-engines",
]  # fmt: skip


@pytest.mark.parametrize("words", [*LISTS, "doctor", "--help"])
def test_every_list_fits_80_columns(run, words):
    _, out, _ = run(*words.split())
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("words", LISTS)
def test_every_list_is_one_json_document_too(run, words):
    code, out, _ = run(*words.split(), "--json")
    assert code == 0
    [rows] = [value for value in json.loads(out).values() if isinstance(value, list)]
    assert len(rows) > 3


def test_report_and_export_print_one_document(run, trace):
    code, out, _ = run("report", "page.html", "--trace", trace, "--json")
    assert code == 0
    assert json.loads(out)["report"] == "page.html"
    code, out, _ = run("export", trace, "--json")
    assert code == 0
    assert json.loads(out)["requests"] == 40


def test_quiet_keeps_words_back_and_verbose_says_more(run, trace):
    _, out, err = run("characterize", trace, "-o", "p.json", "-q")
    assert out
    assert err == ""
    _, _, err = run("characterize", trace, "-o", "p.json", "-v")
    assert re.search(r"Characterizing: \d+\.\d\d s", err)
    _, _, err = run("characterize", trace, "-o", "p.json")
    assert err == "profile written to p.json\n"


def test_targets_have_units(run, trace):
    words = ["replay", trace, "--latency", "h100-llama-3.1-8b", "--router", "random", "--json"]
    _, seconds, _ = run(*words, "--slo", "ttft=0.5,tpot=0.05")
    _, units, _ = run(*words, "--slo", "ttft=500ms", "--slo", "tpot=50ms")
    assert json.loads(seconds) == json.loads(units)


def test_sql_on_the_spot(run, trace):
    code, out, _ = run(
        "query", "--sql", "SELECT max(input_tokens) AS most FROM trace", trace, "--csv"
    )
    assert (code, out) == (0, "most\n49\n")
    code, _, err = run("query", "--sql", "SELECT nothing FROM trace", trace)
    assert code == 2
    assert "DuckDB refuses" in err


def test_nothing_is_coloured_where_nobody_looks(run, trace):
    _, out, err = run("characterize", trace)
    assert "\x1b" not in out + err


def complete(*words: str) -> list[str]:
    """Return what bash would be told after these words, the last one unfinished."""
    asked = os.environ | {
        "COMP_WORDS": " ".join(["workloadlab", *words]),
        "COMP_CWORD": str(len(words)),
        "_WORKLOADLAB_COMPLETE": "bash_complete",
    }
    call = "from workloadlab.cli.main import main; main([])"
    done = subprocess.run(
        [sys.executable, "-c", call], env=asked, capture_output=True, text=True, check=False
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_a_shell_completes_names():
    assert "replay" in complete("rep")
    assert "round_robin,least_requests" in complete("replay", "--router", "round_robin,least_req")
    assert complete("query", "rate_") == ["rate_by_minute"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(run, shell):
    code, out, _ = run("completion", shell)
    assert code == 0
    assert "_WORKLOADLAB_COMPLETE" in out


def test_a_page_of_several_models_and_learned_routers(run, tmp_path):
    for name in ("first", "second"):
        LearnedRouter(name=name, body={"wait": 1.0, "prefill": 1.0}).save(tmp_path / f"{name}.json")
    models = ("--model", "h100-llama-3.1-8b", "--model", "rtxpro6000-llama-3.1-8b")
    routers = ("--router", tmp_path / "first.json", "--router", tmp_path / "second.json")
    code, out, _ = run("report", "page.html", *models, *routers, "--json")
    assert code == 0
    assert [section["title"] for section in json.loads(out)["sections"]] == [
        "Learned router: first",
        "Learned router: second",
        "Latency model: h100-llama-3.1-8b",
        "Latency model: rtxpro6000-llama-3.1-8b",
    ]
