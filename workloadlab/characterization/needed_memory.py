"""How many rows of a trace memory holds while they are measured together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.errors import MachineError
from workloadlab.sizes import allowed_bytes, bytes_words

if TYPE_CHECKING:
    from workloadlab.trace import Trace

__all__ = ["rows_held"]

ROW_BYTES = 250
"""Of a row that is measured with all others: measured at 1 and 3 million rows with names and times."""

SESSION_BYTES = 150
"""Of a row of a session, beside."""

BLOCK_BYTES = 60
"""Of each use of a block, beside: measured at 46 million uses."""

PARTS_BYTES = 1_000_000_000
"""Of parts that are measured side by side, whatever the rows; over a year of them twice as much."""


def rows_held(trace: Trace, blocks: int, limit: int | str | None) -> int:
    """Return how many rows of a trace may be measured together.

    Args:
        trace: to be measured.
        blocks: uses of KV blocks that its file records.
        limit: bytes that its data may take, beyond the program itself; None for what this machine or
            container has.

    Raises:
        UsageError: the limit is no number of bytes.
        MachineError: the trace does not fit, and is no file, or parts of it would not fit either.
    """
    allowed = allowed_bytes(limit)
    each = ROW_BYTES + (SESSION_BYTES if "session_id" in trace.columns else 0)
    each += BLOCK_BYTES * blocks // max(trace.requests, 1)
    held = int(allowed // each)
    if trace.requests <= held:
        return held
    needs = f"measuring {trace.requests:,} rows needs about {bytes_words(trace.requests * each)}"
    may = f"and may use {bytes_words(allowed)}"
    if trace.path is None:
        raise MachineError(
            f"{needs} {may}", fix="save the trace and open the file, which is measured part by part"
        )
    if allowed < PARTS_BYTES:
        raise MachineError(
            f"{needs}, part by part about {bytes_words(PARTS_BYTES)}, {may}",
            fix="allow more with --memory-limit, or use a sample of the trace",
        )
    return held
