"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

REPOSITORY = Path(__file__).resolve().parent.parent


pytest.register_assert_rewrite("support")
settings.register_profile("fixed", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("fuzz", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
"""A busy machine is no failure, and neither is a draw that nobody can repeat: `make test` draws the same
inputs each time, and half as many as `make fuzz`, which draws others."""

if settings.get_current_profile_name() == "fixed":
    # Hypothesis draws constants of all modules that a worker happens to have imported (6.131 and later).
    providers._get_local_constants = lambda: providers._local_constants


PLAIN = (str, int, float, complex, type(None), type, FunctionType, dict, list, tuple)


def pytest_make_parametrize_id(config: Any, val: object, argname: str) -> None:
    """Ask for an id by hand where pytest would make one of bytes, a path, a time or an object.

    Workers must collect the same tests, and such an id may hold the second or the place of the import.
    """
    if not isinstance(val, PLAIN):
        raise pytest.UsageError(f"{argname} = {val!r}: give this parameter an id by hand")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real traces and timings; a test that needs it skips where it is absent."""
    folder = Path(os.environ.get("WORKLOADLAB_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist (set WORKLOADLAB_DATA)")
    return folder


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of sample logs that ship with the project."""
    return REPOSITORY / "traces"
