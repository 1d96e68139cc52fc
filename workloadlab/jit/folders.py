"""Where machine code may lie on this machine."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from functools import cache
from pathlib import Path

import numba

__all__ = ["ORIGIN", "TAG", "beside", "can_be_written", "folders_of", "kept_in", "shared"]

TAG = f"py{sys.version_info[0]}{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
"""The part of a file's name that says for which Python it is."""

ORIGIN = "workloadlab-sources.txt"
"""The file that says where the source of a folder's machine code lies, if it is not beside it."""


def folders_of(source: Path) -> list[Path]:
    """Return the folders for machine code of a source file, the best first.

    The one that WORKLOADLAB_CACHE or NUMBA_CACHE_DIR names; else, and only else, that of Python's own
    bytecode beside the source, and the user's cache folder.
    """
    base = shared()
    apart = [] if base is None else [base / _name(source.parent)]
    return apart if _chosen() else [beside(source.parent), *apart]


def kept_in() -> Path | None:
    """Return the folder in which the machine code of this room would be kept; None for nowhere."""
    source = Path(__file__)
    found = (each for each in folders_of(source) if can_be_written(each, source.parent))
    return next(found, None)


def beside(folder: Path) -> Path:
    """Return the folder for bytecode of the sources in a folder."""
    return folder / "__pycache__"


@cache
def shared() -> Path | None:
    """Return the folder for machine code of all sources, one folder each, if there is one to be trusted.

    The user's own is not, if somebody else can write there: it holds code.
    """
    chosen = _chosen()
    if chosen:
        return Path(chosen).absolute()
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111  # Path raises where there is no home
    folder = Path(home) / "workloadlab"
    if not folder.is_absolute():
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.stat()
    except OSError:
        return None
    owner = getattr(os, "geteuid", lambda: facts.st_uid)()
    return folder if facts.st_uid == owner and not facts.st_mode & 0o022 else None


@cache
def can_be_written(folder: Path, origin: Path) -> bool:
    """Make a folder for machine code of the sources in `origin`; say whether it can be written."""
    try:
        if folder != beside(origin):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / ORIGIN).write_text(str(origin))
        folder.mkdir(exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _chosen() -> str:
    return os.environ.get("WORKLOADLAB_CACHE") or numba.config.CACHE_DIR or ""


def _name(folder: Path) -> str:
    return f"{folder.name}_{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
