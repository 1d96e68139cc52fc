"""What the machine does to a command: it lacks room, memory or leave, or tells it to end."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import threading
from typing import TYPE_CHECKING

from workloadlab.atomic import remove_live
from workloadlab.errors import DataError, MachineError, WorkloadlabError

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["end_on_signals", "machine_error", "refuse_narrow_address_space"]

PATIENCE_S = 1.5
"""How long an end may take; then its files are removed and the process stops at once."""

LEAST_ADDRESS_SPACE = 2 * 10**9

_LESS_MEMORY = (
    "free memory, allow more, or ask for less at a time: --threads 1, fewer routers or rates"
)
_SAID: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", "free some space, or write elsewhere"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, or write elsewhere"),
    errno.EACCES: ("no permission", "change the permissions, or name another place"),
    errno.EPERM: ("not permitted", "change the permissions, or name another place"),
    errno.EROFS: ("the file system is read-only", "write elsewhere"),
    errno.ENOENT: ("no such file or folder", "check the path; something removed it meanwhile"),
    errno.EIO: ("the disk cannot be read or written", "check the disk"),
    errno.EMFILE: ("too many open files", "raise the limit (ulimit -n), or read fewer files"),
    errno.ENFILE: ("too many open files on this machine", "close some"),
    errno.ENOMEM: ("not enough memory", _LESS_MEMORY),
    errno.EFBIG: ("a file would be larger than allowed", "raise the limit (ulimit -f)"),
    errno.ENAMETOOLONG: ("a file name is too long", "use a shorter name"),
    errno.ELOOP: ("links lead in a circle", "mend the links"),
    errno.ENOTDIR: ("a part of the path is no folder", "check the path"),
    errno.ETXTBSY: ("the file is in use", "close it"),
    errno.EBUSY: ("the file is in use", "close it"),
    errno.EAGAIN: ("no more threads or processes may be started", "raise the limit (ulimit -u)"),
}
_OS_ERROR = re.compile(r"os error (\d+)")
_NO_MEMORY = re.compile(r"memory allocation|out of memory|failed to allocate|cannot allocate", re.I)
_NO_THREAD = re.compile(r"can't start new thread|failed to spawn|thread creation", re.I)


def machine_error(error: BaseException | None) -> WorkloadlabError | None:
    """Return the sentence for an error that is no mistake of ours; None for one that is.

    Polars tells the number of an error of the operating system in its text only.

    Example:
        >>> print(machine_error(OSError(28, "No space left on device", "/data/a.trace")))
        /data/a.trace: the disk is full
          fix: free some space, or write elsewhere
        >>> machine_error(KeyError("a")) is None
        True
    """
    if error is None:
        return None
    text = str(error)
    if isinstance(error, RecursionError):
        return DataError("a value is nested too deeply", fix="flatten it, or leave it out")
    if isinstance(error, MemoryError) or _NO_MEMORY.search(text):
        return MachineError("not enough memory", fix=_LESS_MEMORY)
    if _NO_THREAD.search(text):
        return MachineError(*_SAID[errno.EAGAIN][:1], fix=_SAID[errno.EAGAIN][1])
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := _OS_ERROR.search(text)):
        number = int(found[1])
    if number is not None:
        what, fix = _SAID.get(number, (os.strerror(number), "see the system's log"))
        if _of_results(error):
            return MachineError(f"standard output takes no more: {what}", fix="send it elsewhere")
        where = getattr(error, "filename", None)
        return MachineError(what, where=None if where is None else str(where), fix=fix)
    if type(error).__name__ == "PanicException":
        return DataError(
            f"a file is damaged in a way that its reader does not know ({text[:120]})",
            fix="make the file again; if it is whole, this is a bug",
        )
    return machine_error(error.__cause__)


def _of_results(error: BaseException) -> bool:
    """Say whether an error arose in writing to standard output, which the system does not tell."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    file = trace.tb_frame.f_locals.get("file") if trace else None
    return (
        file is not None
        and file is not sys.stderr
        and hasattr(file, "fileno")
        and file.fileno() == 1
    )


def refuse_narrow_address_space() -> None:
    """Refuse an address space in which the threads of the libraries may wait for ever.

    Polars, numba and their threads reserve about 1.5 GB, whatever they use. With less, a thread that
    cannot start leaves others waiting for it in native code, where no signal reaches them.

    Raises:
        MachineError: the soft limit is under `LEAST_ADDRESS_SPACE`.
    """
    try:
        import resource
    except ImportError:
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < LEAST_ADDRESS_SPACE:
        raise MachineError(
            f"the address space of this process is limited to {limit / 1e9:.1f} GB, and its libraries "
            f"reserve more than {LEAST_ADDRESS_SPACE / 1e9:.0f} GB of it",
            fix="raise the limit (ulimit -v unlimited); to bound the memory in use, limit the container",
        )


def end_on_signals() -> None:
    """On SIGTERM end with 143, on SIGINT with 130, within two seconds and without leftovers.

    A signal's handler runs between two lines of Python; native code may keep it waiting. So a thread
    hears of the signal too, and ends the process where the main thread does not.
    """
    if threading.current_thread() is not threading.main_thread() or os.name != "posix":
        return
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(heard,), daemon=True, name="signals").start()


def _terminate(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def _watch(heard: int) -> None:
    """Wait for a signal that ends the process, then for its end."""
    ends = {signal.SIGTERM, signal.SIGINT}
    while data := os.read(heard, 1):
        if data[0] in ends:
            threading.Event().wait(PATIENCE_S)
            remove_live()
            os._exit(128 + data[0])
