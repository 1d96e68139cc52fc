"""Compiled loops see arrays and numbers; how they are compiled stands in one place."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from support.source import PACKAGE, Module, assert_none, modules, write_package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOPS = {"__future__", "collections", "math", "numba", "numpy", "typing"}
"""Libraries that a compiled file imports, `collections` for the types of its arguments."""

TABLES = LOOPS | {"dataclasses", "enum"}
"""Libraries of a file that only says what is in an array: dtypes, rows of tables, numbers."""

COMPILERS = {"cfunc", "guvectorize", "jit", "njit", "stencil", "vectorize"}


def compiled_functions(module: Module) -> list[ast.FunctionDef]:
    """Return the functions that one of jit's decorators, or numba's, makes machine code of."""
    makers = {
        made.name.split(".")[-1]
        for made in module.imports
        if made.name.startswith((f"{module.package.name}.jit.", "numba."))
    } | {"jit", "numba"}
    return [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef)
        and any(_root(decorator) in makers for decorator in node.decorator_list)
    ]


def compiled_files(package: Path) -> dict[str, Module]:
    return {
        str(module): module
        for module in modules(package)
        if module.room != "jit" and compiled_functions(module)
    }


@dataclass(frozen=True)
class Reach:
    """What compiled files import, and what those files import in turn.

    Attributes:
        files: all of them.
        violations: where one of them imports something that is not about arrays.
    """

    files: set[str]
    violations: list[str]


def reach(package: Path) -> Reach:
    """Follow the imports of the compiled files."""
    loops = compiled_files(package)
    waiting, files, violations = list(loops), set(loops), []
    while waiting:
        name = waiting.pop()
        module, libraries = Module(package, package / name), LOOPS if name in loops else TABLES
        behind = _files(module)
        for made in module.imports:
            file = behind.get(made.name)
            if file and not _is_jit(file) and not _has_guests(package, file, loops):
                waiting += [file] if file not in files else []
                files.add(file)
            elif made.library not in libraries and not (file and _is_jit(file)):
                violations.append(f"{name}:{made.line} imports {made.name}")
    return Reach(files, sorted(violations))


def imports_beyond_arrays(package: Path) -> list[str]:
    """Report each import by which a compiled file reaches a frame, a file or an option object."""
    return reach(package).violations


def objects_in_loops(package: Path) -> list[str]:
    """Report each name in a compiled function that is a class, or a function that is not compiled."""
    known = reach(package).files
    found = []
    for name, module in compiled_files(package).items():
        loops = compiled_functions(module)
        objects = set(_objects(module, {loop.name for loop in loops}, known))
        for loop in loops:
            used = {node.id: node.lineno for node in ast.walk(loop) if isinstance(node, ast.Name)}
            decorating = {n.id for d in loop.decorator_list for n in ast.walk(d) if _is_name(n)}
            found += [
                f"{name}:{used[word]} {loop.name} sees {word}"
                for word in sorted(objects & used.keys() - decorating)
            ]
    return found


def compilers_elsewhere(package: Path) -> list[str]:
    """Report each file but jit's that names one of numba's compilers, whose options stand there."""
    found = []
    for module in modules(package):
        if module.room == "jit":
            continue
        taken = {made.name.split(".")[-1] for made in module.imports if made.library == "numba"}
        called = {
            node.attr
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Attribute) and _root(node) in {"numba", "nb"}
        }
        found += [f"{module} names numba's {name}" for name in sorted(COMPILERS & (taken | called))]
    return found


def _root(node: ast.AST) -> str:
    """Return the first name of `a`, `a.b` and `a.b(...)`."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            node = node.value
        else:
            return ""
    return node.id


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)


def _is_jit(file: str) -> bool:
    return file == "jit.py" or file.startswith("jit/")


def _has_guests(package: Path, file: str, loops: dict[str, Module]) -> bool:
    """Return whether a file without loops is a door, or imports a library that is not about arrays."""
    made = Module(package, package / file).imports
    return file not in loops and (
        file.endswith("__init__.py")
        or any(one.library not in TABLES | {package.name} for one in made)
    )


def _files(module: Module) -> dict[str, str]:
    """Return the file behind each name that a module imports from the package."""
    return {made.name: file for file, made in module.siblings_imported()}


