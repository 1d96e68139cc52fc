"""Who may import whom."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

BENCHES = Path(__file__).resolve().parents[1] / "bench"
PACKAGE = Path(__file__).resolve().parents[2] / "workloadlab"

FLOORS = [
    {"errors", "_version", "tables", "statistics", "resources", "execution", "jit"},
    {"trace"},
    {"ingestion", "latency", "routing", "scoring", "sql"},
    {"characterization"},
    {"simulation"},
    {"oracles"},
    {"calibration", "learning", "planning", "synthesis"},
    {"reporting"},
    {"cli"},
]
"""Rooms by floor; a room imports from floors below its own, and from itself."""

LOWEST = FLOORS[0]
ONLY_IN = {
    "matplotlib": {"reporting"},
    "sklearn": {"latency", "calibration", "learning"},
    "pandas": set(),
}
MODULES = sorted(
    p
    for p in PACKAGE.rglob("*.py")
    if p.parent != PACKAGE or p.stem not in ("__init__", "__main__")
)


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def floor(name: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if name in rooms)


def imported(path: Path, *, typing_only: bool = True):
    """Yield the dotted names a module imports; names under TYPE_CHECKING count too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            if node.module == "workloadlab":
                yield from (f"workloadlab.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downwards(path):
    here = room(path)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "workloadlab" or len(parts) == 1:
            continue
        there = parts[1]
        if there == here or (here in LOWEST and there in LOWEST):
            continue
        assert floor(there) < floor(here), f"{here} must not import {there}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_stay_in_their_rooms(path):
    for name in imported(path):
        rooms = ONLY_IN.get(name.split(".")[0])
        assert rooms is None or room(path) in rooms, f"{path.name} imports {name}"


def test_import_is_light():
    loaded = subprocess.run(
        [sys.executable, "-c", "import workloadlab, sys; print('\\n'.join(sys.modules))"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    heavy = {"polars", "numpy", "numba", "duckdb", "pyarrow", "scipy", "sklearn", "matplotlib"}
    assert not heavy & set(loaded)


def test_help_imports_no_verb():
    code = (
        "import sys\n"
        "from workloadlab.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "replay" in done.stdout
    assert not {"polars", "numpy", "numba"} & set(done.stderr.split())


@pytest.mark.parametrize("path", sorted(BENCHES.glob("*.py")), ids=lambda path: path.stem)
def test_a_benchmark_can_be_loaded(path, monkeypatch):
    """Nothing else runs them before somebody measures."""
    monkeypatch.syspath_prepend(str(BENCHES))
    specification = importlib.util.spec_from_file_location(path.stem, path)
    specification.loader.exec_module(importlib.util.module_from_spec(specification))


def test_no_module_is_called_utils():
    assert not [p for p in MODULES if p.stem in ("utils", "helpers", "misc", "common_utils")]


def test_modules_are_read_in_one_sitting():
    long = {p.name: n for p in MODULES if (n := len(p.read_text().splitlines())) > 400}
    assert set(long) <= {"kernel.py"}, long


def test_kernels_see_arrays_only():
    for path in PACKAGE.rglob("kernel*.py"):
        for name in imported(path):
            first = name.split(".")[0]
            assert first in {"numpy", "numba", "typing", "__future__", "workloadlab"}, name
