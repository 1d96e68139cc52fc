"""`workloadlab characterize`."""

from __future__ import annotations

from pathlib import Path

import click

from workloadlab.cli.common import json_option, say, working


@click.command("characterize")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Profile JSON to write.")
@json_option
def command(trace: Path, out: Path | None, as_json: bool) -> None:
    """Say what the workload of TRACE is: integrity, arrivals, lengths."""
    from workloadlab.characterization import characterize
    from workloadlab.trace import Trace

    opened = Trace.open(trace)
    with working("Characterizing"):
        profile = characterize(opened)
    if out:
        profile.save(out)
        say(f"profile written to {out}")
    click.echo(profile.to_json() if as_json else str(profile))
