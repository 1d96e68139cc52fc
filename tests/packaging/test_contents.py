"""What is shipped: a wheel holds everything that a demo in an empty folder needs, and no more."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, unpacked beside its names."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = "from hatchling.build import build_wheel; import sys; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, folder], cwd=ROOT, check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    with zipfile.ZipFile(path) as packed:
        packed.extractall(folder / "unpacked")
        return folder / "unpacked", set(packed.namelist())


def test_everything_beside_the_code_is_in(wheel):
    _, names = wheel
    for folder, pattern in (
        ("queries", "*.sql"),
        ("traces", "chat.csv"),
        ("traces", "agent.jsonl"),
    ):
        for path in (ROOT / folder).glob(pattern):
            assert f"workloadlab/_{folder}/{path.name}" in names
    for path in (ROOT / "workloadlab").rglob("*"):
        if path.suffix in (".json", ".toml", ".jinja", ".css", ".js", ".typed"):
            assert str(path.relative_to(ROOT)) in names, path.name
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_nothing_else_is_in(wheel):
    _, names = wheel
    tops = {name.split("/")[0] for name in names}
    assert len(tops) == 2
    assert not [name for name in names if "__pycache__" in name or name.endswith(".nbc")]
    assert "workloadlab/_traces/make_samples.py" not in names


def test_the_files_beside_the_code_are_found_there(wheel, tmp_path):
    unpacked, _ = wheel
    code = (
        "from workloadlab.resources import folder; from workloadlab.sql import queries; "
        "print(folder('traces'), len(queries()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(unpacked), "PATH": ""},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    place, count = done.stdout.split()
    assert place == str(unpacked / "workloadlab" / "_traces")
    assert int(count) > 10


def test_the_citation_names_the_version_and_the_licence():
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = (ROOT / "CITATION.cff").read_text()
    assert f"version: {facts['version']}" in cited
    assert f"license: {facts['license']}" in cited
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    for minor in range(11, 15):
        assert f"Programming Language :: Python :: 3.{minor}" in facts["classifiers"]
