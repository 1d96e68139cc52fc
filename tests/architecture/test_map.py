"""ARCHITECTURE.md says what is there: its paths exist, its recipes name what registries name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from support.source import PACKAGE, REPOSITORY, assert_none, write_package

from workloadlab.characterization.profile import TOPICS
from workloadlab.cli.main import VERBS
from workloadlab.ingestion.formats import FORMATS
from workloadlab.latency import ESTIMATORS
from workloadlab.routing import SHELF
from workloadlab.scoring import metrics
from workloadlab.simulation.engine import arrays

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAP = REPOSITORY / "ARCHITECTURE.md"

FILES_AT_MOST = {
    "log format": 2,
    "router": 2,
    "signal": 4,
    "estimator": 2,
    "topic": 4,
    "metric": 2,
    "event": 4,
    "array": 1,
    "verb": 2,
}
"""Per kind of thing, how many files and folders its recipe may name."""


def paths_in(text: str) -> list[str]:
    """Return what stands in backticks and looks like a path, in order."""
    quoted = re.findall(r"`([^`\s]+)`", text)
    return [word for word in quoted if "/" in word or re.search(r"\.(py|md|toml|sql|json)$", word)]


def missing_paths(text: str, root: Path) -> list[str]:
    """Report each path that is no file or folder; a folder ends with a slash."""
    found = []
    for path in paths_in(text):
        if path == "__init__.py":
            continue
        there = root / path
        if not (there.is_dir() if path.endswith("/") else there.is_file()):
            found.append(f"{path} does not exist")
    return found


def rooms_off_the_map(text: str, package: Path) -> list[str]:
    """Report each room, and each file beside the rooms, that the text does not name."""
    names = [
        f"{package.name}/{path.name}/" if path.is_dir() else f"{package.name}/{path.name}"
        for path in sorted(package.iterdir())
        if path.name[0] != "_" and (path.suffix == ".py" or any(path.glob("*.py")))
    ]
    return [f"{name} is not on the map" for name in names if name not in paths_in(text)]


def recipes(text: str) -> dict[str, list[str]]:
    """Return per kind of thing the paths that its row of the table "To add ..." names."""
    _, _, section = text.partition("\n## To add")
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", section.split("\n## ")[0], re.M)
    found = {}
    for added, touched in rows:
        kind = next((kind for kind in FILES_AT_MOST if kind in added), None)
        if kind:
            found[kind] = paths_in(touched)
    return found


def long_recipes(found: dict[str, list[str]], at_most: dict[str, int]) -> list[str]:
    """Report each kind without a recipe, and each whose recipe names too much."""
    return [
        f"{kind}: {', '.join(found[kind])}" if kind in found else f"{kind}: no recipe"
        for kind, most in at_most.items()
        if kind not in found or len(found[kind]) > most
    ]


def unnamed_places(recipe: list[str], places: Iterable[str]) -> list[str]:
    """Report each place where one of a kind stands that no path of its recipe covers."""
    return sorted(
        place
        for place in set(places)
        if not any(place == path or (path[-1] == "/" and place.startswith(path)) for path in recipe)
    )


def place_of(module: str) -> str:
    return module.replace(".", "/") + ".py"


def test_every_path_exists():
    assert_none(missing_paths(MAP.read_text(), REPOSITORY))


def test_every_room_is_on_the_map():
    assert_none(rooms_off_the_map(MAP.read_text(), PACKAGE))


def test_every_kind_has_a_short_recipe():
    assert_none(long_recipes(recipes(MAP.read_text()), FILES_AT_MOST))


def place_of_format(name: str) -> str:
    """Return the file that declares a log format; it bears the format's name inside."""
    folder = PACKAGE / "ingestion" / "formats"
    declared = f'    name="{name}",'
    [path] = [each for each in folder.rglob("*.py") if declared in each.read_text()]
    return str(path.relative_to(REPOSITORY))


STAND = {
    "log format": [place_of_format(one.name) for one in FORMATS],
    "router": [place_of(one.function.__module__) for one in SHELF.values()],
    "estimator": [f"workloadlab/latency/estimators/{name}.py" for name in ESTIMATORS],
    "topic": [f"workloadlab/characterization/topics/{one.name}.py" for one in TOPICS],
    "metric": [place_of(metrics.__name__)],
    "array": [place_of(arrays.__name__)],
    "verb": [f"workloadlab/cli/{name}.py" for name in VERBS],
}
"""Per kind, where each one that a registry names stands."""


@pytest.mark.parametrize("kind", STAND)
def test_a_recipe_names_where_the_registered_stand(kind):
    assert STAND[kind]
    assert_none([place for place in STAND[kind] if not (REPOSITORY / place).is_file()])
    assert_none(unnamed_places(recipes(MAP.read_text())[kind], STAND[kind]))


TEXT = """# Map

See `lab/jit.py` and `lab/trace/`, with `wl.replay`.

## To add ...

| to add | touch |
|---|---|
| a verb | its file in `lab/cli/`, a row in `lab/cli/main.py` |
| a metric | a row in `lab/metrics.py` |

## More

| a router | `nowhere.py` |
"""


def test_a_path_that_does_not_exist_is_reported(tmp_path):
    (tmp_path / "lab" / "trace").mkdir(parents=True)
    (tmp_path / "lab" / "jit.py").touch()
    assert missing_paths(TEXT.split("##", maxsplit=1)[0], tmp_path) == []
    assert missing_paths(TEXT, tmp_path)[0] == "lab/cli/ does not exist"
    assert missing_paths("`lab/jit.py/` `lab/trace`", tmp_path) == [
        "lab/jit.py/ does not exist",
        "lab/trace does not exist",
    ]


def test_a_room_off_the_map_is_reported(tmp_path):
    files = {"jit.py": "", "trace/store.py": "", "_version.py": "", "py.typed": ""}
    package = write_package(tmp_path, files)
    assert rooms_off_the_map("`workloadlab/jit.py` `workloadlab/trace/`", package) == []
    assert rooms_off_the_map("`workloadlab/jit.py`", package) == [
        "workloadlab/trace/ is not on the map"
    ]


def test_recipes_are_read_from_their_table_alone():
    assert recipes(TEXT) == {
        "verb": ["lab/cli/", "lab/cli/main.py"],
        "metric": ["lab/metrics.py"],
    }


def test_a_missing_or_long_recipe_is_reported():
    assert long_recipes(recipes(TEXT), {"verb": 2, "metric": 1}) == []
    assert long_recipes(recipes(TEXT), {"verb": 1, "router": 2}) == [
        "verb: lab/cli/, lab/cli/main.py",
        "router: no recipe",
    ]


def test_a_place_that_a_recipe_does_not_name_is_reported():
    assert unnamed_places(["lab/cli/", "lab/x.py"], ["lab/cli/main.py", "lab/x.py"]) == []
    assert unnamed_places(["lab/cli/"], ["lab/client.py"]) == ["lab/client.py"]
