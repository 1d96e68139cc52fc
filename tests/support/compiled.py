"""All compiled functions of the package, which ones each reaches by its text, and copies to edit."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from numba.core.dispatcher import Dispatcher

import workloadlab
from workloadlab.jit import COMPILED
from workloadlab.jit.stamps import stamp

__all__ = ["PackageCopy", "everything", "reached_by_name", "stamps"]

PACKAGE = Path(workloadlab.__file__).parent


def everything():
    """Return all compiled functions but routers, after the import of every module that has some."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "workloadlab.jit import" in path.read_text() and path.parent.name != "jit":
            importlib.import_module(
                ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
            )
    ours = [one for one in COMPILED if one.kind != "router"]
    return [one for one in ours if one.dispatcher.py_func.__module__.startswith("workloadlab")]


def stamps(found, known=None):
    """Return the stamps of all that are stored, by name."""
    known = {} if known is None else known
    return {one.name: stamp(one.dispatcher, known=known) for one in found if one.code is not None}


def reached_by_name(found):
    """Return the names of the compiled functions that each one reaches, by the text of the sources."""
    names = {one.dispatcher.py_func: one.name for one in found}
    return {one.name: _reach(one.dispatcher.py_func, names, set()) for one in found}


def _reach(function, names, seen):
    if function in seen:
        return set()
    seen.add(function)
    read = {names[function]} if function in names else set()
    for value in _values_read(function):
        inner = value.py_func if isinstance(value, Dispatcher) else value
        if inspect.isfunction(inner) and inner.__module__.startswith("workloadlab"):
            read |= _reach(inner, names, seen)
    return read


def _values_read(function):
    """Yield what a function closes over, and what its text names: globals and attributes of modules."""
    yield from (cell.cell_contents for cell in function.__closure__ or ())
    for part in (p for statement in node_of(function).body for p in ast.walk(statement)):
        if isinstance(part, ast.Name):
            yield function.__globals__.get(part.id)
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            holder = function.__globals__.get(part.value.id)
            if inspect.ismodule(holder):
                yield getattr(holder, part.attr)


def node_of(function):
    """Return the definition of a function in the text of its file."""
    first = function.__code__.co_firstlineno
    tree = ast.parse(Path(function.__code__.co_filename).read_text())
    (node,) = (
        node for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == function.__name__
        and first in (node.lineno, *(d.lineno for d in node.decorator_list))
    )  # fmt: skip
    return node


class PackageCopy:
    """A copy of the package and its machine code, in which files are edited and processes started."""

    def __init__(self, folder: Path, bytecode: Path) -> None:
        self.folder = folder
        self.bytecode = bytecode
        self.edits = 0
        ignored = shutil.ignore_patterns("*.pyc", "*.lock")
        shutil.copytree(PACKAGE, folder / "workloadlab", ignore=ignored)

    def edit(self, path: str, before: str, after: str) -> None:
        """Exchange a text that stands once in a file of the package."""
        text = (self.folder / "workloadlab" / path).read_text()
        assert text.count(before) == 1, path
        self.write(path, text.replace(before, after))

    def write(self, path: str, text: str) -> None:
        """Write a file of the package, at a second of its own, by which bytecode knows it."""
        file = self.folder / "workloadlab" / path
        file.write_text(text)
        self.edits += 1
        os.utime(file, (self.edits, self.edits))

    def run(self, code: str):
        """Return what a process prints as JSON that runs `code` with the copy."""
        done = subprocess.run(
            [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=self.folder,
            env={**{k: v for k, v in os.environ.items() if not k.startswith(("NUMBA", "WORKLOADLAB"))},
                 "PYTHONPATH": os.pathsep.join([str(self.folder), str(PACKAGE.parent / "tests")]),
                 "PYTHONPYCACHEPREFIX": str(self.bytecode)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
