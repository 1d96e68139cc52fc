"""The rows of a part as arrays, a row group's worth at a time and in order of arrival."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    import pyarrow.parquet as pq
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.groups import Group
    from workloadlab.characterization.bounded.plan import Part, Plan

__all__ = ["NAMES", "NULL", "NUMBERS", "Names", "Rows", "cut", "read_rows"]

NUMBERS = (
    "arrival_ns", "row_id", "flags", "input_tokens", "output_tokens", "reasoning_tokens",
    "ttft_ns", "e2e_ns", "queue_ns",
)  # fmt: skip
NAMES = (
    "tenant_id", "client_id", "model", "task", "slo_class", "instance_id", "outcome", "ttft_clock",
)  # fmt: skip

NULL = np.iinfo(np.int64).min
"""Stands for a number that is not recorded."""

MOST_WAITING = 50_000_000


def cut(moments: NDArray[np.int64], first: int, size: int) -> list[tuple[int, slice]]:
    """Return the stretches of `size` since `first` that have rows: (number, its rows).

    Args:
        moments: of the rows, ascending, none before `first`; at least one.
        first: where stretch 0 begins.
        size: of a stretch.

    Example:
        >>> cut(np.array([3, 4, 17, 21]), 1, 10)
        [(0, slice(0, 2, None)), (1, slice(2, 3, None)), (2, slice(3, 4, None))]
    """
    low, high = ((moments[[0, -1]] - first) // size).tolist()
    edges = np.searchsorted(moments, first + np.arange(low, high + 2) * size).tolist()
    return [
        (number, slice(a, b))
        for number, a, b in zip(range(low, high + 1), edges, edges[1:], strict=False)
        if b > a
    ]


@dataclass
class Names:
    """The names that a column has shown so far; a row holds the place of its name here."""

    known: dict[str, int]

    def codes(self, column: pa.DictionaryArray) -> NDArray[np.int32]:
        """Return the place of each name, -1 where none is recorded."""
        places = [
            -1 if name is None else self.known.setdefault(name, len(self.known))
            for name in column.dictionary.to_pylist()
        ]
        indices = column.indices
        if indices.null_count:
            places.append(-1)
            indices = indices.fill_null(len(places) - 1)
        return np.asarray(np.array([*places, -1], dtype=np.int32)[indices.to_numpy()])


@dataclass(frozen=True)
class Rows:
    """Some rows in order of arrival; equal arrivals are never parted.

    Attributes:
        numbers: int64 by column, `NULL` where not recorded; columns that the trace fills.
        codes: int32 by column of names, -1 where not recorded; likewise.
        measured: which rows are no warm-up.
    """

    numbers: dict[str, NDArray[np.int64]]
    codes: dict[str, NDArray[np.int32]]
    measured: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.measured)

    def of(self, chosen: Any) -> Rows:
        """Return some of the rows: a mask, places, or a slice."""
        return Rows(
            {name: values[chosen] for name, values in self.numbers.items()},
            {name: values[chosen] for name, values in self.codes.items()},
            self.measured[chosen],
        )


def read_rows(plan: Plan, part: Part, names: dict[str, Names]) -> Iterator[Rows]:
    """Yield the rows of a part; names are numbered as they come.

    Rows wait until no unread row group can hold an earlier one, so files that overlap in time are
    merged.

    Raises:
        DataError: the rows lie in no order at all, so that too many wait.
    """
    inside = [
        group
        for group in plan.groups
        if group.counts.last_ns >= part.start_ns and group.counts.first_ns < part.stop_ns
    ]
    starts = [group.counts.first_ns for group in inside[1:]]
    wanted = [name for name in (*NUMBERS, *NAMES, "warmup") if name in plan.filled]
    files = {number: _open(plan.files[number], wanted) for number in {g.file for g in inside}}
    waiting: Rows | None = None
    for group, bound in zip(inside, [*starts, part.stop_ns], strict=True):
        rows = _read_group(files[group.file], group, wanted, names)
        rows = _joined(waiting, rows) if waiting else rows
        arrival = rows.numbers["arrival_ns"]
        if np.any(arrival[1:] < arrival[:-1]):
            ties = [rows.numbers["row_id"]] if "row_id" in rows.numbers else []
            rows = rows.of(np.lexsort((*ties, arrival)))
            arrival = rows.numbers["arrival_ns"]
        first = int(np.searchsorted(arrival, part.start_ns))
        ready = int(np.searchsorted(arrival, min(bound, part.stop_ns)))
        waiting = rows.of(slice(max(first, ready), None))
        if len(waiting) > MOST_WAITING:
            raise DataError(
                "holds its rows in no order of arrival",
                where=plan.files[group.file],
                fix="ingest the source again: that sorts them",
            )
        if ready > first:
            yield rows.of(slice(first, ready))


def _open(path: str, wanted: list[str]) -> pq.ParquetFile:
    import pyarrow.parquet as pq

    present = pq.read_schema(path).names
    return pq.ParquetFile(path, read_dictionary=[n for n in NAMES if n in wanted and n in present])


def _read_group(
    file: pq.ParquetFile, group: Group, wanted: list[str], names: dict[str, Names]
) -> Rows:
    present = set(file.schema_arrow.names)
    columns = [name for name in wanted if name in present]
    read = file.read_row_group(group.place, columns=columns, use_threads=False).combine_chunks()
    return Rows(
        numbers={
            name: _numbers(read[name]) if name in present else np.full(group.rows, NULL)
            for name in NUMBERS
            if name in wanted
        },
        codes={
            name: names.setdefault(name, Names({})).codes(read[name].chunk(0))
            if name in present
            else np.full(group.rows, -1, np.int32)
            for name in NAMES
            if name in wanted
        },
        measured=~read["warmup"].fill_null(False).to_numpy(),  # noqa: FBT003
    )


def _numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count:
        column = pc.fill_null(column.cast(pa.int64()), int(NULL))
    return np.asarray(column.to_numpy().astype(np.int64, copy=False))


def _joined(a: Rows, b: Rows) -> Rows:
    return Rows(
        {name: np.concatenate((a.numbers[name], b.numbers[name])) for name in a.numbers},
        {name: np.concatenate((a.codes[name], b.codes[name])) for name in a.codes},
        np.concatenate((a.measured, b.measured)),
    )
