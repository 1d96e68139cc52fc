"""A second process compiles what this one will want next, and is missed by nobody where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from workloadlab.jit import beside
from workloadlab.jit.store import told_of_misses

OTHER = """
from workloadlab.jit import entry

@entry("int64()")
def more():
    return 41
"""
BOTH = """
from workloadlab.jit import compiled_beside

with compiled_beside("room.{module}"):
    from room.outer import ask
from room.other import more
print(ask() + more(), sum(more.stats.cache_hits.values()))
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="one core"
)
def test_what_the_other_process_compiled_is_found(room):
    (room.folder / "room" / "other.py").write_text(OTHER)
    asked = room.ask(code=BOTH.format(module="other"))
    assert (asked.answer, asked.hits) == (42, 1)
    assert len(room.files()) == 2


def test_a_process_that_fails_changes_nothing(room):
    (room.folder / "room" / "other.py").write_text(OTHER)
    asked = room.ask(code=BOTH.format(module="nowhere"))
    assert (asked.answer, asked.hits) == (42, 0)


@pytest.fixture
def started(monkeypatch):
    """The processes that were started, which would run for a minute."""
    processes = []

    def start(module):
        processes.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return processes[-1]

    monkeypatch.setattr(beside, "_STARTED", {})
    monkeypatch.setattr(beside, "_importing", start)
    monkeypatch.setattr(beside.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    return processes


def missed():
    from workloadlab.jit import store

    store._TOLD.get()()


def test_it_starts_at_the_first_miss_and_ends_with_an_error(started):
    def compiling():
        with beside.compiled_beside("room.other"):
            assert started == []
            missed()
            missed()
            raise KeyError

    with pytest.raises(KeyError):
        compiling()
    assert len(started) == 1
    assert started[0].wait(10) != 0


def test_blocks_of_the_same_modules_share_a_process_and_the_last_waits(started):
    with beside.compiled_beside("room.other", waited=False):
        missed()
    assert started[0].poll() is None
    started[0].terminate()
    with beside.compiled_beside("room.other"):
        missed()
    assert len(started) == 1
    assert started[0].poll() is not None


def test_nobody_starts_where_nothing_is_missing(started):
    with beside.compiled_beside("room.other"):
        pass
    assert started == []


def test_one_core_has_no_second_process(started, monkeypatch):
    monkeypatch.setattr(beside.os, "sched_getaffinity", lambda _: {0})
    from workloadlab.jit import store

    with beside.compiled_beside("room.other"):
        assert store._TOLD.get() is None


def test_a_block_inside_another_hears_of_its_own_misses():
    heard = []
    with told_of_misses(lambda: heard.append("outer")):
        with told_of_misses(lambda: heard.append("inner")):
            missed()
        missed()
    assert heard == ["inner", "outer"]
