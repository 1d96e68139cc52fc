"""Which room may use which library, and that the heavy ones are imported when they are needed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.source import PACKAGE, REPOSITORY, assert_none, modules, write_package

if TYPE_CHECKING:
    from pathlib import Path

BENCHES = REPOSITORY / "tests" / "bench"

EVERYWHERE = {"numpy", "polars"}

AT_THE_TOP = {
    "click": {"cli"},
    "llvmlite": {"jit"},
    "numba": {"jit", "latency", "oracles", "simulation"},
    "torch": {"latency/measurement"},
}
"""Per library, the rooms or folders whose files import it as they are imported."""

AT_A_CALL = {
    "cloudpickle": {"execution"},
    "cma": {"learning"},
    "distributed": {"execution"},
    "duckdb": {"sql"},
    "gymnasium": {"simulation"},
    "jinja2": {"reporting"},
    "joblib": {"execution"},
    "markupsafe": {"reporting"},
    "matplotlib": {"reporting"},
    "numba": {"routing"},
    "onnx": {"routing"},
    "pyarrow": {"characterization", "ingestion"},
    "ray": {"execution"},
    "rich": {"cli"},
    "scipy": {"calibration", "characterization", "latency", "reporting"},
    "sklearn": {"latency", "learning"},
    "threadpoolctl": {"execution"},
    "torch": {"latency/measurement"},
}
"""Per library, the rooms or folders whose functions import it, so that nobody else waits for it."""


def misplaced_libraries(
    package: Path, at_the_top: dict[str, set[str]], at_a_call: dict[str, set[str]]
) -> list[str]:
    """Report each import of a library that its room has no leave for, or has only at a call."""
    found = []
    for module in modules(package):
        here = {module.room, module.folder}
        for made in module.imports:
            if not made.foreign or made.library in EVERYWHERE | {package.name}:
                continue
            late = made.deep or made.typed
            if not here & (at_a_call if late else at_the_top).get(made.library, set()):
                when = "at a call" if late else "at the top"
                found.append(f"{module}:{made.line} imports {made.name} {when}")
    return found


def unused_leave(
    package: Path, at_the_top: dict[str, set[str]], at_a_call: dict[str, set[str]]
) -> list[str]:
    """Report each entry of the two tables that no import needs."""
    used = {
        (made.library, made.deep or made.typed, here)
        for module in modules(package)
        for made in module.imports
        for here in (module.room, module.folder)
    }
    return [
        f"{room} does not import {library}"
        for late, table in ((False, at_the_top), (True, at_a_call))
        for library, rooms in table.items()
        for room in sorted(rooms)
        if (library, late, room) not in used
    ]


def test_libraries_stay_in_their_rooms():
    assert_none(misplaced_libraries(PACKAGE, AT_THE_TOP, AT_A_CALL))


def test_every_leave_is_used():
    assert_none(unused_leave(PACKAGE, AT_THE_TOP, AT_A_CALL))


@pytest.mark.parametrize("library", ["matplotlib", "sklearn", "pandas"])
def test_a_library_in_another_room_is_reported(tmp_path, library):
    text = f"def draw():\n    import {library}.pyplot\n"
    package = write_package(tmp_path, {"trace/store.py": text})
    [found] = misplaced_libraries(package, AT_THE_TOP, AT_A_CALL)
    assert found == f"trace/store.py:2 imports {library}.pyplot at a call"


def test_a_heavy_library_at_the_top_is_reported(tmp_path):
    package = write_package(tmp_path, {"reporting/page.py": "import matplotlib\n"})
    [found] = misplaced_libraries(package, AT_THE_TOP, AT_A_CALL)
    assert found == "reporting/page.py:1 imports matplotlib at the top"


def test_a_leave_that_nobody_needs_is_reported(tmp_path):
    package = write_package(tmp_path, {"trace/store.py": "import click\n"})
    assert unused_leave(package, {"click": {"trace"}}, {}) == []
    assert unused_leave(package, {}, {"click": {"trace"}}) == ["trace does not import click"]


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
