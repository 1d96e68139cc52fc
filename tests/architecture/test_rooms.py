"""Who may import whom: DESIGN section 2 as an allow list, folder by folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.source import PACKAGE, UNREADABLE, assert_none, modules, write_package

if TYPE_CHECKING:
    from pathlib import Path

FLOORS = """
display errors arguments hints fields atomic digests json_files tables words _version installation
execution
jit resources shapes sizes statistics distributions toml_files
trace
exchange ingestion latency routing scoring sql
characterization
simulation
oracles
calibration learning planning sweeping synthesis
reporting
cli
handbook
"""
"""The rooms by floor; rooms on one floor do not know each other, except on the lowest."""

ALLOWED = """
display:
errors:
arguments: errors hints
atomic: arguments errors
digests: errors
hints:
fields: errors
json_files: errors
toml_files: errors
shapes:
sizes: errors fields installation
_version:
jit:
distributions:
statistics:
resources:
execution: arguments errors hints installation
installation: _version
tables:
words: tables
trace: _version arguments atomic digests display errors fields hints json_files shapes words
sql: arguments errors hints resources sizes trace

exchange: arguments errors hints trace

ingestion: arguments atomic digests errors hints resources sizes toml_files trace ingestion/doubts
    ingestion/formats ingestion/mapping words ingestion/parsing ingestion/readers
ingestion/doubts: errors hints ingestion ingestion/formats ingestion/parsing words
ingestion/formats: errors trace ingestion ingestion/parsing ingestion/readers
    ingestion/formats/benchmarks ingestion/formats/engines ingestion/formats/gateways
    ingestion/formats/traces
ingestion/formats/benchmarks: errors ingestion ingestion/formats ingestion/parsing
ingestion/formats/engines: errors trace ingestion/formats ingestion/parsing ingestion
    ingestion/readers
ingestion/formats/gateways: ingestion/formats ingestion/parsing
ingestion/formats/traces: ingestion/formats ingestion/parsing
ingestion/mapping: errors fields hints ingestion ingestion/formats ingestion/parsing toml_files
ingestion/parsing: trace
ingestion/readers: errors ingestion ingestion/parsing

latency: arguments digests display errors fields json_files shapes jit trace latency/catalog words
    latency/estimators latency/hardware latency/importers latency/requests
latency/catalog: arguments errors hints latency
latency/estimators: errors execution hints fields jit latency latency/hardware
latency/hardware: errors hints json_files
latency/importers: errors latency latency/hardware
latency/measurement: errors latency latency/estimators latency/hardware
latency/requests: arguments digests errors execution fields json_files jit trace latency
    latency/catalog latency/estimators

routing: arguments display errors hints jit trace routing/families routing/learned
routing/families: errors routing
routing/learned: arguments digests errors fields json_files trace routing

scoring: arguments digests display distributions errors hints json_files shapes statistics tables trace
    words
    scoring/load
scoring/load: tables trace words scoring

characterization: arguments digests display errors execution json_files shapes sizes
    words tables trace latency characterization/bounded characterization/bounded/prefix
    characterization/statistics
    characterization/topics
characterization/bounded: atomic errors jit shapes trace characterization characterization/bounded/facts
    characterization/statistics characterization/topics
characterization/bounded/prefix: atomic jit trace words latency characterization characterization/bounded
    characterization/bounded/facts characterization/statistics characterization/topics
characterization/bounded/facts: trace scoring characterization characterization/bounded
    characterization/statistics characterization/topics
characterization/statistics: errors jit statistics tables trace latency characterization words
characterization/topics: statistics tables trace scoring characterization
    characterization/statistics

simulation: arguments display errors hints execution sizes statistics toml_files
    trace words
    latency latency/hardware routing simulation/reference
    simulation/engine simulation/engine/lanes
simulation/engine: errors jit latency latency/estimators routing simulation
    simulation/engine/blocks simulation/engine/decodes simulation/engine/lanes
simulation/engine/blocks: jit simulation/engine
simulation/engine/decodes: jit latency simulation/engine
simulation/engine/lanes: jit routing simulation simulation/engine
simulation/reference: errors routing simulation simulation/engine

oracles: arguments errors hints execution jit trace routing simulation simulation/engine words

calibration: arguments errors execution tables trace latency routing simulation simulation/engine words

