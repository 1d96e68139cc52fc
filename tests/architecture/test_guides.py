"""Each room's `__init__` tells a stranger in a few lines what to read first."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest
from support.source import PACKAGE, assert_none, modules, write_package

if TYPE_CHECKING:
    from pathlib import Path

FEWEST, MOST = 5, 10
"""Lines of a guide."""

GLANCE = 4
"""As many files are seen at a glance: such a folder within a room needs no guide."""


def poor_guides(package: Path) -> list[str]:
    """Report each room whose docstring is short, long, or points at no file or at one that is not."""
    found = []
    for module in modules(package):
        if module.path.name != "__init__.py" or module.path.parent == package:
            continue
        guide = " ".join((ast.get_docstring(module.tree) or "").split())
        places = (module.path.parent, package, package.parent)
        found += [
            f"{module.folder}: {name} is no file or folder"
            for name in re.findall(r"`([\w./]+(?:\.py|/))`", guide)
            if not any((place / name).exists() for place in places)
        ]
        lines = [line for line in (ast.get_docstring(module.tree) or "").splitlines() if line]
        if "/" in module.folder and len(list(module.path.parent.glob("*.py"))) <= GLANCE + 1:
            found += [] if lines else [f"{module.folder}: no word"]
            continue
        if not FEWEST <= len(lines) <= MOST:
            found.append(f"{module.folder}: its guide has {len(lines)} lines")
        if "Start with " not in guide:
            found.append(f"{module.folder}: no word about where to start")
        if "To add " not in guide:
            found.append(f"{module.folder}: no word about how to add to it")
    return found


def rooms_without_a_door(package: Path) -> list[str]:
    """Report each folder of modules that has no `__init__`, so no guide either."""
    folders = {module.path.parent for module in modules(package)}
    return [
        str(f.relative_to(package)) for f in sorted(folders) if not (f / "__init__.py").exists()
    ]


def test_each_room_has_a_guide():
    assert_none(poor_guides(PACKAGE))
    assert_none(rooms_without_a_door(PACKAGE))


GUIDE = "The cellar.\n\nIt is cold.\nStart with `wine.py`.\nThen see `shelf/`.\nTo add one, ask.\n"


@pytest.mark.parametrize(
    ("guide", "said"),
    [
        ("The cellar.", "has 1 lines"),
        (GUIDE + "More.\n" * 6, "has 11 lines"),
        (GUIDE.replace("wine", "beer"), "beer.py is no file"),
        (GUIDE.replace("shelf", "rack"), "rack/ is no file"),
        (GUIDE.replace("Start", "Begin"), "where to start"),
        (GUIDE.replace("To add one", "Please"), "how to add"),
    ],
    ids=["short", "long", "no such file", "no such folder", "no beginning", "no end"],
)
def test_a_poor_guide_is_reported(tmp_path, guide, said):
    package = write_package(tmp_path, {"cellar/wine.py": "", "cellar/shelf/box.py": ""})
    write_package(tmp_path, {"cellar/__init__.py": f'"""{GUIDE}"""'})
    assert poor_guides(package) == []
    write_package(tmp_path, {"cellar/__init__.py": f'"""{guide}"""'})
    assert any(said in line for line in poor_guides(package))


def test_a_small_folder_needs_one_line(tmp_path):
    files = {f"cellar/shelf/box{n}.py": "" for n in range(GLANCE)}
    package = write_package(tmp_path, files | {"cellar/shelf/__init__.py": ""})
    assert poor_guides(package) == ["cellar/shelf: no word"]
    write_package(tmp_path, {"cellar/shelf/__init__.py": '"""Boxes."""'})
    assert poor_guides(package) == []
    write_package(tmp_path, {"cellar/shelf/one_more.py": ""})
    assert "cellar/shelf: its guide has 1 lines" in poor_guides(package)


def test_a_folder_without_an_init_is_reported(tmp_path):
    package = write_package(tmp_path, {"__init__.py": "", "attic/box.py": ""})
    assert rooms_without_a_door(package) == ["attic"]
