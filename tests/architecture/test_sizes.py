"""A file is read in one sitting, a folder is seen at a glance, and its names say what is in it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from support.source import PACKAGE, assert_none, modules, write_package

if TYPE_CHECKING:
    from pathlib import Path

LINES = 320
"""About 300."""

LONGER = {
    "characterization/statistics/cache_loops.py": "compiled: the loops of each cache, side by side",
    "simulation/pool.py": "every key of a pool, told where it stands",
    "simulation/engine/arrays.py": "the table of a lane's arrays, one row each",
    "simulation/engine/record_types.py": "the fields of every record, one line each",
    "simulation/engine/setup.py": "how each array of a lane begins",
}
"""Files that may be longer, with the reason of each."""

MODULES = 24
"""In one folder, beside its `__init__`."""

EMPTY_NAMES = {"common_utils", "helpers", "misc", "utils"}


def long_files(package: Path, longer: dict[str, str]) -> list[str]:
    """Report each file over the limit that the list does not name, and each name without need."""
    lengths = {str(module): len(module.text.splitlines()) for module in modules(package)}
    found = [
        f"{name}: {n} lines" for name, n in lengths.items() if n > LINES and name not in longer
    ]
    return found + [f"{name} is no longer long" for name in longer if lengths.get(name, 0) <= LINES]


def crowded_folders(package: Path) -> list[str]:
    """Report each folder with more modules than a glance takes in."""
    counts = Counter(module.path.parent for module in modules(package) if not _is_door(module.path))
    return [
        f"{folder.relative_to(package)}: {count} modules"
        for folder, count in counts.items()
        if count > MODULES
    ]


def missing_folders(package: Path) -> list[str]:
    """Report each prefix that three files of a folder share: it is a folder that is missing."""
    words = Counter(
        (module.path.parent, module.path.stem.split("_")[0])
        for module in modules(package)
        if "_" in module.path.stem
    )
    return [
        f"{folder.relative_to(package)}/{word}_*: {count} files"
        for (folder, word), count in words.items()
        if count > 2 and word
    ]


def empty_names(package: Path) -> list[str]:
    """Report each file or folder whose name says nothing."""
    return [
        f"{module}"
        for module in modules(package)
        if EMPTY_NAMES & {*module.path.relative_to(package).parts[:-1], module.path.stem}
    ]


def missing_twins(package: Path) -> list[str]:
    """Report each file of the readable engine that has no twin in the compiled one."""
    fast, slow = package / "simulation" / "engine", package / "simulation" / "reference"
    return [path.name for path in sorted(slow.glob("*.py")) if not (fast / path.name).exists()]


def _is_door(path: Path) -> bool:
    return path.stem == "__init__"


def test_files_are_read_in_one_sitting():
    assert_none(long_files(PACKAGE, LONGER))


def test_folders_are_seen_at_a_glance():
    assert_none(crowded_folders(PACKAGE))


def test_a_prefix_of_three_files_is_a_folder():
    assert_none(missing_folders(PACKAGE))


def test_no_name_is_empty():
    assert_none(empty_names(PACKAGE))


def test_twins_bear_equal_names():
    assert_none(missing_twins(PACKAGE))


def test_a_long_file_is_reported_and_a_stale_exception_too(tmp_path):
    files = {"long.py": "\n" * (LINES + 1), "short.py": "\n" * LINES}
    package = write_package(tmp_path, files)
    assert long_files(package, {}) == [f"long.py: {LINES + 1} lines"]
    assert long_files(package, {"long.py": "compiled"}) == []
    found = long_files(package, {"long.py": "", "short.py": "", "gone.py": ""})
    assert found == ["short.py is no longer long", "gone.py is no longer long"]


def test_a_crowded_folder_is_reported(tmp_path):
    files = {f"hall/room{n}.py": "" for n in range(MODULES)} | {"hall/__init__.py": ""}
    assert crowded_folders(write_package(tmp_path, files)) == []
    assert crowded_folders(write_package(tmp_path, {"hall/one_more.py": ""}))


def test_a_missing_folder_is_reported(tmp_path):
    package = write_package(tmp_path, {f"hall/kernel{end}.py": "" for end in ("", "_a", "_b")})
    assert missing_folders(package) == []
    write_package(tmp_path, {"hall/kernel_c.py": ""})
    assert missing_folders(package) == ["hall/kernel_*: 3 files"]


@pytest.mark.parametrize("name", ["trace/utils.py", "helpers/dates.py", "misc.py"])
def test_an_empty_name_is_reported(tmp_path, name):
    assert empty_names(write_package(tmp_path, {name: ""})) == [name]


def test_a_missing_twin_is_reported(tmp_path):
    files = {"simulation/engine/lane.py": "", "simulation/reference/lane.py": ""}
    package = write_package(tmp_path, files)
    assert missing_twins(package) == []
    write_package(tmp_path, {"simulation/reference/events.py": ""})
    assert missing_twins(package) == ["events.py"]