learning: _version arguments errors hints execution tables trace latency routing routing/learned
    simulation words simulation/engine oracles learning/lengths
learning/lengths: _version arguments digests errors execution fields json_files trace learning

planning: arguments digests display errors fields json_files shapes execution tables toml_files trace
    words latency latency/hardware
    routing scoring simulation

sweeping: arguments atomic digests errors execution hints installation jit shapes tables toml_files trace
    words latency routing scoring simulation simulation/engine oracles

reporting: _version arguments errors tables trace words latency routing/learned scoring scoring/load
    characterization planning reporting/capacity reporting/latency_model reporting/learned_router
    reporting/routers reporting/workload
reporting/capacity: words tables planning scoring reporting
reporting/latency_model: words errors latency latency/hardware calibration reporting
reporting/learned_router: words routing/learned learning reporting
reporting/routers: words statistics trace scoring scoring/load reporting
reporting/workload: words tables characterization characterization/statistics characterization/topics
    reporting
reporting/notebook: words errors hints trace characterization characterization/topics routing simulation
    reporting reporting/latency_model reporting/workload
reporting/workload/arrivals: words characterization characterization/statistics reporting
    reporting/workload
reporting/workload/lengths: words characterization characterization/statistics reporting
    reporting/workload
reporting/workload/prefix: words characterization characterization/statistics reporting
    reporting/workload
reporting/workload/sessions: words characterization characterization/topics reporting reporting/workload

handbook: trace exchange ingestion ingestion/mapping latency oracles routing scoring sql characterization
    simulation cli

cli: _version arguments atomic digests errors hints installation jit resources sizes tables toml_files
    trace exchange
    ingestion latency latency/estimators latency/measurement routing routing/learned scoring sql
    characterization simulation oracles calibration learning learning/lengths planning sweeping
    reporting words cli/terminal
cli/terminal: atomic errors execution words
__main__: cli
"""
"""Per folder, the folders that its files import from, beside itself: each of them, and no other."""

MADE_AT_RUN_TIME = {
    "execution/threads.py": "the libraries that compute on one thread",
}
"""Files that import names which no reader of the source can know, with the reason."""

DOOR = "__init__"
"""The package's own `__init__` imports every room, on first use; no room imports it."""


def allow_list(text: str) -> dict[str, set[str]]:
    joined = text.replace("\n    ", " ").split("\n")
    lines = [line.partition(":") for line in joined if line]
    return {folder: set(allowed.split()) for folder, _, allowed in lines}


def forbidden_imports(package: Path, allowed: dict[str, set[str]]) -> list[str]:
    """Report each import of a folder that its row does not name, and each folder without a row."""
    found = []
    for module in modules(package):
        if module.folder == DOOR:
            continue
        if module.folder not in allowed:
            found.append(f"{module}: the folder {module.folder} has no row")
            continue
        for folder, made in module.folders_imported():
            if folder != module.folder and folder not in allowed[module.folder]:
                there = folder or "the package's own door"
                found.append(f"{module}:{made.line} imports {made.name}, of {there}")
    return found


def unreadable_imports(package: Path, known: dict[str, str]) -> list[str]:
    """Report each import of a name that is made at run time, and each known one that is gone."""
    found = {
        str(module): made.line
        for module in modules(package)
        for made in module.imports
        if made.name == UNREADABLE
    }
    return [
        f"{name}:{line} imports a name that nobody can read"
        for name, line in found.items()
        if name not in known
    ] + [f"{name} can be read" for name in known if name not in found]


def unused_permissions(package: Path, allowed: dict[str, set[str]]) -> list[str]:
    """Report each entry of the allow list that no import needs."""
    used = {
        (module.folder, folder)
        for module in modules(package)
        for folder, _ in module.folders_imported()
    }
    return [
        f"{here}: {there} is never imported"
        for here, row in allowed.items()
        for there in sorted(row)
        if (here, there) not in used
    ]


def upward_permissions(allowed: dict[str, set[str]], floors: list[list[str]]) -> list[str]:
    """Report each entry of the allow list that goes up, or across to a sibling."""
    floor = {room: level for level, rooms in enumerate(floors) for room in rooms}
    found = []
    for here, row in allowed.items():
        room = here.split("/")[0]
        for there in sorted(row):
            other = there.split("/")[0]
            if room == other or room == "__main__" or floor[room] == floor[other] == 0:
                continue
            if floor[other] >= floor[room]:
                found.append(f"{here} may not be allowed {there}")
    return found


