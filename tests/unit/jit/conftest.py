"""A room with two compiled functions in two files, run in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
NOBODY = 65534
ASK = "from room.outer import ask; print(ask(), sum(ask.stats.cache_hits.values()))"
INNER = """
from workloadlab.jit import inline

@inline
def answer():
    return {value}
"""
OUTER = """
from workloadlab.jit import entry
from room.inner import answer

@entry("int64()")
def ask():
    return answer()
"""


@dataclass(frozen=True)
class Asked:
    """What a process said: its answer, whether that came from a cache, and the lines of its log."""

    answer: int
    hits: int
    log: list[str]


@dataclass(frozen=True)
class Room:
    """A folder that anybody may read, with `room/inner.py`, which `room/outer.py` calls."""

    folder: Path
    bytecode: Path

    def write(self, value: int) -> None:
        inner = self.folder / "room" / "inner.py"
        inner.write_text(INNER.format(value=value))
        os.utime(inner, (value, value))  # Python's bytecode knows a file by its second

    def start(self, code: str = ASK, *, before: tuple[str, ...] = (), **environment: str):
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL")}
        return subprocess.Popen(
            [*before, sys.executable, "-c", code], cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**kept, "PYTHONPATH": str(REPOSITORY), "PYTHONPYCACHEPREFIX": str(self.bytecode),
                 "XDG_CACHE_HOME": str(self.folder / "home"), **environment},
        )  # fmt: skip

    def ask(self, **options) -> Asked:
        return self.heard(self.start(**options))

    @staticmethod
    def heard(process) -> Asked:
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        answer, hits = output.split()
        return Asked(int(answer), int(hits), errors.splitlines())

    def files(self, where: str = "room/__pycache__") -> list[str]:
        return sorted(file.name for file in (self.folder / where).rglob("*.nb*"))


@pytest.fixture(scope="session")
def bytecode():
    """A folder for Python's bytecode, numba's too, that anybody may read."""
    folder = Path(tempfile.mkdtemp(prefix="bytecode-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def room(bytecode):
    with made_room(bytecode) as made:
        yield made


@contextmanager
def made_room(bytecode):
    folder = Path(tempfile.mkdtemp(prefix="room-"))
    folder.chmod(0o755)
    (folder / "room").mkdir()
    (folder / "room" / "outer.py").write_text(OUTER)
    made = Room(folder, bytecode)
    made.write(1)
    yield made
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def nobody(bytecode):
    """Options of a process of another user, none if this user is not root, or why there are none."""
    if os.geteuid() != 0:
        return {}
    if shutil.which("setpriv") is None:
        return "there is no setpriv"
    options = {"before": ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")}
    with made_room(bytecode) as room:
        tried = room.start("import workloadlab.jit", **options)
        tried.communicate()
    return options if tried.returncode == 0 else "another user cannot read Python or the repository"


@pytest.fixture
def as_nobody(room, nobody):
    """Options of a process that can write neither sources nor what lies beside them, or a skip."""
    if isinstance(nobody, str):
        pytest.skip(nobody)
    if not nobody:
        (room.folder / "room" / "__pycache__").mkdir()
        (room.folder / "room" / "__pycache__").chmod(0o555)
    return nobody
