"""`workloadlab report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from workloadlab.cli.common import parse_slo, say, slo_option, working
from workloadlab.errors import UsageError


@click.command("report")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--trace", type=click.Path(path_type=Path), help="Trace to characterize.")
@click.option(
    "--profile", type=click.Path(path_type=Path), help="Profile JSON, instead of --trace."
)
@click.option("--model", help="Latency model: catalogue name or JSON.")
@click.option("--runs", type=click.Path(path_type=Path), help="Folder of runs.")
@click.option(
    "--observed",
    type=click.Path(path_type=Path),
    help="Trace with observed timings of the replayed requests.",
)
@slo_option
def command(
    out: Path,
    trace: Path | None,
    profile: Path | None,
    model: str | None,
    runs: Path | None,
    observed: Path | None,
    slo_targets: tuple[str, ...],
) -> None:
    """Write one self-contained HTML page OUT about a trace, a latency model and runs."""
    from workloadlab.characterization import Profile, characterize
    from workloadlab.latency import LatencyModel
    from workloadlab.reporting import report
    from workloadlab.scoring import score
    from workloadlab.trace import Runs, Trace

    if trace and profile:
        raise UsageError("--trace and --profile exclude each other")
    parts: list[Any] = []
    with working("Writing the report"):
        if trace:
            parts.append(characterize(Trace.open(trace)))
        if profile:
            parts.append(Profile.load(profile))
        if model:
            parts.append(LatencyModel.load(model))
        if runs:
            opened = Runs.open(runs)
            truth = Trace.open(observed) if observed else None
            parts += [score(opened, slo=parse_slo(slo_targets), observed=truth), opened]
        if not parts:
            raise UsageError("nothing to report", fix="give --trace, --model or --runs")
        report(out, *parts)
    say(f"report written to {out}")
