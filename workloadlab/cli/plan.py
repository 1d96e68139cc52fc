"""`workloadlab plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workloadlab.cli.common import json_option, parse_slo, say, slo_option, working
from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from workloadlab.simulation import Cluster
    from workloadlab.trace import Trace


@click.command("plan")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "--cluster",
    "cluster_file",
    required=True,
    type=click.Path(path_type=Path),
    help="Cluster file (TOML); its number of instances does not matter.",
)
@slo_option
@click.option(
    "--attain",
    type=float,
    default=0.99,
    show_default=True,
    help="Share that must meet the targets.",
)
@click.option(
    "--router",
    "routers",
    multiple=True,
    metavar="NAME",
    help="As for replay; repeat, or separate by commas; default round_robin,least_requests.",
)
@click.option("--pool", metavar="NAME", help="Pool to plan, where there are several.")
@click.option(
    "--window", "window_s", type=float, metavar="S", help="Width of a window; default an hour."
)
@click.option(
    "--growth",
    "factors",
    default="1.1,1.25,1.5,2",
    show_default=True,
    metavar="X,...",
    help="Factors on the peak's rate to plan for besides.",
)
@click.option(
    "--start-up", "start_up_s", type=float, default=120.0, show_default=True, metavar="S",
    help="Until a new instance serves, for the bound of an autoscaler.",
)  # fmt: skip
@click.option(
    "--prices",
    type=click.Path(path_type=Path),
    help="Price file (TOML) instead of the one that ships.",
)
@click.option(
    "--from-log", is_flag=True,
    help="First calibrate a latency model on the timings in TRACE, instead of the cluster's.",
)  # fmt: skip
@click.option("--threads", type=int, help="Searches at a time; default one per core.")
@json_option
def command(
    trace: Path,
    cluster_file: Path,
    slo_targets: tuple[str, ...],
    attain: float,
    routers: tuple[str, ...],
    factors: str,
    from_log: bool,
    prices: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the least number of instances that serves TRACE at a service level."""
    from workloadlab.planning import load_prices, plan
    from workloadlab.trace import Trace

    slo = parse_slo(slo_targets)
    if slo is None:
        raise UsageError("a plan needs targets", fix="give --slo ttft=1,tpot=0.05")
    opened = Trace.open(trace)
    rents = load_prices(prices)
    names = [part.strip() for word in routers for part in word.split(",") if part.strip()]
    cluster = _calibrated(opened, cluster_file) if from_log else _load(cluster_file)
    with working("Planning (a simulation for each number of instances)"):
        found = plan(
            opened,
            cluster,
            slo=slo,
            attain=attain,
            routers=names or ["round_robin", "least_requests"],
            prices=rents,
            growth=_numbers(factors),
            **options,
        )
    click.echo(found.to_json() if as_json else found.text())


def _numbers(words: str) -> list[float]:
    try:
        return [float(word) for word in words.split(",") if word.strip()]
    except ValueError:
        raise UsageError(f"--growth {words!r}", fix="write factors, such as 1.5,2") from None


def _load(cluster_file: Path) -> Cluster:
    from workloadlab.simulation import Cluster

    return Cluster.load(cluster_file)


def _calibrated(trace: Trace, cluster_file: Path) -> Cluster:
    """Return the cluster with a latency model fitted on the log's timings."""
    from dataclasses import replace

    from workloadlab.calibration import calibrate
    from workloadlab.cli.calibrate import cluster_to_calibrate

    cluster = cluster_to_calibrate(cluster_file)
    with working("Calibrating (thousands of simulations)"):
        model = calibrate(trace, cluster)
    if model.card:
        say(f"calibrated on {trace.requests:,} requests: {model}")
    (pool,) = cluster.pools
    return replace(cluster, pools=(replace(pool, latency=model),))
