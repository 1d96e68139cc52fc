"""`replay --sweep` and `merge`: a table, a folder, and sentences for what makes no sense."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.sweeps import files_of, short_trace

CLUSTER = '[[pool]]\nlatency = "h100-llama-3.1-8b"\n'
SWEEP = """
clusters = "few.toml"
instances = [1, 2]
routers = ["round_robin", "random"]
rate_scales = [1, 4]
seeds = 2
slo = "ttft=1"
"""
WORDS = ("replay", "short.trace", "--sweep", "sweep.toml")


@pytest.fixture
def folder(tmp_path):
    short_trace(tmp_path)
    (tmp_path / "few.toml").write_text(CLUSTER)
    (tmp_path / "sweep.toml").write_text(SWEEP)
    return tmp_path


def test_a_sweep_says_what_it_left_out_replayed_and_found(run, folder):
    code, out, err = run(*WORDS, "-o", "out")
    assert code == 0
    assert "4 runs left out" in err
    assert "12 runs in out: 12 replayed now, 0 there already" in err
    assert "Best routers, by mean TTFT" in out
    code, out, err = run(*WORDS, "-o", "out", "--json")
    assert "0 replayed now, 12 there already" in err
    facts = json.loads(out)
    assert facts["replayed"] == 0
    assert {row["cluster"] for row in facts["runs"]} == {"few-1", "few-2"}
    _, out, _ = run("score", "out")
    assert "few-2: random" in out


def test_a_sweep_that_is_there_needs_no_compiler(run, folder):
    run(*WORDS, "-o", "out")
    again = [*WORDS, "-o", "out"]
    code = f"""
import sys
from workloadlab.cli.main import main
try:
    main({again!r})
except SystemExit as ended:
    print(ended.code, "numba" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "0 replayed now, 12 there already" in done.stderr
    assert done.stdout.endswith("\n0 False\n")


def test_shards_merge(run, folder):
    run(*WORDS, "-o", "out")
    for number in (1, 2):
        run(*WORDS, "-o", f"part{number}", "--shard", f"{number}/2")
    code, _, err = run("merge", "part2", "-o", "merged")
    assert code == 2
    assert "of 2 shards are missing: 1" in err
    assert run("merge", "part1", "part2", "-o", "merged")[0] == 0
    assert files_of(folder / "merged") == files_of(folder / "out")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "no folder to write to"),
        ("-o out --router random", "--router and --sweep exclude each other"),
        ("-o out --slo ttft=2", "--slo and --sweep exclude each other\n  fix: edit the sweep file"),
        ("-o out --cluster few.toml", "--cluster and --sweep exclude each other"),
        ("-o out --shard 3", "--shard '3' is not a shard"),
        ("-o out --engine vllm", "no engine is called 'vllm'"),
        ("-o out --engine dask", "--engine dask needs the address"),
        ("-o out --address a:1", "--address a:1 without an engine"),
        ("-o out --by speed", "no metric is called 'speed'"),
    ],
    ids=[
        "folder",
        "router",
        "targets",
        "cluster",
        "shard",
        "engine",
        "address",
        "alone",
        "measure",
    ],
)
def test_options_that_make_no_sense_are_refused(run, folder, more, said):
    code, _, err = run(*WORDS, *more.split())
    assert code == 2
    assert said in err
    assert not list(folder.glob("out/*.json"))


def test_options_of_a_sweep_need_one(run, folder):
    code, _, err = run("replay", "short.trace", "--cluster", "few.toml", "--keep", "outcomes")
    assert code == 2
    assert "--keep without --sweep" in err


def test_values_of_the_sweep_file_that_make_no_sense_are_invalid_data(run, folder):
    (folder / "sweep.toml").write_text(SWEEP.replace("seeds = 2", "seeds = 0"))
    code, _, err = run(*WORDS, "-o", "out")
    assert code == 3
    assert "sweep.toml: seeds has 0" in err
    assert not (folder / "out").exists()


def test_oracles_are_not_swept(run, folder):
    (folder / "sweep.toml").write_text(SWEEP.replace('"random"', '"lookahead"'))
    code, _, err = run(*WORDS, "-o", "out")
    assert code == 3
    assert "sweep.toml: routers: lookahead is an oracle, and oracles cannot be swept" in err
    assert "without --sweep: --router lookahead" in err


def test_scores_of_a_sweep_are_not_joined(run, folder):
    run(*WORDS, "-o", "out")
    code, _, err = run("score", "out", "out")
    assert code == 2
    assert "out: holds the scores of a sweep, which cannot be joined with other runs" in err
    assert 'keep = "outcomes"' in err


@pytest.mark.parametrize(
    ("ending", "code"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)], ids=["int", "term"]
)
def test_a_sweep_that_is_stopped_says_what_is_kept(run, folder, monkeypatch, ending, code):
    told = []

    def stop(self, swept):
        self.last = swept
        told.append(len(swept.scores))
        if told[-1]:
            raise ending

    monkeypatch.setattr("workloadlab.cli.sweep._Board.show", stop)
    ended, _, err = run(*WORDS, "-o", "out")
    assert ended == code
    kept = len(list((folder / "out").glob("*.json")))
    assert told == [0, kept]
    assert f"{kept} of 12 runs are kept in out; run it again to go on" in err
