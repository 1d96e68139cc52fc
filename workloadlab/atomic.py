"""Files that appear whole or not at all, one writer each, and leftovers of dead writers collected."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from workloadlab.arguments import legible
from workloadlab.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_place", "made_folder", "remove_live", "scratch_folder", "write_atomically"]

SUFFIX = ".tmp"
_NO_LEAVE = {
    errno.EACCES: "no permission",
    errno.EPERM: "not permitted",
    errno.EROFS: "the file system is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
}
OWNER = "owner"
"""In a scratch folder, the file that its owner holds locked."""

_live: dict[Path, int] = {}
"""Temporary files and folders of this process, with the process that made them."""


def check_place(path: Path, *, folder: bool = False) -> None:
    """Refuse a place where a file cannot be written, before the work whose result it is.

    Args:
        path: of the file.
        folder: it is a folder, which may be made.

    Raises:
        UsageError: its name is no text; it is a folder where a file is wanted, a file where a folder
            is, or a device; or the folder that it lies in does not exist.
        MachineError: nothing can be written there.

    Example:
        >>> check_place(Path("/nowhere/a.json"))
        Traceback (most recent call last):
        workloadlab.errors.UsageError: the folder /nowhere does not exist
          fix: create it first
    """
    legible(path)
    wanted = "a folder" if folder else "a file to write"
    kind = "a folder" if path.is_dir() else "a file" if path.is_file() else "a device"
    if path.exists() and kind != ("a folder" if folder else "a file"):
        raise UsageError(f"{path} is {kind}", fix=f"give the name of {wanted}")
    above = path if path.is_dir() else path.parent
    if above.exists() and not above.is_dir():
        raise UsageError(f"{above} is a file, so nothing can lie in it", fix="name another place")
    if not above.is_dir():
        raise UsageError(f"the folder {above} does not exist", fix="create it first")
    from tempfile import TemporaryFile

    try:
        TemporaryFile(dir=above).close()
    except OSError as error:
        said = _NO_LEAVE.get(error.errno or 0, "it takes no files")
        raise MachineError(
            f"nothing can be written into {above}: {said}", fix="name another place"
        ) from error


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make a folder, and those that it lies in; if the block fails, remove those that stayed empty.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as above, suppress(KeyError):
        ...     with made_folder(Path(above, "a", "b")):
        ...         raise KeyError
        >>> Path(above, "a").exists()
        False
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # something lies in it
            for each in made:
                each.rmdir()
        raise


@contextmanager
def write_atomically(path: Path, *, folder: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it over `path` only if the block succeeds.

    An interrupted or failed block leaves the old file, or nothing. The temporary file is locked while
    its writer lives, so a second writer is told, and what a killed one left is removed by the next.
    A path that is itself temporary is written straight.

    Args:
        path: of the file.
        folder: what a second writer is told of, where the file is the last of a whole folder.

    Raises:
        UsageError: the folder of `path` does not exist, `path` is a folder or a device, or another
            process is writing it.
        MachineError: nothing can be written there.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with write_atomically(Path(folder, "a.txt")) as temporary:
        ...         _ = temporary.write_text("whole")
        ...     Path(folder, "a.txt").read_text()
        'whole'
    """
    check_place(path)
    if _live.get(path) == os.getpid():
        yield path
        return
    lefts = (path.parent.glob(f"{dots}{_plain(path.name)}.*{SUFFIX}") for dots in (".", ".."))
    for left in chain(*lefts):
        if _owned(left):
            raise UsageError(
                "is being written by another process", where=str(folder or path),
                fix=f"wait for it, or name another {'folder' if folder else 'file'}",
            )  # fmt: skip
        left.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{SUFFIX}")
    held = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    _live[temporary] = os.getpid()
    try:
        _lock(held)
        yield temporary
        temporary.replace(path)
    finally:
        _live.pop(temporary, None)
        temporary.unlink(missing_ok=True)
        os.close(held)


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Yield a folder that only this user can read, gone at the end; remove those of dead owners.

    Args:
        prefix: how its name begins.
        parent: where it is made; the machine's folder for temporary files by default.
    """
    from tempfile import gettempdir, mkdtemp

    parent = parent or Path(gettempdir())
    for left in parent.glob(f"{_plain(prefix)}*"):
        with suppress(FileNotFoundError):  # its owner removes it meanwhile
            mine = left.is_dir() and not left.is_symlink() and left.stat().st_uid == os.getuid()
            if mine and (left / OWNER).is_file() and not _owned(left / OWNER):
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(mkdtemp(prefix=prefix, dir=parent))
    _live[folder] = os.getpid()
    unlocked = folder / f"{OWNER}.new"
    held = os.open(unlocked, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(held)
        unlocked.rename(folder / OWNER)  # only now does it have an owner that could be dead
        yield folder
    finally:
        _live.pop(folder, None)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def remove_live() -> None:
    """Remove the temporary files of this process, which is about to end without a word."""
    for path, process in list(_live.items()):
        if process == os.getpid():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _lock(held: int) -> bool:
    """Take a file for this process; False where another has it. Without locks, nobody has."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _owned(path: Path) -> bool:
    """Say whether a living process holds a file."""
    try:
        held = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    try:
        return not _lock(held)
    finally:
        os.close(held)


def _plain(name: str) -> str:
    """Return a name for a glob pattern, its special signs taken as they are."""
    import glob

    return glob.escape(name)
