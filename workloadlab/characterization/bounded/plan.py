"""What is known of a trace before its rows are read: its row groups, its clock's ends, its parts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from workloadlab.characterization.bounded.groups import (
    Group,
    count_blocks,
    count_groups,
    count_rows,
    filled_columns,
    frequent_names,
    last_row_id,
    read_counts,
)
from workloadlab.characterization.topics.tenants import PARTIES
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.shapes import build
from workloadlab.trace import read_parts

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.trace import Trace

__all__ = ["PART_ROWS", "Part", "Plan", "make_plan", "stored_blocks", "stored_rows"]

PART_ROWS = 16_000_000
"""Rows that one part holds, about."""

CLOSELY = (*PARTIES, "instance_id")
MINUTE_NS = 60_000_000_000


@dataclass(frozen=True)
class Part:
    """A stretch of the trace, from one full minute since the first arrival to another.

    Attributes:
        start_ns, stop_ns: arrivals in [start, stop), from the trace's t0.
        first_row, first_output: how many measured rows, and recorded outputs, come before it.
        previous_ns: the last measured arrival before it; None in the first part.
        previous_row_id: of the last row before it, measured or not.
    """

    start_ns: int
    stop_ns: int
    first_row: int
    first_output: int
    previous_ns: int | None
    previous_row_id: int | None


@dataclass(frozen=True)
class Plan:
    """How a trace is measured part by part.

    Two plans of one trace are equal, wherever they are made; only `files` may differ.

    Attributes:
        files: the Parquet files of the trace.
        groups: their row groups, in order of arrival.
        rows: of the trace; `requests` of them are measured, `outputs` of those record an output.
        first_ns, last_ns: first and last measured arrival.
        filled: columns that hold a value.
        frequent: by column of names, those that are looked at closely: most frequent in a sample.
        t0_unix_ns: absolute time of t0, where the source had one.
        parts: the parts; `measure` takes one by its place here.
    """

    files: tuple[str, ...]
    groups: tuple[Group, ...]
    rows: int
    requests: int
    outputs: int
    first_ns: int
    last_ns: int
    filled: tuple[str, ...]
    frequent: dict[str, tuple[str, ...]]
    t0_unix_ns: int | None
    parts: tuple[Part, ...]

    @property
    def span_ns(self) -> int:
        """Nanoseconds from the first to the last measured arrival."""
        return self.last_ns - self.first_ns

    @cached_property
    def key(self) -> str:
        """Digest of all but the place of the files: partial results of one key may be merged."""
        facts = {name: value for name, value in self.to_dict().items() if name != "files"}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Plan:
        """Read what `to_dict` wrote."""
        plan: Plan = build(cls, facts, "plan")
        return plan


def make_plan(trace: Trace, *, part_rows: int = PART_ROWS) -> Plan:
    """Read the footers of a trace's files, and cut it into parts of about `part_rows` rows.

    Raises:
        UsageError: the trace is no file, or a part of no rows.
        UnsupportedError: no request is measured, or none has an arrival.
    """
    if trace.path is None:
        raise UsageError("this trace is no file", fix="save it first: trace.save('FILE.trace')")
    if part_rows < 1:
        raise UsageError(f"parts of {part_rows} rows", fix="use 1 or more")
    path, files = trace.path, _files(trace.path)
    found, filled = count_groups(files), filled_columns(files)
    groups = tuple(sorted(found, key=lambda group: (group.counts.first_ns, group.counts.last_ns)))
    firsts = [g.counts.first_measured_ns for g in groups if g.counts.first_measured_ns is not None]
    lasts = [g.counts.last_measured_ns for g in groups if g.counts.last_measured_ns is not None]
    if not firsts:
        raise UnsupportedError("no request is measured", where=str(path))
    return Plan(
        files=files,
        groups=groups,
        rows=sum(group.rows for group in groups),
        requests=sum(group.counts.requests for group in groups),
        outputs=sum(group.counts.outputs for group in groups),
        first_ns=min(firsts),
        last_ns=max(lasts),
        filled=filled,
        frequent=frequent_names(files, groups, [name for name in CLOSELY if name in filled]),
        t0_unix_ns=trace.provenance.t0_unix_ns,
        parts=_cut(files, groups, min(firsts), part_rows),
    )


def stored_rows(trace: Trace) -> int:
    """Return how many rows the files of a trace hold, by their footers; 0 for what is no file."""
    return 0 if trace.path is None else count_rows(_files(trace.path))


def stored_blocks(trace: Trace) -> int:
    """Return how many uses of KV blocks the files of a trace record; 0 for what is no file."""
    return 0 if trace.path is None else count_blocks(_files(trace.path))


def _files(path: Path) -> tuple[str, ...]:
    return tuple(str(path / part.file) for part in read_parts(path)) or (str(path),)


def _cut(
    files: tuple[str, ...], groups: tuple[Group, ...], first_ns: int, part_rows: int
) -> tuple[Part, ...]:
    """Cut at full minutes since the first arrival, so that no minute lies in two parts."""
    cuts, rows = [groups[0].counts.first_ns], 0
    for group in groups:
        minutes = (group.counts.first_ns - first_ns) // MINUTE_NS
        cut = first_ns + minutes * MINUTE_NS
        if rows >= part_rows and cut > max(cuts[-1], first_ns):
            cuts.append(cut)
            rows = 0
        rows += group.rows
    ends = [*cuts, max(group.counts.last_ns for group in groups) + 1]
    return tuple(_part(files, groups, start, stop) for start, stop in pairwise(ends))


def _part(files: tuple[str, ...], groups: tuple[Group, ...], start_ns: int, stop_ns: int) -> Part:
    earlier = [group for group in groups if group.counts.first_ns < start_ns]
    counts = [
        group.counts
        if group.counts.last_ns < start_ns
        else read_counts(files[group.file], group.place, start_ns)
        for group in earlier
    ]
    last_ns = max((each.last_ns for each in counts), default=None)
    ends = [
        last_row_id(files[group.file], group.place, start_ns)
        for group, each in zip(earlier, counts, strict=True)
        if each.last_ns == last_ns
    ]
    measured = [each.last_measured_ns for each in counts if each.last_measured_ns is not None]
    return Part(
        start_ns=start_ns,
        stop_ns=stop_ns,
        first_row=sum(each.requests for each in counts),
        first_output=sum(each.outputs for each in counts),
        previous_ns=max(measured, default=None),
        previous_row_id=max(ends)[1] if ends else None,
    )
