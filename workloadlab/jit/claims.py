"""While one process compiles a function, others wait for its machine code."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Claim"]

PATIENCE_S = 300.0
"""Whoever has waited for so long compiles too."""
_PAUSE_S = 0.02


@dataclass(frozen=True)
class Claim:
    """A file that one process has locked; it ends with the process, if not before.

    Attributes:
        path: of the file, which is empty.
        file: the same, open.
    """

    path: Path
    file: IO[bytes]

    @classmethod
    def on(cls, path: Path) -> Claim | None:
        """Make and lock a file, once no other process holds it.

        None where there can be no file or no lock, or patience ended.
        """
        until = time.monotonic() + PATIENCE_S
        try:
            import fcntl

            file = path.open("wb")
        except (ImportError, OSError):  # Windows has no such locks
            return None
        while time.monotonic() < until:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_PAUSE_S)
            except OSError:
                break
            else:
                return cls(path, file)
        file.close()
        return None

    def end(self) -> None:
        """Remove the file, so that others may claim it."""
        self.path.unlink(missing_ok=True)
        self.file.close()
