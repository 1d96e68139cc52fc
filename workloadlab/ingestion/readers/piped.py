"""A log that comes through stdin, kept in a file: it is read more than once."""

from __future__ import annotations

import os
import select
import sys
from typing import TYPE_CHECKING

from workloadlab.errors import MachineError, UsageError
from workloadlab.ingestion.readers.limits import limit

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["keep_stdin"]

BLOCK_BYTES = 1 << 20
SILENCE = "seconds without a byte"


def keep_stdin(target: Path) -> Path:
    """Write what comes through stdin to a file.

    Raises:
        UsageError: stdin is a terminal.
        MachineError: whoever writes stays silent for too long.
    """
    if sys.stdin.isatty():
        raise UsageError(
            "stdin is a terminal, through which no log comes",
            fix="send it a log: zcat log.gz | workloadlab ingest -",
        )
    source = sys.stdin.fileno()
    with target.open("wb") as file:
        while block := _next(source):
            file.write(block)
    return target


def _next(source: int) -> bytes:
    most = limit(SILENCE)
    ready, _, _ = select.select([source], [], [], most)
    if not ready:
        raise MachineError(
            f"no byte came through stdin for {most:.0f} s",
            fix="check the command that writes to it; --no-limits goes on waiting",
        )
    return os.read(source, BLOCK_BYTES)
