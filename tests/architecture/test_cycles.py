"""No file imports, directly or through others, a file that imports it: not even inside of functions."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "workloadlab"


def name_of(path: Path, package: Path) -> str:
    parts = [package.name, *path.relative_to(package).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def running(tree: ast.AST):
    """Yield the nodes of a file that run: all but what stands under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for other in node.orelse:
                yield from (other, *running(other))
            continue
        yield node
        yield from running(node)


def imports(package: Path) -> dict[str, set[str]]:
    """Return for each file of a package the files that it imports, anywhere in it."""
    files = {name_of(path, package): path for path in package.rglob("*.py")}
    graph = {}
    for name, path in files.items():
        named = set()
        for node in running(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                modules = inner & set(files)
                named |= modules
                if modules != inner:
                    named.add(node.module)
        graph[name] = (named & set(files)) - {name}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return one circle for each set of files that reach each other."""
    graph = {name: set(others) for name, others in graph.items()}
    found = []
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = error.args[1][::-1]
            found.append(circle)
            graph[circle[0]].discard(circle[1])
        else:
            return found


def test_no_files_import_each_other_in_a_circle():
    assert circles(imports(PACKAGE)) == []


@pytest.mark.parametrize(
    "late", ["import pack.a", "def f():\n    from pack.a import x", "from pack import a"]
)
def test_a_circle_would_be_found(tmp_path, late):
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("from pack.b import y\nx = 1\n")
    (package / "b.py").write_text("from pack.c import z\ny = 1\n")
    (package / "c.py").write_text(f"{late}\nz = 1\n")
    assert len(circles(imports(package))) == 1
    (package / "c.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pack.a\nz = 1\n"
    )
    assert circles(imports(package)) == []