def test_each_folder_imports_what_its_row_allows():
    assert_none(forbidden_imports(PACKAGE, allow_list(ALLOWED)))


def test_every_import_can_be_read():
    assert_none(unreadable_imports(PACKAGE, MADE_AT_RUN_TIME))


def test_every_permission_is_used():
    assert_none(unused_permissions(PACKAGE, allow_list(ALLOWED)))


def test_every_permission_goes_down():
    floors = [line.split() for line in FLOORS.split("\n") if line]
    assert_none(upward_permissions(allow_list(ALLOWED), floors))


UPWARD = {"high/__init__.py": "", "high/rafters.py": "beam = 1"}
WAYS = {
    "a room": "from workloadlab.high import ceiling",
    "a module": "import workloadlab.high.rafters",
    "a room by the door": "from workloadlab import high",
    "inside a function": "def later():\n    from workloadlab.high.rafters import beam",
    "for types only": "if TYPE_CHECKING:\n    from workloadlab.high.rafters import beam",
    "by its name": "import_module('workloadlab.high.rafters')",
    "by a part of its name": "import_module(f'workloadlab.high.{name}')",
    "by a name given before": "name = f'workloadlab.high.{word}'\nimport_module(name)",
}


@pytest.mark.parametrize("text", WAYS.values(), ids=WAYS)
def test_an_import_upward_is_reported_wherever_it_stands(tmp_path, text):
    package = write_package(tmp_path, UPWARD | {"low/floor.py": text})
    [found] = forbidden_imports(package, {"low": set(), "high": {"low"}})
    assert "low/floor.py" in found
    assert "high" in found
    assert forbidden_imports(package, {"low": {"high"}, "high": set()}) == []


@pytest.mark.parametrize("text", ["import workloadlab as wl", "from workloadlab import replay"])
def test_an_import_of_the_door_is_reported(tmp_path, text):
    package = write_package(tmp_path, {"low/floor.py": text})
    [found] = forbidden_imports(package, {"low": set()})
    assert found.endswith("the package's own door")


def test_an_import_of_a_folder_within_the_room_is_reported(tmp_path):
    package = write_package(
        tmp_path,
        {"room/cellar/wine.py": "import workloadlab.room.attic.box", "room/attic/box.py": ""},
    )
    rows = {"room/cellar": {"room"}, "room/attic": set()}
    [found] = forbidden_imports(package, rows)
    assert found.endswith("of room/attic")


def test_a_relative_import_is_refused(tmp_path):
    package = write_package(tmp_path, {"low/floor.py": "from . import attic"})
    with pytest.raises(AssertionError, match="relative import"):
        forbidden_imports(package, {"low": set()})


def test_a_name_made_at_run_time_is_reported(tmp_path):
    package = write_package(tmp_path, {"low/floor.py": "import_module(name)"})
    assert unreadable_imports(package, {}) == ["low/floor.py:1 imports a name that nobody can read"]
    assert unreadable_imports(package, {"low/floor.py": "a reason"}) == []
    write_package(tmp_path, {"low/floor.py": "import_module(f'{__package__}.{name}')"})
    assert unreadable_imports(package, {}) == []
    assert unreadable_imports(package, {"low/floor.py": ""}) == ["low/floor.py can be read"]


def test_a_folder_without_a_row_is_reported(tmp_path):
    package = write_package(tmp_path, {"attic/box.py": ""})
    assert forbidden_imports(package, {}) == ["attic/box.py: the folder attic has no row"]


def test_a_permission_that_nobody_needs_is_reported(tmp_path):
    package = write_package(
        tmp_path,
        {"low/floor.py": "", "high/roof.py": "import workloadlab.low.floor"},
    )
    rows = {"low": {"high"}, "high": {"low"}}
    assert unused_permissions(package, rows) == ["low: high is never imported"]


def test_a_permission_upward_or_across_is_reported():
    floors = [["errors", "jit"], ["trace"], ["latency", "routing"]]
    assert upward_permissions({"trace": {"latency/estimators"}}, floors)
    assert upward_permissions({"latency/estimators": {"routing"}}, floors)
    assert upward_permissions({"routing": {"trace", "jit"}, "jit": {"errors"}}, floors) == []
