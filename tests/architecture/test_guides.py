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


def poor_guides(package: Path) -> list[str]:
    """Report each room whose docstring is short, long, or points at no file or at one that is not."""
    found = []
    for module in modules(package):
        if module.path.name != "__init__.py" or module.path.parent == package:
            continue
        guide = ast.get_docstring(module.tree) or ""
        lines = [line for line in guide.splitlines() if line.strip()]
        if not FEWEST <= len(lines) <= MOST:
            found.append(f"{module.folder}: its guide has {len(lines)} lines")
        said = " ".join(guide.split())
        if "Start with " not in said:
            found.append(f"{module.folder}: no word about where to start")
        if "To add " not in said:
            found.append(f"{module.folder}: no word about how to add to it")
        found += [
            f"{module.folder}: {name} is neither a file nor a folder of it"
            for name in re.findall(r"`([\w./]+(?:\.py|/))`", guide)
            if not (module.path.parent / name).exists()
        ]
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
        (GUIDE.replace("wine", "beer"), "beer.py is neither"),
        (GUIDE.replace("shelf", "rack"), "rack/ is neither"),
        (GUIDE.replace("Start", "Begin"), "where to start"),
        (GUIDE.replace("To add one", "Please"), "how to add"),
    ],
    ids=["short", "long", "no such file", "no such folder", "no beginning", "no end"],
)
def test_a_poor_guide_is_reported(tmp_path, guide, said):
    files = {"cellar/wine.py": "", "cellar/shelf/__init__.py": f'"""{GUIDE}"""'}
    package = write_package(tmp_path, files | {"cellar/shelf/wine.py": ""})
    write_package(
        tmp_path, {"cellar/shelf/shelf/box.py": "", "cellar/__init__.py": f'"""{GUIDE}"""'}
    )
    assert poor_guides(package) == []
    write_package(tmp_path, {"cellar/__init__.py": f'"""{guide}"""'})
    assert any(said in line for line in poor_guides(package))


def test_a_folder_without_an_init_is_reported(tmp_path):
    package = write_package(tmp_path, {"__init__.py": "", "attic/box.py": ""})
    assert rooms_without_a_door(package) == ["attic"]
