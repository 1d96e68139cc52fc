"""`workloadlab export`."""

from __future__ import annotations

from pathlib import Path

import click

from workloadlab.cli.common import Output, json_option, print_json, print_rows, say
from workloadlab.errors import UsageError
from workloadlab.words import plural


@click.command("export")
@click.argument("trace", required=False, type=click.Path(path_type=Path))
@click.option("--format", "format_", metavar="NAME", default="mooncake", show_default=True)
@click.option("-o", "--out", type=Output(), help="File; default: beside the trace.")
@click.option("--list-formats", is_flag=True, help="List the tools, and how each reads its file.")
@json_option
def command(
    trace: Path | None, format_: str, out: Path | None, list_formats: bool, as_json: bool
) -> None:
    """Write TRACE as the file that another tool replays, and say what that file cannot hold."""
    from workloadlab.exchange import TARGETS, export
    from workloadlab.tables import Table

    if list_formats and as_json:
        known = [{"name": t.name, "title": t.title, "run": t.run} for t in TARGETS]
        print_json({"schema_version": 1, "formats": known})
        return
    if list_formats:
        print_rows(
            ((each.name, f"{each.title}. Read there: {each.run}") for each in TARGETS), width=15
        )
        return
    if trace is None:
        raise UsageError("no trace to export", fix="workloadlab export TRACE --format NAME")
    kinds = {target.name: target.kind for target in TARGETS}
    path = out or Path(f"{trace.stem}.{format_}.{kinds.get(format_, 'jsonl')}")
    done = export(trace, path, format_)
    if as_json:
        facts = {"path": str(done.path), "requests": done.requests, "format": done.target}
        print_json({"schema_version": 1, **facts, "lost": done.lost})
        return
    click.echo(f"{done.path}: {plural(done.requests, 'request')} for {done.target}")
    if done.lost:
        rows = [[column, said] for column, said in done.lost.items()]
        said = Table("What the file does not hold", ["column", "why"], rows)
        for line in said.text().splitlines():
            say(line)
