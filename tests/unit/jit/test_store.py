"""Machine code is kept where it can be, found again, and never taken for that of another function."""

from __future__ import annotations

import os

import numba
import pytest
from numba.core import caching

import workloadlab.jit  # noqa: F401

ONCE = "compiling what this needs of the simulator, up to half a minute, kept for the next time"
EACH = (
    "compiling what this needs of the simulator, up to half a minute, at each start, as no folder for "
    "machine code can be written: set WORKLOADLAB_CACHE"
)


NO_COMPILER = (
    "import sys; from room.outer import ask; answer = ask(); "
    "print(answer, int('numba.np.arraymath' in sys.modules))"
)


def test_machine_code_is_made_once_and_again_after_an_edit(room):
    first, second = room.ask(), room.heard(room.start(NO_COMPILER))
    assert (first.answer, first.hits, first.log) == (1, 0, [ONCE])
    assert (second.answer, second.hits, second.log) == (1, 0, []), "it starts no compiler"
    inner = room.folder / "room" / "inner.py"
    inner.write_text(f"# why this number\n\n{inner.read_text()}")
    assert room.ask().hits == 1, "a comment makes nothing anew"
    room.write(2)
    third = room.ask()
    assert (third.answer, third.hits, third.log) == (2, 0, [ONCE])


def test_a_broken_file_is_made_anew(room):
    room.ask()
    for content in (b"", b"what", b"\x80\x04N."):
        (name,) = room.files()
        (room.folder / "room" / "__pycache__" / name).write_bytes(content)
        asked = room.ask()
        assert (asked.answer, asked.hits) == (1, 0), content
    assert room.ask().hits == 1


def test_processes_may_compile_at_once(room):
    heard = [room.heard(process) for process in [room.start() for _ in range(3)]]
    assert [one.answer for one in heard] == [1, 1, 1]
    assert sum(one.hits for one in heard) == 2, "one compiles, the others wait for it"
    assert all(one.log in ([ONCE], []) for one in heard)
    assert len(room.files()) == 1
    assert room.ask().log == []


def test_a_package_that_cannot_be_written_leaves_the_users_cache_folder(room, as_nobody):
    home = room.folder / "home"
    home.mkdir(mode=0o700)
    if "before" in as_nobody:
        os.chown(home, 65534, 65534)
    first, second = room.ask(**as_nobody), room.ask(**as_nobody)
    assert (first.answer, first.log) == (1, [ONCE])
    assert (second.answer, second.hits, second.log) == (1, 1, [])
    assert (home / "workloadlab").stat().st_mode & 0o777 == 0o700
    assert not room.files()


def test_no_folder_at_all_is_said_in_one_sentence(room, as_nobody):
    environment = {"XDG_CACHE_HOME": "", "HOME": str(room.folder / "nowhere")}
    for _ in range(2):
        asked = room.ask(**as_nobody, **environment)
        assert (asked.answer, asked.hits, asked.log) == (1, 0, [EACH])


def test_a_user_without_a_home_needs_none(room, as_nobody):
    environment = {"XDG_CACHE_HOME": ""}  # HOME is unset
    asked = room.ask(**as_nobody, **environment)
    assert asked.answer == 1
    assert len(asked.log) == 1


def test_what_another_user_has_made_is_read_where_nothing_can_be_written(room, as_nobody):
    if "before" not in as_nobody:
        pytest.skip("one user only")
    room.ask()
    asked = room.ask(**as_nobody, XDG_CACHE_HOME="", HOME="/nowhere")
    assert (asked.answer, asked.hits, asked.log) == (1, 1, [])


def test_a_cache_folder_that_others_may_write_is_not_trusted(room, as_nobody):
    shared = room.folder / "home" / "workloadlab"
    shared.mkdir(parents=True)
    shared.chmod(0o777)
    if "before" in as_nobody:
        os.chown(shared, 65534, 65534)
    assert room.ask(**as_nobody).log == [EACH]
    assert not [*shared.iterdir()]


@pytest.mark.parametrize("name", ["WORKLOADLAB_CACHE", "NUMBA_CACHE_DIR"])
def test_a_folder_that_the_user_names_is_the_only_one(room, name):
    environment = {name: str(room.folder / "mine")}
    assert room.ask(**environment).log == [ONCE]
    assert room.ask(**environment).hits == 1
    assert len(room.files("mine")) == 1
    assert not room.files()


def test_a_setting_that_makes_other_code_finds_none_of_ours(room):
    room.ask()
    assert room.ask(NUMBA_BOUNDSCHECK="1").hits == 0
    assert room.ask().hits == 1


def test_nothing_changes_for_functions_that_users_compile():
    assert [one.__name__ for one in caching.CacheImpl._locator_classes][:2] == [
        "UserProvidedCacheLocator", "InTreeCacheLocator"
    ]  # fmt: skip
    assert os.environ.get("NUMBA_CACHE_DIR", "") == numba.config.CACHE_DIR
    assert not numba.config.CACHE_LOCATOR_CLASSES


def test_a_disk_that_is_full_costs_no_result(room):
    code = (
        "import errno, workloadlab.jit.store as store\n"
        "def full(*_): raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "store._write = full\n"
        "from room.outer import ask; print(ask(), 0)"
    )
    asked = room.heard(room.start(code))
    assert asked.answer == 1
    assert asked.log[0] == ONCE
    assert asked.log[1:] == ["machine code cannot be kept: [Errno 28] No space left on device"]
    assert not room.files()
