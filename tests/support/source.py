"""Reading a package's source: its modules, and every import that they make."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "PACKAGE",
    "REPOSITORY",
    "UNREADABLE",
    "Import",
    "Module",
    "assert_none",
    "modules",
    "write_package",
]

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "workloadlab"

UNREADABLE = "?"
"""The name of an import that is made at run time, so that the source does not say it."""


@dataclass(frozen=True)
class Import:
    """One name that a module imports.

    Attributes:
        name: dotted and absolute, with the imported name at the end: `numpy.linalg.norm`.
        line: where it stands.
        deep: it stands inside a function, so it happens at a call.
        typed: it stands under TYPE_CHECKING, so it never happens.
    """

    name: str
    line: int
    deep: bool
    typed: bool

    @property
    def library(self) -> str:
        """The first part of the name.

        Example:
            >>> Import("scipy.stats.norm", 1, deep=True, typed=False).library
            'scipy'
        """
        return self.name.split(".")[0]

    @property
    def foreign(self) -> bool:
        """It is neither of the standard library nor of the package."""
        return self.library not in {*sys.stdlib_module_names, UNREADABLE}


@dataclass(frozen=True)
class Module:
    """One file of a package.

    Attributes:
        package: the folder of the package.
        path: the file.
    """

    package: Path
    path: Path

    def __str__(self) -> str:
        return self.path.relative_to(self.package).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return _parsed(self.text)

    @property
    def folder(self) -> str:
        """Its folder: `simulation/engine`; a file beside the rooms is a folder of its own: `jit`."""
        above = self.path.parent.relative_to(self.package).as_posix()
        return above if above != "." else self.path.stem

    @property
    def room(self) -> str:
        return self.folder.split("/")[0]

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import, at any depth; of a name that is made at run time, as much as can be read."""
        within = self.path.parent.relative_to(self.package.parent)
        return _read_imports(self.text, self.path, within.as_posix().replace("/", "."))

    def folders_imported(self) -> Iterator[tuple[str, Import]]:
        """The package's folders that it imports from; "" is the package's own door."""
        for made in self.imports:
            first, *parts = made.name.split(".")
            if first == self.package.name:
                yield _folder(self.package, parts), made

    def siblings_imported(self) -> Iterator[tuple[str, Import]]:
        """The package's files that it imports, as `str(Module)` names them."""
        for made in self.imports:
            first, *parts = made.name.split(".")
            if first == self.package.name:
                yield _file(self.package, parts), made


def modules(package: Path) -> list[Module]:
    """Return every module of a package, sorted by path."""
    return [Module(package, path) for path in sorted(package.rglob("*.py"))]


def assert_none(violations: list[str]) -> None:
    """Show each violation of a rule on a line of its own, if there are any."""
    assert not violations, "\n" + "\n".join(violations)


def write_package(folder: Path, files: dict[str, str]) -> Path:
    """Write a small package to break a rule in: the text of each file, by its path within it."""
    package = folder / "workloadlab"
    for name, text in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return package


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def _read_imports(text: str, path: Path, within: str) -> tuple[Import, ...]:
    tree = _parsed(text)
    words = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def named(node: ast.AST) -> list[str]:
        """Return what one statement or call imports."""
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            return [f"{node.module}.{alias.name}" for alias in node.names]
        if isinstance(node, ast.Call) and "import_module" in ast.dump(node.func):
            return [beginning(node.args[0])]
        return []

    def beginning(value: ast.expr) -> str:
        """Return as much of a name that is made at run time as the source says."""
        if isinstance(value, ast.Name) and value.id in words:
            value = words[value.id]
        if isinstance(value, ast.JoinedStr):
            value = value.values[0]
        if isinstance(value, ast.FormattedValue) and "__package__" in ast.dump(value):
            return within
        return str(value.value).rstrip(".") if isinstance(value, ast.Constant) else UNREADABLE

    def imports(node: ast.AST, *, deep: bool, typed: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            for name in named(child):
                yield Import(name, child.lineno, deep, typed)
            yield from imports(
                child,
                deep=deep or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda),
                typed=typed
                or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)),
            )

    return tuple(imports(tree, deep=False, typed=False))


def _folder(package: Path, parts: list[str]) -> str:
    inside = ""
    for part in parts:
        if not (package / inside / part).is_dir():
            break
        inside = f"{inside}/{part}".lstrip("/")
    return inside or (parts[0] if parts and (package / f"{parts[0]}.py").exists() else "")


def _file(package: Path, parts: list[str]) -> str:
    inside = package
    for part in parts:
        if (inside / f"{part}.py").exists():
            return (inside / f"{part}.py").relative_to(package).as_posix()
        if not (inside / part).is_dir():
            break
        inside /= part
    return (inside / "__init__.py").relative_to(package).as_posix()