def _objects(module: Module, loops: set[str], known: set[str]) -> Iterator[str]:
    """Yield the names of a file that no compiled function may use; CAPITALS are numbers."""
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name not in loops:
            yield node.name
    files = _files(module)
    for made in module.imports:
        word = made.name.split(".")[-1]
        if word.isupper() or made.typed or files.get(made.name) in known:
            continue
        if made.library not in LOOPS and not _is_jit(files.get(made.name, "")):
            yield word


def test_compiled_files_import_arrays_only():
    assert_none(imports_beyond_arrays(PACKAGE))


def test_compiled_functions_see_arrays_only():
    assert_none(objects_in_loops(PACKAGE))


def test_only_jit_names_the_compilers_of_numba():
    assert_none(compilers_elsewhere(PACKAGE))


def test_files_with_loops_are_found_in_every_room_that_has_them():
    """Found by the decorators: a rule that looks at no file cannot fail."""
    rooms = {module.room for module in compiled_files(PACKAGE).values()}
    assert rooms >= {"characterization", "latency", "oracles", "simulation"}
    assert len(compiled_files(PACKAGE)) >= 20


LOOP = "from workloadlab.jit import helper\n{}\n@helper\ndef add(a, b):\n    return {}\n"
SEEN = {
    "a frame": "import polars as pl",
    "a file": "from pathlib import Path",
    "an option object": "from workloadlab.cluster import Cluster",
    "a fit inside a function": "def fit():\n    from sklearn.ensemble import Forest\n",
    "a type": "if TYPE_CHECKING:\n    from workloadlab.cluster import Cluster",
}


@pytest.mark.parametrize("text", SEEN.values(), ids=SEEN)
def test_an_import_beyond_arrays_is_reported(tmp_path, text):
    files = {
        "jit.py": "",
        "cluster.py": "import polars",
        "sums.py": LOOP.format(text, "a + b"),
    }
    package = write_package(tmp_path, files)
    [found] = imports_beyond_arrays(package)
    assert found.startswith("sums.py:")


def test_loops_may_import_loops_and_files_about_arrays_alone(tmp_path):
    text = "from workloadlab.dtypes import RECORD\nfrom workloadlab.other import less"
    files = {
        "jit.py": "import json",
        "words.py": "from dataclasses import dataclass\n",
        "dtypes.py": "import numpy as np\nfrom workloadlab.words import NAME\n",
        "other.py": "from workloadlab.jit import entry\n@entry()\ndef less(a):\n    return a - 1\n",
        "sums.py": LOOP.format(text, "a + b"),
    }
    package = write_package(tmp_path, files)
    assert imports_beyond_arrays(package) == []
    (package / "words.py").write_text("import polars as pl\n")
    assert imports_beyond_arrays(package) == ["dtypes.py:2 imports workloadlab.words.NAME"]


OBJECTS = {
    "a class": ("class Cluster: ...", "Cluster()"),
    "a function that is not compiled": ("def read(): ...", "read()"),
    "an import": ("from workloadlab.cluster import pools", "pools(a)"),
}


@pytest.mark.parametrize(("text", "used"), OBJECTS.values(), ids=OBJECTS)
def test_an_object_in_a_loop_is_reported(tmp_path, text, used):
    files = {"jit.py": "", "cluster.py": "import polars", "sums.py": LOOP.format(text, used)}
    [found] = objects_in_loops(write_package(tmp_path, files))
    assert "add sees" in found


@pytest.mark.parametrize("way", ["@jit.entry", "@jit.entry()", "@jit.by_address(SIGNATURE)"])
def test_a_loop_is_found_however_its_decorator_is_written(tmp_path, way):
    text = f"from workloadlab import jit\n{way}\ndef add(a, b):\n    return a + b\n"
    assert list(compiled_files(write_package(tmp_path, {"jit.py": "", "a.py": text}))) == ["a.py"]


NAMED = [
    "from numba import njit",
    "def later():\n    from numba import njit",
    "import numba\nf = numba.njit(g)",
    "import numba as nb\n@nb.vectorize\ndef f(): ...",
]


@pytest.mark.parametrize("text", NAMED, ids=["at the top", "in a function", "called", "decorating"])
def test_a_compiler_of_numba_outside_jit_is_reported(tmp_path, text):
    package = write_package(tmp_path, {"jit.py": text, "engine/lane.py": text})
    [found] = compilers_elsewhere(package)
    assert found.startswith("engine/lane.py names numba's")
