"""Old machine code is removed, and only that."""

from __future__ import annotations

import os
import time

from workloadlab.jit.folders import ORIGIN
from workloadlab.jit.store import TAG

RENAMED = """
from workloadlab.jit import entry

@entry("int64()")
def asked():
    return 3

"""
PRUNED = (
    "outer.ask_0123456789abcdef-7.py311.nbi", "outer.ask-7.py311.1.nbc", "gone.ask-7.py311.nbi",
    "gone.ask-0123456789abcdef.py311.01234567.nbc", "outer.ask-0123456789abcdef.py311.01234567.nbc",
    "outer.asked-0123456789abcdef.py311.01234567.nbc",
    "inner.answer-0123456789abcdef.py311.01234567.nbc",
    "outer.ask-0123456789abcdef.py311.01234567.nbc.0123abcd.tmp",
)  # fmt: skip
KEPT = (
    "outer.ask-0123456789abcdef.py39.01234567.nbc",
    "other.ask-0123456789abcdef.py311.01234567.nbc",
    "outer.ask-fedcba9876543210.py311.01234567.nbc.0123abcd.tmp", "something.nbc",
)  # fmt: skip


NEW = "outer.ask-0123456789abcdef.py311.01234567.nbc"


def lay(folder, names, seconds_ago):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / tagged(name)).touch()
        moment = time.time() - seconds_ago
        os.utime(folder / tagged(name), (moment, moment))


def tagged(name):
    return name.replace("py311", TAG)


def test_what_is_of_no_function_goes_when_something_is_compiled(room):
    cache = room.folder / "mine"
    environment = {"WORKLOADLAB_CACHE": str(cache)}
    room.ask(**environment)
    (folder,) = cache.iterdir()
    (room.folder / "room" / "other.py").touch()
    (own,) = folder.glob("outer.ask-*")
    lay(folder, PRUNED, 7200)
    lay(folder, KEPT, 60)
    room.ask(**environment)
    assert {file.name for file in folder.glob("*.nb*")} >= set(map(tagged, PRUNED))
    room.write(2)
    os.utime(own, (0, 0))
    room.ask(**environment)
    (new,) = {file.name for file in folder.glob("*.nb*")} - set(map(tagged, KEPT))
    assert new.startswith("outer.ask-")
    assert new != own.name


def test_younger_machine_code_stays_as_this_process_may_be_the_old_one(room):
    environment = {"WORKLOADLAB_CACHE": str(room.folder / "mine")}
    room.ask(**environment)
    (folder,) = (room.folder / "mine").iterdir()
    lay(folder, PRUNED[:-1], -60)
    room.write(2)
    room.ask(**environment)
    assert {file.name for file in folder.glob("*.nb*")} >= set(map(tagged, PRUNED[:-1]))


def test_a_folder_whose_sources_are_gone_goes_but_for_what_is_of_others(room):
    cache = room.folder / "mine"
    gone, shared, others = (cache / name for name in ("gone_01234567", "shared", "others"))
    for folder in (gone, shared, others):
        lay(folder, [NEW], 60)
    for folder in (shared, others):
        (folder / "origin").write_text("of somebody else")
    for folder in (gone, shared):
        (folder / ORIGIN).write_text(str(room.folder / "gone"))
    room.ask(WORKLOADLAB_CACHE=str(cache))
    assert not gone.exists()
    assert [file.name for file in shared.iterdir()] == ["origin"]
    assert {file.name for file in others.iterdir()} == {"origin", tagged(NEW)}


def test_a_function_that_is_called_otherwise_leaves_nothing(room):
    environment = {"WORKLOADLAB_CACHE": str(room.folder / "mine")}
    room.ask(**environment)
    (room.folder / "room" / "outer.py").write_text(RENAMED)
    code = "from room.outer import asked; print(asked(), 0)"
    assert room.heard(room.start(code, **environment)).answer == 3
    (left,) = room.files("mine")
    assert left.startswith("outer.asked-")
