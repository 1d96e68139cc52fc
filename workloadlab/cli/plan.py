"""`workloadlab plan`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workloadlab.cli.common import (
    json_option,
    parse_slo,
    print_json,
    say,
    slo_option,
    split_words,
    working,
)
from workloadlab.cli.completion import ROUTER
from workloadlab.errors import UsageError
from workloadlab.tables import wrapped
from workloadlab.words import plural

if TYPE_CHECKING:
    from workloadlab.planning import Plan
    from workloadlab.simulation import Cluster
    from workloadlab.trace import Trace

FROM_LOG = "from-log"
"""Instead of a cluster file: the cluster that the trace's provenance describes."""


def _refuse_rate_scale(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> None:
    """Name what a plan has for it to whoever comes from `replay`."""
    if value is not None:
        raise UsageError("a plan has no --rate-scale", fix=f"more traffic is --growth {value}")


@click.command("plan")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "--cluster",
    "cluster_files",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="Cluster file (TOML); its number of instances does not matter. Repeat to compare kinds of GPU "
    "or tp; the cheapest comes first. With --from-log: from-log takes the engine from the log too.",
)
@slo_option
@click.option(
    "--attain",
    default="0.99",
    show_default=True,
    help="Share that must meet the targets, such as 0.99 or 99%.",
)
@click.option(
    "--router",
    "routers",
    multiple=True,
    metavar="NAME",
    shell_complete=ROUTER,
    help="As for replay; repeat, or separate by commas; default round_robin,least_requests.",
)
@click.option("--pool", metavar="NAME", help="Pool to plan, where there are several.")
@click.option(
    "--window",
    "window_s",
    type=float,
    metavar="S",
    help="Width of a window; default an hour, or the whole of a trace under two.",
)
@click.option(
    "--growth",
    "factors",
    default="1.1,1.25,1.5,2",
    show_default=True,
    metavar="X,...",
    help="Factors on the peak's rate to plan for besides.",
)
@click.option("--rate-scale", hidden=True, expose_value=False, callback=_refuse_rate_scale)
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
@click.option(
    "--latency", metavar="MODEL",
    help="With --cluster from-log: the model to start from, a catalogue name or JSON.",
)  # fmt: skip
@click.option(
    "--mix", is_flag=True,
    help="Find the cheapest mix of the two pools of the cluster, with the first router.",
)  # fmt: skip
@click.option("--threads", type=int, help="Searches at a time; default one per core.")
@json_option
def command(
    trace: Path,
    cluster_files: tuple[Path, ...],
    slo_targets: tuple[str, ...],
    attain: str,
    routers: tuple[str, ...],
    factors: str,
    from_log: bool,
    latency: str | None,
    mix: bool,
    prices: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the least number of instances that serves TRACE at a service level."""
    from workloadlab.planning import load_prices, mixes, plan
    from workloadlab.trace import Trace

    slo = parse_slo(slo_targets)
    if slo is None:
        raise UsageError("a plan needs targets", fix="give --slo ttft=1,tpot=0.05")
    growth = _numbers(factors)
    opened = Trace.open(trace)
    rents = load_prices(prices)
    names = split_words(routers, "--router")
    clusters = [_cluster(opened, path, latency, from_log=from_log) for path in cluster_files]
    routers_asked = names or ["round_robin", "least_requests"]
    if mix:
        asked = names[0] if names else "least_requests"
        with working("Planning mixes", rounds=True):
            found = mixes(opened, clusters[0], slo=slo, attain=attain, router=asked, prices=rents,
                          threads=options["threads"])  # fmt: skip
        if as_json:
            print_json({"schema_version": 1, **found.to_dict()})
        else:
            said = wrapped(found.sentence)
            click.echo(f"{found.table().text()}\n\n{said}" if found.found else said)
        return
    with working("Planning", rounds=True):
        plans = [
            plan(opened, cluster, slo=slo, attain=attain, routers=routers_asked, prices=rents,
                 growth=growth, **options)
            for cluster in clusters
        ]  # fmt: skip
    plans.sort(key=_rent)
    if as_json and len(plans) > 1:
        print_json({"schema_version": 1, "plans": [each.to_dict() for each in plans]})
        return
    click.echo(plans[0].to_json() if as_json else "\n\n\n".join(each.text() for each in plans))
    if len(plans) > 1:
        click.echo("\n" + wrapped(f"Cheapest: {plans[0].sentence}"))


def _rent(found: Plan) -> float:
    """Return the rent, by which plans are ordered; GPUs where no price is known."""
    if found.instances is None:
        return float("inf")
    usd = found.usd_per_hour(found.instances)
    return found.instances * found.gpus_per_instance if usd is None else usd


def _numbers(words: str) -> list[float]:
    try:
        factors = [float(word) for word in words.split(",") if word.strip()]
    except ValueError:
        factors = [math.nan]
    if not all(0 < factor < math.inf for factor in factors):
        raise UsageError(f"--growth {words!r}", fix="write factors above 0, such as 1.5,2")
    return factors


def _cluster(trace: Trace, cluster_file: Path, latency: str | None, *, from_log: bool) -> Cluster:
    """Return the cluster of a file or of the log, with a latency model fitted on the log if asked."""
    from dataclasses import replace

    from workloadlab.simulation import Cluster

    if str(cluster_file) == FROM_LOG:
        if latency is None:
            raise UsageError(
                "--cluster from-log names no latency model", fix="give --latency MODEL"
            )
        cluster = Cluster.from_trace(trace, latency)
    elif from_log:
        from workloadlab.cli.calibrate import cluster_to_calibrate

        cluster = cluster_to_calibrate(cluster_file)
    else:
        cluster = Cluster.load(cluster_file)
    if not from_log:
        return cluster
    from workloadlab.calibration import calibrate

    with working("Calibrating (thousands of simulations)", rounds=True):
        model = calibrate(trace, cluster)
    if model.card:
        say(f"calibrated on {plural(trace.requests, 'request')}: {model}")
        for note in model.system["calibration"]["notes"]:
            say(note)
    (pool,) = cluster.pools
    return replace(cluster, pools=(replace(pool, latency=model),))
