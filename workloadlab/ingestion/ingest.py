"""ingest: request logs to a trace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.arguments import checked, file_path, pairs, text
from workloadlab.atomic import scratch_folder
from workloadlab.errors import UsageError
from workloadlab.ingestion.columns import named_format, targets
from workloadlab.ingestion.doubts.again import held_twice
from workloadlab.ingestion.doubts.unread import asides
from workloadlab.ingestion.first_pass import stage
from workloadlab.ingestion.formats import GENERIC
from workloadlab.ingestion.formats.trees import label, pruned
from workloadlab.ingestion.growing import growing
from workloadlab.ingestion.heads import read_heads, refuse_changed, sha256, states
from workloadlab.ingestion.mapping import mapping_file
from workloadlab.ingestion.numbers import Numbers
from workloadlab.ingestion.privacy import (
    HiddenLabels,
    described_values,
    named_labels,
    plain_labels,
    shareable,
    strange_labels,
)
from workloadlab.ingestion.rules import asked_for, rules_of, starts_differ, zones_differ
from workloadlab.ingestion.second_pass import finish, in_order
from workloadlab.ingestion.settle import settle
from workloadlab.ingestion.sources import find, plain_names
from workloadlab.sizes import allowed_bytes
from workloadlab.trace import Provenance, Trace, write_atomically
from workloadlab.trace.store import write_trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workloadlab.ingestion.first_pass import Staged
    from workloadlab.ingestion.formats import Format
    from workloadlab.ingestion.head import Head

    Frame = Any

__all__ = ["ingest"]

_YEAR_1973_NS = 100_000_000_000_000_000


@checked
def ingest(
    sources: str | Path | Sequence[str | Path] | Frame,
    out: str | Path | None = None,
    *,
    format: str | None = None,  # noqa: A002
    mapping: Mapping[str, str] | str | Path | None = None,
    units: Mapping[str, str] | None = None,
    strict: bool = False,
    block_size: int | None = None,
    keep_ids: bool = False,
    where: Mapping[str, object] | None = None,
    share: bool = False,
    show_values: bool = False,
    drop_repeats: bool = False,
    append: bool = False,
    storage_options: Mapping[str, str] | None = None,
    memory_limit: int | str | None = None,
) -> Trace:
    r"""Read request logs and return them as one trace in arrival order.

    Rows that cannot be used are set aside, not fatal: with `out` they are written to
    `<out>.rejects.parquet` (file, row, line, column, value, reason; none is left behind when all rows
    are good), and counted by reason in `trace.provenance.rows`. Times that contradict each other
    (queue <= ttft <= e2e) become null, with a bit in `flags`. Arrivals are exact integer
    nanoseconds; the first is 0 and its absolute time is `trace.provenance.t0_unix_ns`.

    Request, session, tenant, client and instance ids are replaced by ordinals of their first
    appearance (`r0`, `s0`, `t0`, `c0`, `i0`), block ids by dense integers, so a trace names nobody and
    the same logs give the same bytes. Prompt text is never read into a trace. Models, tasks, classes
    and finish reasons that do not look like labels (keys, mail addresses, sentences) become ordinals
    too (`model-1`), and of a rejected value class and length are kept.

    Args:
        sources: a file, a glob pattern, a folder, `-` for standard input, a URL (https, s3, gs, az),
            a list of them, or a frame of polars or pandas. CSV, JSON and Parquet, packed or not.
        out: the trace to write, atomically; None for a trace in memory.
        format: one of `workloadlab.ingestion.FORMATS`, such as azure or litellm; by default found
            from the columns.
        mapping: trace column to log column, such as `{"input_tokens": "prompt_len", "arrival": "ts"}`,
            or the path of a mapping file. Times may be written without `_ns`; nested JSON keys with
            dots; `a+b` and `a-b` add and subtract; "" leaves a column out.
        units: unit of a numeric time, such as `{"arrival": "ms"}`: s, ms, us, ns, min or h. By
            default what the column's name ends in (`latency_ms`); an arrival's magnitude tells epoch
            seconds from ms, us and ns, and a duration is told by the tokens beside it, or asked for.
            Dates need none, unless none tells what comes first: dmy, mdy or ymd; without a
            zone they are UTC.
        strict: refuse the logs at the first bad row and write nothing.
        block_size: tokens per block id; 512 for mooncake.
        keep_ids: keep ids as they are in the log.
        where: log columns and the value that a row must have in each, such as `{"run": "b200"}`: for
            files that hold several runs. The other rows are counted as `left_out`.
        share: make a trace that may leave the house: names of models, tasks, classes and finish
            reasons that fewer than five requests have, or that are long, become ordinals, and the date
            is dropped.
        show_values: keep the first 80 characters of each rejected value, whatever it holds.
        drop_repeats: leave out rows that repeat another's arrival, tokens, times and id, as shippers
            deliver them again; they are counted as `left_out`.
        append: let `out` be a folder that grows: these logs are put behind those that are in it, on
            one clock and with one numbering of ids; files whose bytes are in it already are skipped.
        storage_options: settings of the object store of remote sources, such as `aws_region`, or
            headers of their http requests.
        memory_limit: bytes, or words such as 4GB, that ids may take while they are numbered, and rows of
            which several are one request while they are joined; other rows are streamed beside, in some
            600 MB. None for what this machine or container has.

    Returns:
        The trace, opened from `out` or held in memory.

    Raises:
        UsageError: no such file, a folder, an unrecognised format, a mapping that does not fit, a
            column in `where` that the log lacks.
        DataError: no rows, no usable rows, not text, damaged; changed while it was read; with
            `strict`, any bad row.
        MachineError: more ids, or rows to join, than memory holds.

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
    _refuse_together(share=share, keep_ids=keep_ids, append=append, drop_repeats=drop_repeats)
    target = None if out is None else file_path("out", out)
    allowed = None if memory_limit is None else allowed_bytes(memory_limit)
    if append and target is None:
        raise UsageError("append needs a folder to append to", fix="name it: out=...")
    with ExitStack() as stack:
        grown = stack.enter_context(growing(target)) if append and target else None
        path = grown.file() if grown else None
        if target and not grown:
            path = stack.enter_context(write_atomically(target))
        folder = stack.enter_context(scratch_folder(".ingest-", target and target.parent))
        stack.enter_context(plain_names(folder))
        named = mapping_file(mapping) if isinstance(mapping, str | Path) else None
        words = None if named else targets(pairs("mapping", mapping, text), "--map")
        chosen = named or (named_format(format) if format else None)
        paths = find(sources, folder, storage_options)
        if grown and not (paths := grown.unknown(paths)):
            return Trace.open(grown.folder)
        before = states(paths)
        logs = read_heads(paths, chosen, words or {}, target)
        log_format, heads = logs.log_format, logs.heads
        asked = asked_for(heads, where or {})
        made = rules_of(heads, log_format, words or {}, units or {}, block_size, asked)
        rules = [replace(each, show_values=show_values) for each in made]
        thread = stack.enter_context(ThreadPoolExecutor(1))
        digests = [thread.submit(sha256, head.path) for head in heads]
        numbers, labels = grown.numbers if grown else Numbers(), HiddenLabels()
        hide = () if keep_ids else (numbers.hidden, labels.hidden)
        staged = stage(heads, rules, folder, strict=strict, where=asked, hide=hide)
        told = settle(staged, rules, log_format, heads[0], once=drop_repeats, memory_limit=allowed)
        rows = in_order(staged)
        notes = [
            *logs.notes,
            *told,
            *zones_differ(heads, rules),
            *starts_differ(heads, rules),
            *asides(heads[0], rules[0].columns, guessed=log_format.name == GENERIC.name),
            *filter(None, [held_twice(rows, staged.written)]),
        ]
        size = next((each.block_size for each in rules if each.block_size), None)
        frame = finish(
            staged, rows, source_format=log_format.name, block_size=size, keep_ids=keep_ids,
            clock=log_format.clock, local_blocks=log_format.local_blocks, numbers=numbers,
            memory_limit=allowed,
            **(grown.place(_t0(staged), keep_ids=keep_ids) if grown else {}),
        )  # fmt: skip
        if not keep_ids:
            strange = strange_labels(staged, labels)
            frame = plain_labels(frame, strange, labels)
            notes += named_labels(strange)
        if share:
            frame = shareable(frame)
        columns = [c for c in rules[0].columns if c.target in staged.filled]
        provenance = Provenance(
            reader=log_format.name,
            options={
                "mapping": {
                    column.target: label(pruned(column.source, heads[0].shows) or column.source)
                    for column in columns
                },
                "block_size": size,
                "keep_ids": keep_ids,
                "strict": strict,
                **({"where": described_values(asked)} if asked else {}),
                **({"share": True} if share else {}),
            },
            sources=[
                {
                    "path": "" if share else head.path.name,
                    "bytes": head.path.stat().st_size,
                    "sha256": digest.result(),
                    "rows": count,
                }
                for head, digest, count in zip(heads, digests, staged.rows_by_file, strict=True)
            ],
            t0_unix_ns=None if share else _t0(staged, grown.t0_ns if grown else None),
            zone_assumed="UTC" if staged.naive else None,
            units={c.target.removesuffix("_ns"): c.unit for c in columns if c.unit},
            why={c.target.removesuffix("_ns"): c.why for c in columns if c.why},
            rows=staged.counts(),
            notes=[] if share else notes,
            system=_system(heads, log_format),
        )
        write_trace(frame, path or folder / "trace", provenance.to_dict())
        refuse_changed(before)
        if target is None:
            return Trace(pl.read_parquet(folder / "trace").lazy(), provenance)
        piped = {str(folder / "stdin"): "standard input"}
        files = (
            pl.lit("").alias("file")
            if share
            else pl.col("file").replace(piped).str.strip_prefix(f"{folder}/")
        )
        _publish_rejects(target, staged.rejects.with_columns(files), earlier=grown is not None)
        if grown and path:
            grown.add(path)
    return Trace.open(target, verify=False)


