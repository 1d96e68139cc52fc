"""`workloadlab traces`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from workloadlab.cli.common import Output, json_option, print_json, say, working
from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean
from workloadlab.words import plural

catalog_option: Any = click.option(
    "--catalog",
    type=click.Path(path_type=Path),
    help="Catalogue of your own (TOML), in place of the one that ships.",
)


@click.group("traces")
def command() -> None:
    """List published traces, and get one."""


@command.command("list")
@catalog_option
@json_option
def list_(catalog: Path | None, as_json: bool) -> None:
    """List the published traces that are known by name."""
    from workloadlab.ingestion.catalog import read_catalog
    from workloadlab.tables import Table

    known = read_catalog(catalog)
    if as_json:
        print_json({"schema_version": 1, "traces": [asdict(each) for each in known.values()]})
        return
    rows = [[e.name, f"{e.bytes / 1e6:.1f}", e.licence, e.about] for e in known.values()]
    click.echo(Table("Published traces", ["name", "MB", "licence", "what it is"], rows).text())


@command.command("get")
@click.argument("name")
@click.option("-o", "--out", type=Output(), help="Trace to write; default: NAME.trace.")
@catalog_option
@json_option
def get_(name: str, out: Path | None, catalog: Path | None, as_json: bool) -> None:
    """Download the published trace NAME, check its digest, and make a trace of it."""
    from workloadlab.ingestion.catalog import get, read_catalog

    known = read_catalog(catalog)
    if name not in known:
        fix = did_you_mean(name, known, all_of_them="workloadlab traces list")
        raise UsageError(f"no published trace is called {name!r}", fix=fix)
    published, target = known[name], out or Path(f"{name}.trace")
    say(f"{published.url} ({published.bytes / 1e6:.1f} MB, {published.licence})")
    with working(f"Getting {name}"):
        trace = get(published, target)
    if as_json:
        facts = {"trace": str(target), "requests": trace.requests, "span_s": trace.span_s}
        print_json({"schema_version": 1, **facts})
        return
    click.echo(f"{target}: {plural(trace.requests, 'request')} over {trace.span_s:,.1f} s "
               f"({trace.provenance.reader} format)")  # fmt: skip
