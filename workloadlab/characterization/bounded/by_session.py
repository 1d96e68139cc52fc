"""The rows of sessions, brought together on disk: a file holds all rows of each session that it has."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.atomic import scratch_folder
from workloadlab.characterization.rows import (
    MEASURED,
    SESSION_COLUMNS,
    session_rows,
    tokens_in,
    without_nulls,
)
from workloadlab.trace import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workloadlab.characterization.bounded.plan import Plan
    from workloadlab.characterization.rows import SessionRows

__all__ = ["Sorted", "Writers", "sorted_by_session"]

FILE_ROWS = 4_000_000
"""Rows that one file holds, about, where sessions are short."""

MOST_FILES = 512
GROUPS_AT_ONCE = 8
COLUMNS_READ = ("arrival_ns", "cached_tokens", "warmup", *SESSION_COLUMNS)


@dataclass(frozen=True)
class Sorted:
    """The measured rows of a trace, session by session.

    Attributes:
        folder: where they are.
        files: those that hold rows.
        ends_recorded, tools_recorded, missing: of all rows, as `session_rows` takes them.
        cached: recorded cached tokens, and the prompt tokens of those requests; None where no request
            records them.
    """

    folder: Path
    files: tuple[Path, ...]
    ends_recorded: bool
    tools_recorded: bool
    missing: int
    cached: tuple[int, int] | None

    def read(self, place: int) -> SessionRows:
        """Return the rows of one file."""
        rows = pl.read_ipc(self.files[place])
        return session_rows(
            rows.sort("arrival_ns", maintain_order=True), ends_recorded=self.ends_recorded,
            tools_recorded=self.tools_recorded, missing=self.missing,
        )  # fmt: skip


@contextmanager
def sorted_by_session(plan: Plan) -> Iterator[Sorted]:
    """Read a trace once and yield its rows by session, in a folder that is gone at the end.

    Which session lies in which file does not change what all files hold together.
    """
    count = min(MOST_FILES, -(-plan.requests // FILE_ROWS))
    ends, tools, missing = 0, 0, 0
    cached, prompts, any_cached = 0, 0, False
    with scratch_folder("workloadlab-sessions-") as folder:
        with ExitStack() as stack:
            writers = Writers(folder, stack)
            for rows in _batches(plan):
                named = rows.filter(pl.col("session_id").is_not_null())
                missing += len(rows) - len(named)
                ends += named["e2e_ns"].null_count()
                tools += len(named) - named["finish_reason"].null_count()
                known = rows.drop_nulls("cached_tokens")
                any_cached |= len(known) > 0
                cached += tokens_in(known, "cached_tokens")
                prompts += tokens_in(known, "input_tokens")
                split = (
                    without_nulls(named)
                    .with_columns(file=pl.col("session_id").hash(0) % count)
                    .partition_by("file", include_key=False, as_dict=True)
                )
                for (place,), part in split.items():
                    writers.write(place, part)
        yield Sorted(
            folder, tuple(sorted(folder.glob("*.arrow"))), ends == 0, tools > 0, missing,
            (cached, prompts) if any_cached else None,
        )  # fmt: skip


class Writers:
    """Files by their number, opened when they are first written to."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.open: dict[int, Any] = {}

    def write(self, place: int, rows: pl.DataFrame) -> None:
        """Write rows behind those of a file."""
        import pyarrow as pa

        table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        if place not in self.open:
            path, options = (
                self.folder / f"{place}.arrow",
                pa.ipc.IpcWriteOptions(compression="lz4"),
            )
            writer = pa.ipc.new_file(path, table.schema, options=options)
            self.open[place] = self.stack.enter_context(writer)
        self.open[place].write_table(table)


def _batches(plan: Plan) -> Iterator[pl.DataFrame]:
    """Yield the measured rows in the order of the files, some row groups at a time."""
    import pyarrow.parquet as pq

    for number, path in enumerate(plan.files):
        file = pq.ParquetFile(path)
        present = [name for name in COLUMNS_READ if name in file.schema_arrow.names]
        absent = [name for name in COLUMNS_READ if name not in present]
        places = sorted(group.place for group in plan.groups if group.file == number)
        for start in range(0, len(places), GROUPS_AT_ONCE):
            read = file.read_row_groups(places[start : start + GROUPS_AT_ONCE], columns=present)
            rows = pl.DataFrame(read)
            yield rows.with_columns(
                pl.lit(None, COLUMNS[name]).alias(name) for name in absent
            ).filter(MEASURED)
