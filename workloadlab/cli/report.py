"""`workloadlab report`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from workloadlab.cli.common import (
    Output,
    json_option,
    parse_slo,
    print_json,
    say,
    slo_option,
    working,
)
from workloadlab.cli.completion import MODEL
from workloadlab.errors import UsageError


@click.command("report")
@click.argument("out", type=Output())
@click.option("--trace", type=click.Path(path_type=Path), help="Trace to characterize.")
@click.option(
    "--profile", type=click.Path(path_type=Path), help="Profile JSON, instead of --trace."
)
@click.option(
    "--model",
    "models",
    multiple=True,
    shell_complete=MODEL,
    help="Latency model or calibration: catalogue name or JSON; repeat for several. With --trace the "
    "first also for phases and demand.",
)
@click.option(
    "--runs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of runs, or a trace with timings; repeat for several boards.",
)
@click.option(
    "--plan",
    "plans",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Plan JSON, from workloadlab plan --json; repeat for several.",
)
@click.option(
    "--router",
    "routers",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Learned router JSON, from workloadlab train; repeat for several.",
)
@click.option(
    "--observed",
    type=click.Path(path_type=Path),
    help="Trace with observed timings of the replayed requests.",
)
@slo_option
@json_option
def command(
    out: Path,
    trace: Path | None,
    profile: Path | None,
    models: tuple[str, ...],
    runs: tuple[Path, ...],
    plans: tuple[Path, ...],
    routers: tuple[Path, ...],
    observed: Path | None,
    slo_targets: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write one self-contained HTML page OUT about a trace, models, plans, runs and routers."""
    from workloadlab.characterization import Profile, characterize
    from workloadlab.latency import LatencyModel
    from workloadlab.planning import Plan
    from workloadlab.reporting import report, summarise
    from workloadlab.routing.learned.artefact import load_learned
    from workloadlab.scoring import open_runs, score
    from workloadlab.trace import Trace

    if trace and profile:
        raise UsageError("--trace and --profile exclude each other")
    if not (trace or profile or models or runs or plans or routers):
        raise UsageError(
            "nothing to report", fix="give --trace, --profile, --model, --plan, --runs or --router"
        )
    parts: list[Any] = []
    with working("Writing the report"):
        known = [LatencyModel.load(model) for model in models]
        if trace:
            parts.append(characterize(Trace.open(trace), known[0] if known else None))
        if profile:
            parts.append(Profile.load(profile))
        parts += known
        parts += [Plan.load(path) for path in plans]
        parts += [load_learned(path) for path in routers]
        truth = Trace.open(observed) if observed else None
        for folder in runs:
            opened = open_runs(folder)
            parts += [score(opened, slo=parse_slo(slo_targets), observed=truth), opened]
        report(out, *parts, date=f"{datetime.now(UTC):%Y-%m-%d}")
    say(f"report written to {out}")
    if as_json:
        print_json({"schema_version": 1, "report": str(out), **summarise(*parts)})
