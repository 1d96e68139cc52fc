"""What one process has claimed others wait for, but not for ever."""

from __future__ import annotations

import subprocess
import sys

import pytest

from workloadlab.jit import claims
from workloadlab.jit.claims import Claim


@pytest.fixture
def other(tmp_path):
    """A process that holds a claim until it is killed."""
    code = (
        "import sys, time; from pathlib import Path; from workloadlab.jit.claims import Claim;"
        "held = Claim.on(Path(sys.argv[1])); print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "one.lock")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_claim_ends_with_its_process(other, tmp_path, monkeypatch):
    monkeypatch.setattr(claims.time, "sleep", lambda _: other.kill())
    Claim.on(tmp_path / "one.lock").end()
    assert other.wait() != 0, "it was waited for"


def test_patience_ends(other, tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "PATIENCE_S", 0.05)
    assert Claim.on(tmp_path / "one.lock") is None
    assert other.poll() is None


def test_what_is_ended_leaves_no_file_and_can_be_claimed(tmp_path):
    for _ in range(2):
        one = Claim.on(tmp_path / "one.lock")
        assert [*tmp_path.iterdir()] == [one.path]
        one.end()
    assert not [*tmp_path.iterdir()]


def test_where_nothing_can_be_written_nobody_waits(tmp_path):
    assert Claim.on(tmp_path / "nowhere" / "one.lock") is None


def test_where_the_system_has_no_locks_nobody_waits(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert Claim.on(tmp_path / "one.lock") is None
    assert not [*tmp_path.iterdir()]
