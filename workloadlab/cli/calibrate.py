"""`workloadlab calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from workloadlab.cli.common import Output, json_option, print_json, say, working
from workloadlab.cli.completion import MODEL, ROUTER

if TYPE_CHECKING:
    from workloadlab.simulation import Cluster


@click.command("calibrate")
@click.argument(
    "traces", nargs=-1, required=True, metavar="TRACE...", type=click.Path(path_type=Path)
)
@click.option(
    "--cluster",
    "cluster_file",
    required=True,
    type=click.Path(path_type=Path),
    help="Cluster file (TOML) with the limits of the engine that served the log; `latency` may be "
    "left out and is not used.",
)
@click.option(
    "--start",
    metavar="MODEL",
    shell_complete=MODEL,
    help="Catalogue name or model JSON of which only the scale moves.",
)
@click.option(
    "--router",
    metavar="NAME",
    shell_complete=ROUTER,
    help="Router that placed the requests, if the log does not say.",
)
@click.option(
    "--sessions",
    type=click.Choice(["open", "closed", "clients"]),
    default="open",
    show_default=True,
    help="What released a request in the log: the clock, the turn before it, or its client's last "
    "answer.",
)
@click.option(
    "--extra",
    multiple=True,
    metavar="PARAMETER",
    help="Move it too: prefill_step_s or request_overhead_s; repeat for both.",
)
@click.option("--name", help="Name of the model.")
@click.option("-o", "--out", type=Output(), help="Model JSON to write.")
@json_option
def command(
    traces: tuple[Path, ...],
    cluster_file: Path,
    start: str | None,
    router: str | None,
    sessions: Literal["open", "closed", "clients"],
    extra: tuple[str, ...],
    name: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Fit a latency model on the request timings in TRACE, by simulating the log until it agrees.

    Several traces are runs of one engine, such as the levels of a load test. Replay the model with the
    step_overhead_s of the cluster file: the model holds the rest.

    Printed are the parameters with 95 % intervals, which allow for noise in the engine's steps; errors
    on the rest of the log after fits of its first 30, 40, 50, 60 and 70 %; limits of the cluster file
    that the log contradicts, as likely causes of errors; and the batches that the log ran, beyond
    which the model extrapolates.
    """
    from workloadlab.calibration import calibrate, describe
    from workloadlab.trace import Trace

    cluster = cluster_to_calibrate(cluster_file)
    with working("Calibrating (thousands of simulations)", rounds=True):
        model = calibrate(
            [Trace.open(trace) for trace in traces],
            cluster,
            start=start,
            router=router,
            name=name,
            sessions=sessions,
            extra=extra,
        )
    if out:
        model.save(out)
        say(f"model written to {out}; replay it with step_overhead_s = "
            f"{model.system['step_overhead_s']:g}, as in {cluster_file}")  # fmt: skip
        if "request_overhead_s" in extra:
            say(
                f"and write request_overhead_s = {model.system['request_overhead_s']:g} in the cluster"
            )
    if as_json:
        print_json(model.to_dict())
    else:
        click.echo(describe(model))


def cluster_to_calibrate(path: Path) -> Cluster:
    """Read the cluster; one pool without a latency model is fine, that is what is sought."""
    from workloadlab.errors import DataError, UsageError
    from workloadlab.latency import LatencyModel
    from workloadlab.simulation import Cluster
    from workloadlab.toml_files import read_table

    pools = read_table(path, "cluster file").get("pool", [])
    if isinstance(pools, list) and len(pools) == 1 and "latency" not in pools[0]:
        limits = dict(pools[0])
        sought = LatencyModel.linear(name="sought")
        try:
            return Cluster.uniform(limits.pop("instances", 1), sought, **limits)
        except UsageError as error:
            raise DataError(error.what, where=f"{path}, pool 1", fix=error.fix) from error
    return Cluster.load(path)
