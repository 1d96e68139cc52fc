"""ingest: request logs to a trace."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.ingestion.columns import named_format, plan, recognise, targets
from workloadlab.ingestion.first_pass import stage
from workloadlab.ingestion.inspect import inspect, text_of
from workloadlab.ingestion.parsing.times import DATETIME
from workloadlab.ingestion.second_pass import finish
from workloadlab.ingestion.sources import find
from workloadlab.trace import Provenance, Trace, write_atomically
from workloadlab.trace.store import write_trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workloadlab.ingestion.first_pass import Staged
    from workloadlab.ingestion.formats import Column, Format
    from workloadlab.ingestion.inspect import Head

__all__ = ["ingest"]

_YEAR_1973_NS = 100_000_000_000_000_000


def ingest(
    sources: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    format: str | None = None,  # noqa: A002
    mapping: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    strict: bool = False,
    block_size: int | None = None,
    keep_ids: bool = False,
    where: Mapping[str, object] | None = None,
) -> Trace:
    r"""Read request logs and return them as one trace in arrival order.

    Rows that cannot be used are set aside, not fatal: with `out` they are written to
    `<out>.rejects.parquet` (file, row, line, column, value, reason; none is left behind when all rows
    are good), and counted by reason in `trace.provenance.rows`. Times that contradict each other
    (queue <= ttft <= e2e) become null, with a bit in `flags`. Arrivals are exact integer
    nanoseconds; the first is 0 and its absolute time is `trace.provenance.t0_unix_ns`.

    Request, session, tenant, client and instance ids are replaced by ordinals of their first
    appearance (`r0`, `s0`, `t0`, `c0`, `i0`), block ids by dense integers, so a trace names nobody and
    the same logs give the same bytes. Prompt text is never read into a trace.

    Args:
        sources: a file, a glob pattern, or a list of them. CSV and JSON lines (gzip or not), Parquet.
        out: the trace to write, atomically; None for a trace in memory.
        format: azure, mooncake, llmservingsim, vllm_multiturn, inferencex, aiperf or generic; by
            default found from the columns.
        mapping: trace column to log column, such as `{"input_tokens": "prompt_len", "arrival": "ts"}`.
            Times may be written without `_ns`; nested JSON keys with dots.
        units: unit of a numeric time, such as `{"arrival": "ms"}`: s, ms, us or ns. By default what
            the column's name ends in (`latency_ms`), else seconds; an arrival's magnitude tells epoch
            seconds from ms, us and ns. ISO datetimes need none; without a zone they are UTC.
        strict: refuse the logs at the first bad row and write nothing.
        block_size: tokens per block id; 512 for mooncake.
        keep_ids: keep ids as they are in the log.
        where: log columns and the value that a row must have in each, such as `{"run": "b200"}`: for
            files that hold several runs. The other rows are counted as `left_out`.

    Returns:
        The trace, opened from `out` or held in memory.

    Raises:
        UsageError: no such file, a folder, an unrecognised format, a mapping that does not fit, a
            column in `where` that the log lacks.
        DataError: no rows, no usable rows, not text, damaged; with `strict`, any bad row.

    Example:
        >>> from pathlib import Path; from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     log = Path(folder, "log.csv")
        ...     _ = log.write_text("ts,prompt_len,answer_len\n10.5,120,30\n11.25,90,x\n12,80,20\n")
        ...     trace = ingest(log, mapping={"arrival": "ts", "input_tokens": "prompt_len",
        ...                                  "output_tokens": "answer_len"})
        >>> trace.read("arrival_ns", "input_tokens").rows()
        [(0, 120), (1500000000, 80)]
        >>> trace.provenance.rows["rejected"]
        {'not an integer': 1}
    """
    heads = [inspect(path) for path in find(sources)]
    log_format = named_format(format) if format else recognise(heads[0], targets(mapping, "--map"))
    columns = _columns(heads, log_format, mapping, units, block_size)
    block_size = _tokens_per_block(columns, log_format, block_size)
    asked = _asked(heads, where or {})
    target = None if out is None else _no_source(Path(out), heads)
    with ExitStack() as stack:
        path = stack.enter_context(write_atomically(target)) if target else None
        folder = Path(
            stack.enter_context(TemporaryDirectory(prefix=".ingest-", dir=target and target.parent))
        )
        thread = stack.enter_context(ThreadPoolExecutor(1))
        digests = [thread.submit(_sha256, head.path) for head in heads]
        staged = stage(heads, columns, folder, block_size=block_size, strict=strict, where=asked)
        frame = finish(
            staged, source_format=log_format.name, block_size=block_size, keep_ids=keep_ids
        )
        provenance = Provenance(
            reader=log_format.name,
            options={
                "mapping": {
                    column.target: column.source
                    for column in columns
                    if column.target in staged.filled
                },
                "block_size": block_size,
                "keep_ids": keep_ids,
                "strict": strict,
                **({"where": asked} if asked else {}),
            },
            sources=[
                {
                    "path": head.path.name,
                    "bytes": head.path.stat().st_size,
                    "sha256": digest.result(),
                    "rows": rows,
                }
                for head, digest, rows in zip(heads, digests, staged.rows_by_file, strict=True)
            ],
            t0_unix_ns=_t0(columns, staged),
            zone_assumed="UTC" if staged.naive else None,
            units={
                c.target.removesuffix("_ns"): c.unit
                for c in columns
                if c.unit and c.target in staged.filled
            },
            rows=staged.counts(),
            system=log_format.system(heads[0].path) if log_format.system else {},
        )
        write_trace(frame, path or folder / "trace", provenance.to_dict())
        if target is None:
            return Trace(pl.read_parquet(folder / "trace").lazy(), provenance)
        _publish_rejects(target, staged.rejects)
    return Trace.open(target)


def _no_source(out: Path, heads: Sequence[Head]) -> Path:
    if any(out.resolve() == head.path.resolve() for head in heads):
        raise UsageError(
            "is a source and would be overwritten", where=str(out), fix="name another output"
        )
    return out


def _columns(
    heads: Sequence[Head],
    log_format: Format,
    mapping: Mapping[str, str] | None,
    units: Mapping[str, str] | None,
    block_size: int | None,
) -> tuple[Column, ...]:
    """Plan every file; they must agree, for one trace has one meaning per column."""
    by_target, units = targets(mapping, "--map"), targets(units, "--unit")
    plans = []
    for head in heads:
        if head.container not in log_format.containers:
            raise UsageError(
                f"is {head.container}; {log_format.name} logs are {', '.join(log_format.containers)}",
                where=str(head.path),
                fix="leave --format out, or use --format generic with --map",
            )
        plans.append(plan(head, log_format, by_target, units, block_size=block_size))
    for head, other in zip(heads, plans, strict=True):
        if other != plans[0]:
            raise UsageError(
                f"does not have the columns and units of {heads[0].path}",
                where=str(head.path),
                fix="ingest them apart, or settle the difference with --map and --unit",
            )
    return plans[0]


def _asked(heads: Sequence[Head], where: Mapping[str, object]) -> dict[str, str]:
    """Return the values asked for as the text that a log would hold."""
    for key, head in product(where, heads):
        if key not in head.keys:
            raise UsageError(
                f"has no column {key!r} to choose rows by",
                where=str(head.path),
                fix=f"use one of {', '.join(head.keys)}",
            )
    return {key: text_of(value) or "" for key, value in where.items()}


def _tokens_per_block(
    columns: Sequence[Column], log_format: Format, asked: int | None
) -> int | None:
    listed = any(column.target == "block_ids" for column in columns)
    if asked is None:
        return log_format.block_size if listed else None
    if not listed:
        raise UsageError(
            f"--block-size {asked}: no block ids are read from this log",
            fix="map them with --map block_ids=COLUMN, or leave the option out",
        )
    if not 0 < asked < 2**16:
        raise UsageError(f"--block-size {asked}: not a block size", fix="use 1 to 65535")
    return asked


def _t0(columns: Sequence[Column], staged: Staged) -> int | None:
    """Return the absolute time of the first arrival, where the log's clock is the calendar's."""
    dated = any(c.target == "arrival_ns" and c.unit == DATETIME for c in columns)
    first = staged.first_ns or 0
    return first if dated or first >= _YEAR_1973_NS else None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _publish_rejects(out: Path, rejects: pl.DataFrame) -> None:
    """Write the rejects beside the trace, or remove those of an earlier run."""
    path = out.with_name(f"{out.name}.rejects.parquet")
    if not rejects.height:
        path.unlink(missing_ok=True)
        return
    with write_atomically(path) as temporary:
        rejects.write_parquet(temporary, compression="zstd")
