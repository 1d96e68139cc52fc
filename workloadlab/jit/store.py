"""Machine code on disk, in files that bear the stamp of the function.

A file is written once and never changed: two processes that compile at once write the same, and whoever
reads has the code of the very function, or none. (numba's own cache knows a function by its file, so it
goes on with old code when another file changes; and it puts new code for old into the same file, where
another process may take the one for the other.)
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import pickle
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from numba import config
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.runtime import rtsys
from numba.core.serialize import dumps
from numba.core.sigutils import normalize_signature

from workloadlab.jit.claims import Claim
from workloadlab.jit.folders import TAG, can_be_written, folders_of
from workloadlab.jit.stamps import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MachineCode", "told_of_misses"]

_SETTINGS = (
    "OPT",
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "USING_SVML",
)
"""What of numba's settings for a process makes other machine code of the same function."""


_EACH_START = "at each start, as no folder for machine code can be written: set WORKLOADLAB_CACHE"
_log = logging.getLogger("workloadlab")


_TOLD: ContextVar[Callable[[], None] | None] = ContextVar("told", default=None)


@contextmanager
def told_of_misses(tell: Callable[[], None] | None) -> Iterator[None]:
    """Call `tell` in a block whenever machine code is missing that will be stored."""
    token = _TOLD.set(tell)
    try:
        yield
    finally:
        _TOLD.reset(token)


class MachineCode(NullCache):  # type: ignore[misc]
    """The machine code of one function on disk, in the form in which numba asks for it.

    Attributes:
        source: the file that the function is written in.
    """

    def __init__(self, dispatcher: Any, signature: Any) -> None:
        self._dispatcher = dispatcher
        self._signature = signature
        self._claim: Claim | None = None
        self.source = Path(dispatcher.py_func.__code__.co_filename)

    @cached_property
    def base(self) -> str:
        """File, function and stamp: what all files of this machine code begin with.

        A function that is compiled at its first call is looked at anew, as numba does, since globals may
        have changed since the import.
        """
        fixed = self._signature is not None
        types = "" if not fixed else str(normalize_signature(self._signature))
        digits = stamp(self._dispatcher, types, known=None if fixed else {})
        return f"{self.source.stem}.{self._dispatcher.py_func.__qualname__}-{digits}"

    @property
    def cache_path(self) -> str:
        """Where numba's statistics say that it is."""
        return ", ".join(map(str, folders_of(self.source)))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled for a signature, or None if it is on no disk or cannot be read."""
        rtsys.initialize(target_context)
        name = self._file_name(sig, target_context.codegen())
        found = self._stored(name) or self._stored_meanwhile(name)
        return None if found is None else CompileResult._rebuild(target_context, *found)

    def _stored(self, name: str) -> Any:
        read = (_read(folder / name) for folder in folders_of(self.source))
        return next((found for found in read if found is not None), None)

    def _stored_meanwhile(self, name: str) -> Any:
        """Claim the making of what is missing; return what another process has stored until then."""
        folder, tell = self._writable(), _TOLD.get()
        _announce(folder is not None)
        if folder is None:
            return None
        if tell is not None:
            tell()
        self._claim = Claim.on(folder / f"{name}.lock")
        found = self._stored(name)
        if found is not None:
            self.end_claim()
        return found

    def end_claim(self) -> None:
        """Let others compile it, as at the end of a compilation that failed."""
        if self._claim is not None:
            self._claim.end()
        self._claim = None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store what was compiled for a signature, if a folder can be written."""
        try:
            self._save(sig, data)
        finally:
            self.end_claim()

    def _save(self, sig: Any, data: Any) -> None:
        folder = self._writable()
        if folder is None or data.library.has_dynamic_globals or any(data.lifted):
            return
        name = self._file_name(sig, data.codegen)
        try:
            _write(folder / name, dumps(data._reduce()))
        except OSError as error:
            _complain(str(error))

    def _file_name(self, sig: Any, codegen: Any) -> str:
        settings = [str(getattr(config, name, "")) for name in _SETTINGS]
        key = (str(normalize_signature(sig)), codegen.magic_tuple(), settings)
        return f"{self.base}.{TAG}.{hashlib.sha256(repr(key).encode()).hexdigest()[:8]}.nbc"

    def _writable(self) -> Path | None:
        origin = self.source.parent
        return next((f for f in folders_of(self.source) if can_be_written(f, origin)), None)


def _read(path: Path) -> Any:
    """Return the content of a file, or None if there is none or it is broken."""
    try:
        return pickle.loads(path.read_bytes())  # noqa: S301  # as trusted as the bytecode beside it
    except Exception:  # a broken pickle may raise anything
        return None


def _write(path: Path, content: bytes) -> None:
    """Write a file that is there as a whole or not at all."""
    draft = path.with_name(f"{path.name}.{uuid4().hex[:8]}.tmp")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


@cache
def _announce(kept: bool) -> None:
    """Say that machine code is made, which takes its time, and see at the end to what is old."""
    often = "kept for the next time" if kept else _EACH_START
    _log.warning("compiling what this needs of the simulator, up to half a minute, %s", often)
    if kept:
        from workloadlab.jit.pruning import prune

        atexit.register(prune)


@cache
def _complain(error: str) -> None:
    _log.warning("machine code cannot be kept: %s", error)
