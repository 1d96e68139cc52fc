"""Whoever collects the suite, wherever and whenever, collects the same tests, and all of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from support.source import PACKAGE, REPOSITORY, assert_none, modules, write_package

if TYPE_CHECKING:
    from pathlib import Path

TESTS = REPOSITORY / "tests"
NEED_TORCH = {"latency/measurement/decoder.py", "latency/measurement/timing.py"}

FOREIGN_PATHS = re.compile(r"[\"'(= ]/(?:home|root|work|Users|mnt|tmp|opt|data)/\w")
"""How a path of somebody's machine begins."""


def collected(*words: str, within: str = "") -> list[str]:
    plain = {name: said for name, said in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *words],
        cwd=REPOSITORY / within, capture_output=True, text=True, check=False, env=plain,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


def machine_paths(folder: Path) -> list[str]:
    """Report each line of a test that names a place on one machine."""
    return [
        f"{path.relative_to(folder)}:{number} {line.strip()}"
        for path in sorted(folder.rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if FOREIGN_PATHS.search(line)
    ]


def folders_without_a_room(tests: Path, package: Path) -> list[str]:
    """Report each folder of tests that bears the name of no folder of the package."""
    folders = {path.parent.relative_to(tests).as_posix() for path in tests.rglob("test_*.py")}
    return sorted(name for name in folders if not (package / name).is_dir())


def at_the_top(package: Path, library: str) -> set[str]:
    """Return the files that cannot be imported without a library."""
    return {
        str(module)
        for module in modules(package)
        for made in module.imports
        if made.library == library and not made.deep and not made.typed
    }


def test_what_runs_is_collected_the_same_a_later_second(request):
    """As workers do that import the tests across a second's border."""
    first = [item.nodeid for item in request.session.items]
    files = dict.fromkeys(item.nodeid.partition("::")[0] for item in request.session.items)
    running = set(first)
    assert [name for name in collected(*files) if name in running] == first


def test_only_the_files_that_need_torch_are_left_out():
    assert at_the_top(PACKAGE, "torch") == NEED_TORCH
    named = (REPOSITORY / "conftest.py").read_text()
    assert set(re.findall(r"workloadlab/([\w/]+\.py)", named)) == NEED_TORCH


def test_no_test_names_a_place_on_one_machine():
    assert_none(machine_paths(TESTS))


def test_the_tests_of_one_room_can_be_collected_alone(request):
    room = TESTS / "unit" / "routing"
    alone = collected(str(room), within="tests/unit/routing")
    assert len(alone) > 100
    running = [item.nodeid for item in request.session.items]
    of_room = [name for name in running if name.startswith("tests/unit/routing/")]
    assert of_room in ([], alone)


def test_folders_of_tests_mirror_the_rooms():
    assert_none(folders_without_a_room(TESTS / "unit", PACKAGE))
    assert_none(folders_without_a_room(TESTS / "property", PACKAGE))


def test_a_folder_without_a_room_is_reported(tmp_path):
    package = write_package(tmp_path, {"trace/store.py": ""})
    (tmp_path / "unit" / "trace" / "attic").mkdir(parents=True)
    for name in ("trace", "trace/attic"):
        (tmp_path / "unit" / name / "test_one.py").touch()
    assert folders_without_a_room(tmp_path / "unit", package) == ["trace/attic"]


def test_a_place_on_one_machine_is_reported(tmp_path):
    line = 'LOG = "/ho' + 'me/me/log.csv"\n'
    (tmp_path / "test_log.py").write_text(line)
    assert machine_paths(tmp_path) == [f"test_log.py:1 {line.strip()}"]
    (tmp_path / "test_log.py").write_text('LOG = "logs/home/log.csv"\n')
    assert machine_paths(tmp_path) == []


def test_a_file_that_needs_a_library_is_found(tmp_path):
    files = {
        "a.py": "import torch\n",
        "b.py": "def f():\n    import torch\n",
        "c.py": "if TYPE_CHECKING:\n    import torch\n",
    }
    assert at_the_top(write_package(tmp_path, files), "torch") == {"a.py"}
