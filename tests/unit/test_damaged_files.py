"""A damaged artefact is refused in a sentence, never by a traceback and never read as something else."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from support.damage import attack, flipped
from support.learned import RULED
from support.runs import outcome_of, runs_of
from support.traces import requests_every

import workloadlab as wl
from workloadlab.characterization.profile import Profile
from workloadlab.errors import DataError, WorkloadlabError
from workloadlab.json_files import read_object
from workloadlab.latency import catalog
from workloadlab.routing.learned.artefact import LearnedRouter, load_learned
from workloadlab.routing.learned.terms import TERMS
from workloadlab.trace.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _profile(folder: Path) -> Path:
    trace = requests_every(0.5, 200, output_tokens=[5 + i % 9 for i in range(200)])
    return wl.characterize(trace).save(folder / "profile.json")


def _model(folder: Path) -> Path:
    wl.LatencyModel.load("rtxpro6000-llama-3.1-8b").save(folder / "model.json")
    return folder / "model.json"


def _router(folder: Path) -> Path:
    body = dict.fromkeys(TERMS, 0.5)
    LearnedRouter(rules=RULED, body=body).save(folder / "router.json")
    return folder / "router.json"


def _manifest(folder: Path) -> Path:
    return runs_of(outcome_of([1], [2]), outcome_of([3], [4])).save(folder / "r") / "manifest.json"


ARTEFACTS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Any]]] = {
    "profile": (_profile, lambda path: str(Profile.load(path))),
    "model": (_model, lambda path: str(wl.LatencyModel.load(path))),
    "router": (_router, lambda path: load_learned(path).explain()),
    "manifest": (_manifest, lambda path: repr(Manifest.read(path.parent))),
}


@pytest.mark.parametrize(("make", "use"), ARTEFACTS.values(), ids=ARTEFACTS)
def test_every_mutant_is_accepted_or_refused_in_a_sentence(tmp_path, make, use):
    verdict = attack(make(tmp_path), use, 60, random.Random(1))
    assert verdict.uncaught == {}
    assert verdict["refused"] > 20


@pytest.mark.parametrize(("make", "use"), ARTEFACTS.values(), ids=ARTEFACTS)
def test_no_flipped_bit_is_read_as_another_value(tmp_path, make, use):
    path = make(tmp_path)
    whole, shown = path.read_bytes(), use(path)
    draw = random.Random(2)
    for _ in range(60):
        path.write_bytes(flipped(whole, draw.randrange(len(whole) * 8)))
        try:
            found = use(path)
        except WorkloadlabError:
            continue
        assert found == shown


def test_an_edit_on_purpose_is_read_without_its_digest(tmp_path):
    path = _model(tmp_path)
    text = path.read_text().replace('"gpu": "RTXPRO6000"', '"gpu": "H100-SXM"')
    path.write_text(text)
    with pytest.raises(DataError, match=r'damaged, or was edited.*\n.*remove the line "sha256"'):
        wl.LatencyModel.load(path)
    lines = [line for line in text.splitlines() if '"sha256":' not in line]
    lines[-2] = lines[-2].removesuffix(",")
    path.write_text("\n".join(lines))
    assert wl.LatencyModel.load(path).gpu == "H100-SXM"


DOCUMENTS = {
    "cut": (b'{"a": [1, 2', "is not JSON, or cut off"),
    "deep": (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
    "digits": (b'{"a": ' + b"9" * 10_000 + b"}", "is not JSON, or cut off: Exceeds the limit"),
    "latin": ('{"a": "\u00e9"}'.encode("latin-1"), "not text in UTF-8"),
    "list": (b"[1]", "is not a JSON object"),
    "empty": (b"", "is not JSON, or cut off"),
}


@pytest.mark.parametrize(("data", "message"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_what_is_no_json_object_is_said(tmp_path, data, message):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_object(tmp_path / "a.json", fix="make it again")


NONSENSE = ["1", "true", '["a"]', "{ a = 1 }", '""', '"' + "9" * 3000 + '"']


@pytest.mark.parametrize(
    "value", NONSENSE, ids=["number", "true", "list", "table", "empty", "long"]
)
@pytest.mark.parametrize("key", ["name", "latency", "models", "engine", "instances"])
def test_nonsense_in_a_cluster_file_is_said(tmp_path, key, value):
    keys = {"name": '"a"', "latency": '"rtxpro6000-llama-3.1-8b"', "instances": "2", key: value}
    text = "\n".join(f"{name} = {each}" for name, each in keys.items())
    (tmp_path / "c.toml").write_text(f"[[pool]]\n{text}\n")
    if (key, value) in {("models", '["a"]'), ("instances", "1")}:
        assert wl.Cluster.load(tmp_path / "c.toml").pools
        return
    with pytest.raises(WorkloadlabError):
        wl.Cluster.load(tmp_path / "c.toml")


def test_the_catalogue_is_read():
    assert catalog.names()
