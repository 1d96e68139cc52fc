"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


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
