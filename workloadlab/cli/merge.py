"""`workloadlab merge`."""

from __future__ import annotations

from pathlib import Path

import click

from workloadlab.cli.common import Output, json_option, print_json, say, working
from workloadlab.words import plural


@click.command("merge")
@click.argument("parts", nargs=-1, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=Output(folder=True), help="Folder to write.")
@json_option
def command(parts: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Join PARTS, the folders of all shards of a sweep, into the folder that one machine had made."""
    from workloadlab.sweeping import merge

    with working("Merging"):
        merged = merge(parts, out)
    say(f"{plural(len(merged.runs), 'run')} of {plural(len(parts), 'shard')} in {out}")
    if as_json:
        print_json({"schema_version": 1, "parts": len(parts), "runs": len(merged.runs)})
