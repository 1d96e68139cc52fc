"""Row groups of Parquet files: how many rows of each are measured, and from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloadlab.characterization.statistics.measures import evenly
from workloadlab.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

__all__ = [
    "Counts",
    "Group",
    "count_blocks",
    "count_groups",
    "count_rows",
    "filled_columns",
    "frequent_names",
    "last_row_id",
    "read_counts",
]

SAMPLED_GROUPS = 64
CANDIDATES = 64
NEEDED = ("arrival_ns", "warmup", "output_tokens")


@dataclass(frozen=True)
class Counts:
    """What some rows hold.

    Attributes:
        requests: rows that are measured; `outputs` of them record an output.
        first_ns, last_ns: first and last arrival, of warm-up rows too.
        first_measured_ns, last_measured_ns: the same of measured rows; None where there are none.
    """

    requests: int
    outputs: int
    first_ns: int
    last_ns: int
    first_measured_ns: int | None
    last_measured_ns: int | None


@dataclass(frozen=True)
class Group:
    """One row group: which file of the trace, which row group of it, and what it holds."""

    file: int
    place: int
    rows: int
    counts: Counts


def count_groups(files: Sequence[str]) -> list[Group]:
    """Count from the statistics in the footers, and by reading where those do not tell."""
    import pyarrow.parquet as pq

    groups: list[Group] = []
    for number, path in enumerate(files):
        metadata = pq.read_metadata(path)
        for place in range(metadata.num_row_groups):
            rows = metadata.row_group(place).num_rows
            if rows:
                told = _told(_statistics(metadata, place), rows)
                groups.append(Group(number, place, rows, told or read_counts(path, place)))
    return groups


def count_rows(files: Sequence[str]) -> int:
    """Return the rows of all files."""
    import pyarrow.parquet as pq

    return sum(int(pq.read_metadata(path).num_rows) for path in files)


def count_blocks(files: Sequence[str]) -> int:
    """Return the uses of KV blocks that all files record."""
    import pyarrow.parquet as pq

    found = 0
    for path in files:
        metadata = pq.read_metadata(path)
        names = [metadata.schema.column(c).path for c in range(metadata.num_columns)]
        lists = [c for c, name in enumerate(names) if name.startswith("block_ids.")]
        groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
        found += sum(group.column(c).num_values for group in groups for c in lists)
    return found


def filled_columns(files: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that hold a value somewhere, as far as the footers tell."""
    import pyarrow.parquet as pq

    filled: set[str] = set()
    for path in files:
        metadata = pq.read_metadata(path)
        for place in range(metadata.num_row_groups):
            rows = metadata.row_group(place).num_rows
            said = _statistics(metadata, place)
            filled |= {name for name, each in said.items() if rows and _holds(each, rows)}
    return tuple(sorted(filled))


def frequent_names(
    files: Sequence[str], groups: Sequence[Group], columns: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return the 64 most frequent names of each column in 64 evenly spaced row groups, or all."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    none = pa.table({"name": pa.array([], pa.string()), "requests": pa.array([], pa.int64())})
    counted = {column: [none] for column in columns}
    opened: dict[int, tuple[list[str], pq.ParquetFile]] = {}
    for place in evenly(len(groups), SAMPLED_GROUPS):
        group = groups[place]
        if group.file not in opened:
            present = {*pq.read_schema(files[group.file]).names}
            names = [name for name in columns if name in present]
            file = pq.ParquetFile(files[group.file], read_dictionary=names)
            opened[group.file] = names, file
        names, file = opened[group.file]
        table = file.read_row_group(group.place, columns=[*names, "warmup"])
        if pc.any(table["warmup"]).as_py():
            table = table.filter(pc.invert(table["warmup"].fill_null(False)))  # noqa: FBT003
        for name in names:
            counts = table[name].combine_chunks().value_counts()
            told = (counts.field("values").cast(pa.string()), counts.field("counts"))
            counted[name].append(pa.table(told, ["name", "requests"]))
    return {column: _most_frequent(pa.concat_tables(told)) for column, told in counted.items()}


def _most_frequent(counted: pa.Table) -> tuple[str, ...]:
    sums = counted.drop_null().group_by("name").aggregate([("requests", "sum")])
    order = [("requests_sum", "descending"), ("name", "ascending")]
    return tuple(sums.sort_by(order)["name"][:CANDIDATES].to_pylist())


def read_counts(path: str, place: int, before_ns: int | None = None) -> Counts:
    """Read a row group and count its rows, or those that arrive before a moment.

    Raises:
        DataError: a row has no arrival.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    present = set(file.schema_arrow.names)
    columns = [name for name in NEEDED if name in present]
    table = file.read_row_group(place, columns=columns, use_threads=False)
    if table["arrival_ns"].null_count:
        raise DataError("has rows without an arrival", where=path, fix="ingest the source again")
    if before_ns is not None:
        table = table.filter(pc.less(table["arrival_ns"], before_ns))
    measured = table.filter(pc.invert(table["warmup"].fill_null(False)))  # noqa: FBT003
    mine = measured["arrival_ns"].to_numpy()
    arrival = table["arrival_ns"].to_numpy()
    outputs = measured["output_tokens"] if "output_tokens" in present else None
    return Counts(
        requests=len(mine),
        outputs=0 if outputs is None else len(outputs) - outputs.null_count,
        first_ns=int(arrival.min()),
        last_ns=int(arrival.max()),
        first_measured_ns=int(mine.min()) if len(mine) else None,
        last_measured_ns=int(mine.max()) if len(mine) else None,
    )


def last_row_id(path: str, place: int, before_ns: int) -> tuple[int, int]:
    """Return arrival and row id of the last row of a group that arrives before a moment."""
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read_row_group(
        place, columns=["arrival_ns", "row_id"], use_threads=False
    )
    arrival, row_id = table["arrival_ns"].to_numpy(), table["row_id"].to_numpy()
    last = arrival[arrival < before_ns].max()
    return int(last), int(row_id[arrival == last].max())


def _statistics(metadata: Any, place: int) -> dict[str, Any]:
    group = metadata.row_group(place)
    columns = [group.column(c) for c in range(group.num_columns)]
    return {column.path_in_schema.split(".")[0]: column.statistics for column in columns}


def _told(said: dict[str, Any], rows: int) -> Counts | None:
    """Return what statistics say of a row group without warm-up rows; None where they do not tell."""
    arrival, warmup = said.get("arrival_ns"), said.get("warmup")
    if arrival is None or warmup is None:
        return None
    if not all(each.has_min_max and each.null_count == 0 for each in (arrival, warmup)):
        return None
    output = said.get("output_tokens")
    if warmup.max or ("output_tokens" in said and (output is None or not output.has_null_count)):
        return None
    outputs = rows - output.null_count if output is not None else 0
    return Counts(rows, outputs, *2 * (arrival.min, arrival.max))


def _holds(statistics: Any, rows: int) -> bool:
    if statistics is None or not statistics.has_null_count:
        return True
    return bool(statistics.null_count < max(rows, statistics.num_values + statistics.null_count))
