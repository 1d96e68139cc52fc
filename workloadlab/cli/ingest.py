"""`workloadlab ingest`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workloadlab.cli.common import (
    Output,
    json_option,
    memory_option,
    pairs,
    print_json,
    print_rows,
    say,
    working,
)
from workloadlab.cli.completion import FORMAT
from workloadlab.words import plural

if TYPE_CHECKING:
    from workloadlab.trace import Provenance


@click.command("ingest")
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@click.option(
    "-o",
    "--out",
    type=Output(tried=False),
    help="Trace to write; default: the first source's name with .trace, here.",
)
@click.option(
    "--format", "format_", metavar="NAME", shell_complete=FORMAT,
    help="Log format; default: found out from the file.",
)  # fmt: skip
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="COLUMN=FIELD",
    help="Trace column from a field of the log, such as output_tokens=answer_len.",
)
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(path_type=Path),
    help="Mapping file (TOML) that says where requests lie and which key is which column.",
)
@click.option(
    "--unit",
    "units",
    multiple=True,
    metavar="TIME=UNIT",
    help="Unit of a mapped time: s, ms, us, ns, min, h, such as arrival=ms; of dates: dmy, mdy, ymd.",
)
@click.option(
    "--where",
    "where",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Read only rows with this value in a field of the log, such as run=3; repeat for several.",
)
@click.option("--block-size", type=int, help="Tokens per prefix block, where the log does not say.")
@click.option("--keep-ids", is_flag=True, help="Keep ids as they are instead of renumbering them.")
@click.option(
    "--share",
    is_flag=True,
    help="For others' eyes: rare and long labels become ordinals, dates are dropped.",
)
@click.option(
    "--show-values", is_flag=True, help="Keep rejected values; default: only class and length."
)
@click.option(
    "--drop-repeats",
    is_flag=True,
    help="Leave out rows that repeat another in time, tokens and id: shipped twice.",
)
@click.option("--no-limits", is_flag=True, help="Read logs that unfold beyond what logs do.")
@click.option(
    "--storage-option",
    "storage_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="For URLs: a setting of the object store, such as aws_region=..., or a header of https.",
)
@click.option(
    "--append",
    is_flag=True,
    help="Let OUT be a folder that grows: put these logs behind those that are in it.",
)
@click.option(
    "--strict", is_flag=True, help="Fail on the first bad row instead of setting it aside."
)
@memory_option(
    "Bytes that ids, and rows to be joined, may take, such as 4GB; default: what this machine has."
)
@click.option("--list-formats", is_flag=True, help="List the log formats that are known.")
@json_option
def command(
    sources: tuple[str, ...],
    out: Path | None,
    format_: str | None,
    mapping: tuple[str, ...],
    mapping_file: Path | None,
    units: tuple[str, ...],
    where: tuple[str, ...],
    block_size: int | None,
    keep_ids: bool,
    share: bool,
    show_values: bool,
    drop_repeats: bool,
    append: bool,
    storage_options: tuple[str, ...],
    no_limits: bool,
    strict: bool,
    memory_limit: int | None,
    list_formats: bool,
    as_json: bool,
) -> None:
    """Make a trace of request logs: CSV, JSON lines, JSON (also packed) or Parquet.

    A SOURCE is a file, a pattern, a folder, a URL (https, s3, gs, az), or - for standard input.

    Bad rows go to OUT.rejects.parquet with file, row, column, the kind of the value, and reason.
    """
    from workloadlab.ingestion import ingest, without_limits

    if list_formats:
        _list_formats(as_json)
        return
    if not sources:
        raise click.UsageError("Missing argument 'SOURCE...'.")
    target = out or Path(
        f"{Path(sources[0]).name.removesuffix('.gz').rpartition('.')[0] or 'log'}.trace"
    )
    with (
        without_limits() if no_limits else nullcontext(),
        working(f"Ingesting {plural(len(sources), 'source')}"),
    ):
        trace = ingest(
            list(sources),
            target,
            format=format_,
            mapping=mapping_file or pairs(mapping, "--map", empty=True),
            units=pairs(units, "--unit"),
            strict=strict,
            block_size=block_size,
            keep_ids=keep_ids,
            where=pairs(where, "--where"),
            share=share,
            show_values=show_values,
            drop_repeats=drop_repeats,
            append=append,
            storage_options=pairs(storage_options, "--storage-option"),
            memory_limit=memory_limit,
        )
    rows = trace.provenance.rows
    if as_json:
        print_json(
            {"schema_version": 1, "trace": str(target), "requests": trace.requests,
             "span_s": trace.span_s, "supports": trace.capabilities(), "rows": rows,
             "provenance": trace.provenance.to_dict()}
        )  # fmt: skip
        return
    _tell(trace.provenance, target)
    click.echo(f"{target}: {plural(trace.requests, 'request')} over {trace.span_s:,.1f} s "
               f"({trace.provenance.reader} format)")  # fmt: skip
    click.echo(f"good for: {', '.join(trace.capabilities())}")
    if trace.has("e2e_ns") and not trace.has("ttft_ns"):
        say(
            "note: end-to-end times without TTFT: score shows them (--by 'mean e2e_s'), but a "
            "calibration, "
            "and a replay held against the log, need ttft too"
        )


def _list_formats(as_json: bool) -> None:
    from workloadlab.ingestion import FORMATS

    known = [{"name": f.name, "title": f.title, "files": ", ".join(f.containers)} for f in FORMATS]
    if as_json:
        print_json({"schema_version": 1, "formats": known})
        return
    print_rows((each["name"], f"{each['title']} ({each['files']})") for each in known)


def _tell(provenance: Provenance, target: Path) -> None:
    """Say what was read from where, and what was repaired, left out or set aside."""
    for column, source in provenance.options["mapping"].items():
        name = column.removesuffix("_ns")
        unit, why = provenance.units.get(name), provenance.why.get(name)
        words = ", ".join(word for word in (unit, why) if word)
        say(f"  {name} <- {source}" + (f" ({words})" if words else ""))
    if provenance.zone_assumed:
        say(f"dates without a zone were taken as {provenance.zone_assumed}")
    for words in provenance.counted(f"{target}.rejects.parquet"):
        say(words)
    for note in provenance.notes:
        say(f"note: {note}")
