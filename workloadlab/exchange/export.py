"""`export`: a trace to the file of another tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.arguments import checked, file_path
from workloadlab.errors import UsageError
from workloadlab.exchange.targets import TARGETS
from workloadlab.hints import did_you_mean
from workloadlab.trace import COLUMNS, Trace, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.exchange.targets import Target
    from workloadlab.trace import AnyTrace

__all__ = ["Exported", "export", "losses"]

OURS = ("row_id", "source_format", "run_id", "warmup", "flags", "block_size")
"""Columns that describe the row or the trace, not the request."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the file.
        requests: its rows.
        target: the tool.
        lost: by column of the trace, what the file does not hold of it.
    """

    path: Path
    requests: int
    target: str
    lost: dict[str, str]


@checked
def export(trace: AnyTrace, path: str | Path, format: str = "mooncake") -> Exported:  # noqa: A002
    """Write a trace as the file that another tool replays, whole or not at all.

    Args:
        trace: needs arrivals and lengths; a trace, its path, or a frame.
        path: the file to write.
        format: a name of `workloadlab.exchange.TARGETS`.

    Returns:
        The path, the number of requests, and what the file cannot hold of this trace.

    Raises:
        UsageError: no such format.
        UnsupportedError: the trace has no arrivals or lengths.

    Example:
        >>> import tempfile
        >>> trace = Trace.of([(0, 10, 5), (0.25, 20, 6)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     done = export(trace, f"{folder}/x.csv", "vidur")
        ...     print(done.path.read_text(), end="")
        arrived_at,num_prefill_tokens,num_decode_tokens
        0.0,10,5
        0.25,20,6
    """
    trace, path = Trace.open(trace), file_path("path", path)
    target = _named(format)
    trace.require("arrivals", "an export")
    trace.require("lengths", "an export")
    filled = [
        pl.col(name) if name in trace.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in COLUMNS.items()
    ]
    keys = [
        key.value.alias(name)
        for name, key in target.keys.items()
        if not key.optional or trace.has(key.column)
    ]
    rows = trace.frame.select(filled).select(keys).collect()
    with write_atomically(path) as temporary:
        if target.kind == "csv":
            rows.write_csv(temporary)
        else:
            rows.write_ndjson(temporary)
    if target.header:
        with write_atomically(path.with_name(f"{path.name}.yaml")) as temporary:
            temporary.write_text(target.header, encoding="utf-8")
    return Exported(path, rows.height, target.name, losses(trace, target))


def losses(trace: Trace, target: Target) -> dict[str, str]:
    """Return what the target's file does not hold of a trace, by column."""
    held = {key.column for key in target.keys.values()}
    lost = {
        name: "no key for it"
        for name in trace.columns
        if name not in OURS and name not in held and trace.has(name)
    }
    limits = {name: said for name, said in target.limits.items() if trace.has(name)}
    return {name: said for name, said in (lost | limits).items() if said}


def _named(name: str) -> Target:
    for target in TARGETS:
        if target.name == name:
            return target
    raise UsageError(
        f"nothing exports to {name!r}", fix=did_you_mean(name, [each.name for each in TARGETS])
    )
