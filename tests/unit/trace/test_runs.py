"""A folder of runs is written whole, joined or replaced, and never mixed with another's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest
from support.runs import outcome_of, run_info

from workloadlab.digests import sealed, unverified
from workloadlab.errors import DataError, UsageError
from workloadlab.trace import Runs

if TYPE_CHECKING:
    from pathlib import Path

STUCK = """
import sys, time
from support.runs import outcome_of, run_info
from workloadlab.trace import Runs
from workloadlab.trace.manifest import {owner}
write = {owner}.{step}
def stuck(*given):
    done = write(*given)
    print("there", flush=True)
    time.sleep(60)
    return done
{owner}.{step} = stuck
runs = Runs(tuple(run_info(r) for r in "cd"), (outcome_of([3.0], [4.0]),) * 2)
runs.save(sys.argv[1], overwrite=True)
"""


def runs_of(*routers: str, ttft_s: float = 1.0) -> Runs:
    infos = tuple(run_info(router) for router in routers)
    traces = tuple(outcome_of([ttft_s + i], [ttft_s + i + 1]) for i in range(len(routers)))
    return Runs(infos, traces, {"pool": [{"name": "a"}]})


def rows(runs: Runs) -> dict[str, list]:
    return {info.router: trace.read("ttft_ns")["ttft_ns"].to_list() for info, trace in runs}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def edited(folder: Path, change) -> None:
    """Change a manifest as somebody would who also writes its digest."""
    path = folder / "manifest.json"
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(sealed(facts)))


def test_a_folder_of_runs_is_not_written_over(tmp_path):
    runs_of("a", "b").save(tmp_path / "runs")
    before = names(tmp_path / "runs")
    with pytest.raises(UsageError, match=r"already holds runs\n.*--add.*--overwrite"):
        runs_of("c").save(tmp_path / "runs")
    assert names(tmp_path / "runs") == before


def test_replaced_runs_leave_nothing_behind(tmp_path):
    old = Runs(
        *(runs_of("a", "b").infos, runs_of("a", "b").traces),
        records=({"steps": pl.DataFrame({"t": [1]})}, {}),
    )
    old.save(tmp_path / "runs")
    runs_of("a", ttft_s=7).save(tmp_path / "runs", overwrite=True)
    found = Runs.open(tmp_path / "runs")
    assert rows(found) == {"a": [7_000_000_000]}
    assert found.records == ({},)
    assert len(names(tmp_path / "runs")) == 2


def test_joined_runs_are_all_there(tmp_path):
    runs_of("a").save(tmp_path / "runs")
    runs_of("b", ttft_s=2).save(tmp_path / "runs", add=True)
    assert rows(Runs.open(tmp_path / "runs")) == {"a": [10**9], "b": [2 * 10**9]}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (runs_of("a"), "is in both runs"),
        (replace(runs_of("b"), cluster={}), "do not replay the same"),
        (Runs((run_info("b"),), (outcome_of([1, 2], [3, 4]),)), "do not replay the same"),
        (
            Runs(
                (run_info("b"),), (outcome_of([1], [3], input_tokens=7),), {"pool": [{"name": "a"}]}
            ),
            "do not replay the same",
        ),
    ],
    ids=["twice", "another cluster", "other requests", "other prompts"],
)
def test_runs_that_do_not_belong_together_are_not_joined(tmp_path, other, message):
    runs_of("a").save(tmp_path / "runs")
    before = names(tmp_path / "runs")
    with pytest.raises(UsageError, match=message):
        other.save(tmp_path / "runs", add=True)
    assert names(tmp_path / "runs") == before


@pytest.mark.parametrize("how", [{}, {"add": True}, {"overwrite": True}], ids=str)
def test_a_strangers_folder_is_not_touched(tmp_path, how):
    (tmp_path / "manifest.json").write_text('{"name": "a web page"}')
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match=r"files that are no runs, such as manifest\.json"):
        runs_of("a").save(tmp_path, **how)
    assert names(tmp_path) == ["manifest.json", "thesis.tex"]


def test_other_files_beside_runs_stay(tmp_path):
    runs_of("a").save(tmp_path / "runs")
    (tmp_path / "runs" / "notes.txt").write_text("mine")
    runs_of("b").save(tmp_path / "runs", overwrite=True)
    assert "notes.txt" in names(tmp_path / "runs")


@pytest.mark.parametrize(
    ("owner", "step"), [("RunFile", "placed"), ("Manifest", "write")], ids=["a run", "the manifest"]
)
@pytest.mark.parametrize("old", [True, False], ids=["over old runs", "into a new folder"])
def test_a_killed_replay_leaves_the_old_runs_or_none(tmp_path, owner, step, old):
    folder = tmp_path / "runs"
    if old:
        runs_of("a", "b").save(folder)
    code = STUCK.format(owner=owner, step=step)
    path = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", code, folder], stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:  # fmt: skip
        assert process.stdout.readline() == b"there\n"
        with pytest.raises(UsageError, match="is being written by another process"):
            runs_of("e").save(folder, overwrite=True)
        process.send_signal(signal.SIGKILL)
    if old:
        assert rows(Runs.open(folder)) == {"a": [10**9], "b": [2 * 10**9]}
    else:
        with pytest.raises(UsageError, match=r"no manifest\.json"):
            Runs.open(folder)
    runs_of("f").save(folder, overwrite=True)
    assert rows(Runs.open(folder)) == {"f": [10**9]}
    assert len(names(folder)) == 2


def test_a_changed_file_is_not_believed(tmp_path):
    runs_of("a").save(tmp_path / "one")
    runs_of("a", ttft_s=9).save(tmp_path / "two")
    (mine,), (other,) = ((tmp_path / n).glob("a__*") for n in ("one", "two"))
    mine.write_bytes(other.read_bytes())
    with pytest.raises(DataError, match="is damaged, or not the file that was written here"):
        Runs.open(tmp_path / "one")
    with unverified():
        assert rows(Runs.open(tmp_path / "one")) == {"a": [9 * 10**9]}


def _escape(facts):
    facts["files"]["a__x1__s0"]["trace"]["name"] = "../../etc/passwd"


def _twice(facts):
    facts["runs"].append(facts["runs"][0])


def _no_trace(facts):
    facts["files"] = {}


def _not_a_seed(facts):
    facts["runs"][0]["seed"] = "0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_escape, "which is no file of a run in this folder"),
        (_twice, "names one run or one file twice"),
        (_no_trace, "does not list one trace or score for each run"),
        (_not_a_seed, r"runs\[0\].seed is '0', not a whole number"),
        (lambda facts: facts.update(manifest_version=1), "has manifest version 1"),
        (lambda facts: facts.pop("sha256"), None),
    ],
    ids=["escape", "twice", "no trace", "seed", "version", "written by hand"],
)
def test_a_manifest_is_checked(tmp_path, change, message):
    runs_of("a").save(tmp_path / "runs")
    edited(tmp_path / "runs", change)
    if message is None:
        assert len(Runs.open(tmp_path / "runs")) == 1
        return
    with pytest.raises(DataError, match=message):
        Runs.open(tmp_path / "runs")


def test_a_missing_file_is_named(tmp_path):
    runs_of("a").save(tmp_path / "runs")
    next((tmp_path / "runs").glob("a__*")).unlink()
    with pytest.raises(DataError, match="is missing, but its manifest lists it"):
        Runs.open(tmp_path / "runs")
