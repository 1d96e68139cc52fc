"""The lock file and the lowest versions follow pyproject.toml."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SCRIPT = runpy.run_path(str(Path(__file__).with_name("lowest.py")))
ROOT, declared, lowest = SCRIPT["ROOT"], SCRIPT["declared"], SCRIPT["lowest"]
LOCK = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().splitlines()[1:])


def test_the_lock_names_every_library_in_a_version_that_is_allowed():
    for line in declared():
        wanted = Requirement(line)
        assert wanted.specifier.contains(LOCK[canonicalize_name(wanted.name)]), line


@pytest.mark.parametrize(
    ("requirement", "version"),
    [("click>=8.2", "click==8.2.*"), ("axe-playwright-python>=0.1.8", "axe-playwright-python==0.1.8"),
     ("pyarrow>=23", "pyarrow==23.*")],
)  # fmt: skip
def test_the_lowest_version_is_a_whole_series_or_one_release(requirement, version):
    assert lowest([requirement]) == [version]


def test_every_declared_library_has_a_lowest_version():
    assert len(lowest(declared())) == len(declared())
    assert all(re.search(r"==\d", line) for line in lowest(declared()))