def _refuse_together(*, share: bool, keep_ids: bool, append: bool, drop_repeats: bool) -> None:
    """Refuse options that contradict each other."""
    if share and (keep_ids or append):
        raise UsageError(
            "--share keeps ids nowhere", fix=f"leave out {'--append' if append else '--keep-ids'}"
        )
    if append and drop_repeats:
        raise UsageError(
            "--drop-repeats sees the rows of one call, not those that --append finds in the folder",
            fix="ingest all files in one call with --drop-repeats, or leave one of the two out",
        )


def _system(heads: Sequence[Head], log_format: Format) -> dict[str, Any]:
    """Return what all files of a log say of the engine that served it."""
    read = log_format.system
    first, *others = [read(head.path) if read else {} for head in heads]
    return {name: fact for name, fact in first.items() if all(o.get(name) == fact for o in others)}


def _t0(staged: Staged, before: int | None = None) -> int | None:
    """Return the absolute time of the first arrival, where the log's clock is the calendar's."""
    first = staged.first_ns or 0
    return min(first, before or first) if first >= _YEAR_1973_NS else None


def _publish_rejects(out: Path, rejects: pl.DataFrame, *, earlier: bool = False) -> None:
    """Write the rejects beside the trace, behind those of earlier logs or in place of them."""
    path = out.with_name(f"{out.name}.rejects.parquet")
    if earlier and path.exists():
        rejects = pl.concat([pl.read_parquet(path), rejects])
    if not rejects.height:
        path.unlink(missing_ok=True)
        return
    with write_atomically(path) as temporary:
        rejects.write_parquet(temporary, compression="zstd")
