"""The uses of blocks, brought together on disk: a file holds all uses of each block that it has."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.atomic import scratch_folder
from workloadlab.characterization.bounded.by_session import Writers
from workloadlab.characterization.bounded.groups import count_blocks
from workloadlab.characterization.bounded.prefix.distinct import Distinct
from workloadlab.characterization.bounded.prefix.sample import Sample
from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.rows import MEASURED
from workloadlab.characterization.statistics.blocks import EMPTY, one_size
from workloadlab.characterization.statistics.locality import hash_names, mixed
from workloadlab.trace import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workloadlab.characterization.bounded.plan import Plan

__all__ = ["Prompts", "Uses", "sorted_by_block"]

FILE_USES = 1_000_000
"""Uses that one file holds, about, where no block has most of them."""

MOST_FILES = 256
BATCH_USES = 4_000_000
"""Uses that are held at a time; likewise when files are read."""

COLUMNS_READ = ("arrival_ns", "input_tokens", "block_ids", "block_size", "session_id", "warmup")


@dataclass
class Prompts:
    """What the prompts with recorded blocks hold, beside the uses of each block.

    Attributes:
        requests: with recorded blocks; `missing` have none.
        filled: with at least one block; the longest has `longest`.
        first_ns, last_ns: first and last arrival.
        uses: of blocks; `in_sessions` of them by requests that name a session.
        sizes: of blocks, in tokens.
    """

    requests: int = 0
    missing: int = 0
    filled: int = 0
    longest: int = 0
    first_ns: int | None = None
    last_ns: int = 0
    uses: int = 0
    in_sessions: int = 0
    named: int = 0
    sizes: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Uses:
    """The uses of blocks by measured requests, block by block.

    Attributes:
        block_size: tokens of a full block.
        prompts: what the prompts hold beside.
        files: those that hold uses.
        inputs: the file of the prompts' lengths, int64, in order of arrival.
        pairs: of a session and a block that it uses; each once.
        sample: of uses.
    """

    block_size: int
    prompts: Prompts
    files: tuple[Path, ...]
    inputs: Path
    pairs: Distinct
    sample: Sample

    def read(self, place: int) -> Iterator[pl.DataFrame]:
        """Yield the uses in one file, in order of arrival, some at a time: see `_Spread`."""
        import pyarrow as pa

        waiting: list[pa.RecordBatch] = []
        with pa.ipc.open_file(self.files[place]) as file:
            for k in range(file.num_record_batches):
                waiting.append(file.get_batch(k))
                held = sum(batch.num_rows for batch in waiting)
                if held >= FILE_USES or k == file.num_record_batches - 1:
                    yield pl.DataFrame(pa.Table.from_batches(waiting))
                    waiting = []


@contextmanager
def sorted_by_block(plan: Plan) -> Iterator[Uses | Unsupported]:
    """Read a trace once and yield the uses of its blocks, in a folder that is gone at the end.

    Unsupported where blocks are of several sizes, or nobody records any.
    """
    files = max(1, min(MOST_FILES, -(-count_blocks(plan.files) // FILE_USES)))
    with scratch_folder("workloadlab-blocks-") as folder:
        with ExitStack() as stack:
            spread = _Spread(folder, files, stack)
            for rows in _in_order(plan):
                spread.take(rows)
        size = one_size(spread.prompts.sizes)
        if isinstance(size, Unsupported) or not spread.prompts.uses:
            yield size if isinstance(size, Unsupported) else EMPTY
            return
        yield Uses(
            size, spread.prompts, tuple(sorted(folder.glob("*.arrow"))), spread.inputs, spread.pairs,
            spread.sample,
        )  # fmt: skip


class _Spread:
    """Writes each use of a block to the file of that block.

    A use is: key (its id), request (from 0), arrival_ns, input (tokens of the prompt), count (blocks of
    the prompt), depth (place in it, from 0), parent and child (31 bits of the blocks before and after
    it, 0 for none) and sticky (who of 64 instances its session is on).
    """

    def __init__(self, folder: Path, files: int, stack: ExitStack) -> None:
        self.files = files
        self.prompts, self.sample = Prompts(), Sample()
        self.pairs = Distinct(folder, files, stack)
        self.writers = Writers(folder, stack)
        self.inputs = folder / "inputs.bin"
        self.lengths = stack.enter_context(self.inputs.open("wb"))

    def take(self, rows: pl.DataFrame) -> None:
        """Take measured rows, which come after all before."""
        known = rows.filter(pl.col("block_ids").is_not_null())
        prompts = self.prompts
        prompts.missing += len(rows) - len(known)
        prompts.sizes.update(known["block_size"].drop_nulls().unique().to_list())
        if len(known) and len(prompts.sizes) < 2:
            ends = np.cumsum(known["block_ids"].list.len().to_numpy().astype(np.int64))
            cuts = np.searchsorted(ends, np.arange(BATCH_USES, ends[-1], BATCH_USES)) + 1
            for a, b in pairwise(np.unique((0, *cuts, len(known))).tolist()):
                self._take(known[a:b])

    def _take(self, known: pl.DataFrame) -> None:
        prompts, lists, names = self.prompts, known["block_ids"], known["session_id"]
        arrival, inputs = known["arrival_ns"].to_numpy(), known["input_tokens"].to_numpy()
        self.lengths.write(inputs.astype(np.int64).tobytes())
        counts = lists.list.len().to_numpy().astype(np.int64)
        owner = np.repeat(np.arange(len(known)), counts)
        depth = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        ids = lists.explode().drop_nulls().to_numpy()
        request, bits = owner + prompts.requests, mixed(ids)
        near = ((bits >> np.uint64(33)) | np.uint64(1)).astype(np.uint32)
        sessions, named = hash_names(names), names.is_not_null().to_numpy()
        sticky = np.where(
            named, mixed(sessions), mixed(prompts.requests + np.arange(len(known)))
        ) & np.uint64(63)
        uses = pl.DataFrame({
            "key": ids, "request": request, "arrival_ns": arrival[owner], "input": inputs[owner],
            "count": counts[owner].astype(np.uint32), "depth": depth.astype(np.uint32),
            "parent": np.where(depth > 0, np.roll(near, 1), 0).astype(np.uint32),
            "child": np.where(depth + 1 < counts[owner], np.roll(near, -1), 0).astype(np.uint32),
            "sticky": sticky[owner].astype(np.uint8),
            "file": (bits >> np.uint64(20)) % np.uint64(self.files),
        })  # fmt: skip
        for (place,), part in uses.partition_by("file", include_key=False, as_dict=True).items():
            self.writers.write(place, part)
        chosen = self.sample.chosen(bits)
        self.sample.add(
            np.column_stack(
                [
                    each[chosen].astype(np.int64)
                    for each in (ids.view(np.int64), request, depth, inputs[owner])
                ]
            )
        )
        mine = named[owner]
        if named.any():
            self.pairs.add(mixed(ids[mine] ^ mixed(sessions)[owner[mine]]))
        prompts.requests += len(known)
        prompts.named += int(named.sum())
        prompts.filled += int(np.count_nonzero(counts))
        prompts.longest = max(prompts.longest, int(counts.max()))
        prompts.first_ns = int(arrival[0]) if prompts.first_ns is None else prompts.first_ns
        prompts.last_ns = int(arrival[-1])
        prompts.uses += len(ids)
        prompts.in_sessions += int(np.count_nonzero(mine))


def _in_order(plan: Plan) -> Iterator[pl.DataFrame]:
    """Yield the measured rows in order of arrival, as far as no unread group can hold earlier ones."""
    import pyarrow.parquet as pq

    files = [pq.ParquetFile(path) for path in plan.files]
    bounds = [group.counts.first_ns for group in plan.groups[1:]]
    waiting = pl.DataFrame(schema={name: COLUMNS[name] for name in COLUMNS_READ})
    for group, bound in zip(plan.groups, [*bounds, None], strict=True):
        file = files[group.file]
        present = [name for name in COLUMNS_READ if name in file.schema_arrow.names]
        read = pl.DataFrame(file.read_row_group(group.place, columns=present))
        read = read.with_columns(
            pl.lit(None, COLUMNS[name]).alias(name) for name in COLUMNS_READ if name not in present
        ).filter(MEASURED)
        waiting = pl.concat((waiting, read.select(COLUMNS_READ)))
        if not waiting["arrival_ns"].is_sorted():
            waiting = waiting.sort("arrival_ns", maintain_order=True)
        ready = len(waiting) if bound is None else int(waiting["arrival_ns"].search_sorted(bound))
        yield waiting[:ready]
        waiting = waiting[ready:]
