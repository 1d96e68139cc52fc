"""`workloadlab cluster`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workloadlab.cli.common import json_option, print_json, say
from workloadlab.cli.completion import MODEL
from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from workloadlab.simulation.engines import Engine
    from workloadlab.tables import Table


@click.command("cluster")
@click.argument("trace", required=False, type=click.Path(path_type=Path))
@click.option(
    "--latency",
    metavar="MODEL",
    shell_complete=MODEL,
    help="Catalogue name or model JSON of its GPU.",
)
@click.option("--engine", help="vllm or vllm-VERSION, whatever the log says.")
@click.option("--instances", type=int, help="How many, whatever the log says.")
@click.option("--list-engines", is_flag=True, help="List what engines ship with, by version.")
@json_option
def command(
    trace: Path | None,
    latency: str | None,
    engine: str | None,
    instances: int | None,
    list_engines: bool,
    as_json: bool,
) -> None:
    """Write the cluster that served TRACE as TOML: what the log knows, else what its engine ships.

    From a log to a cluster: workloadlab cluster prod.trace --latency MODEL > cluster.toml
    """
    if list_engines:
        _list_engines(as_json)
        return
    if trace is None or latency is None:
        raise UsageError(
            "no log or no latency model to make a cluster of",
            fix="workloadlab cluster TRACE --latency MODEL (workloadlab fit --list shows models)",
        )
    from workloadlab.simulation import Cluster
    from workloadlab.simulation.cluster_text import cluster_text
    from workloadlab.simulation.log_facts import contradictions, settings_of
    from workloadlab.trace import Trace

    opened = Trace.open(trace)
    options = {"engine": engine, "instances": instances}
    given = {name: value for name, value in options.items() if value is not None}
    made = Cluster.from_trace(opened, latency, **given)
    logged = set(settings_of(opened)) - set(given)
    if not opened.provenance.system:
        say(f"{trace} records nothing of its engine: every value is a default of "
            f"{made.pools[0].engine}")  # fmt: skip
    for words in contradictions(made.pools, opened):
        say(f"warning: {words}")
    if as_json:
        print_json({"schema_version": 1, "cluster": made.to_dict(), "from_log": sorted(logged)})
        return
    click.echo(cluster_text(made, latency, logged=logged, given=given), nl=False)


def _list_engines(as_json: bool) -> None:
    from workloadlab.simulation.engines import ENGINES

    if as_json:
        print_json({"schema_version": 1, "engines": [row.to_dict() for row in ENGINES]})
        return
    click.echo(_listed(ENGINES).text())


def _listed(engines: tuple[Engine, ...]) -> Table:
    from workloadlab.tables import Table

    rows: list[list[Any]] = [
        [
            row.label,
            "on" if row.prefix_caching else "off",
            "on" if row.async_scheduling else "off",
            "on" if row.reserve_full_isl else "off",
            row.gpu_memory_utilization,
            row.block_size,
        ]
        for row in engines
    ]
    header = ["since", "prefix caching", "async", "reserve full isl", "memory", "block"]
    batches: dict[str, list[str]] = {}
    for row in engines:
        batches.setdefault("; ".join(batch.words for batch in row.batches), []).append(row.label)
    limits = (f"{', '.join(labels)}: {words}" for words, labels in batches.items())
    notes = [
        "Tokens of a step (server/offline) and sequences, by memory of the GPU:",
        *limits,
        "Sources:",
        *(f"{row.label}: {row.source}" for row in engines),
    ]
    return Table("What engines ship with", header, rows, notes)
