"""`workloadlab replay`."""

from __future__ import annotations

import json
import operator
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from workloadlab.cli import sweep
from workloadlab.cli.common import (
    Output,
    by_option,
    json_option,
    memory_option,
    pairs_option,
    parse_slo,
    say,
    say_warnings,
    slo_option,
    split_words,
    warn,
    working,
)
from workloadlab.cli.completion import MODEL, ROUTER
from workloadlab.cli.listings import print_routers, print_signals
from workloadlab.errors import ContradictionWarning, ExtrapolationWarning, UsageError
from workloadlab.tables import wrapped
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.routing import Router
    from workloadlab.scoring import RunScore
    from workloadlab.simulation import Cluster
    from workloadlab.trace import Runs, Trace

FROM_LOG = "from-log"
"""Instead of a cluster file: the cluster that the trace's provenance describes."""


@click.command("replay")
@click.argument("trace", required=False, type=click.Path(path_type=Path))
@click.option(
    "--cluster",
    "cluster_file",
    type=click.Path(path_type=Path),
    help="Cluster file (TOML); from-log, with --latency: what the log knows of its engine, and else "
    "what that engine ships with.",
)
@click.option(
    "--latency",
    metavar="MODEL",
    shell_complete=MODEL,
    help="Instead of a file: a catalogue name or model JSON. What is not given is what the engine "
    "ships with: workloadlab cluster --list-engines.",
)
@click.option(
    "--engine",
    help="With --latency: vllm or vllm-VERSION; default the newest known. With --sweep: who runs it, "
    "local, dask or ray.",
)
@click.option("--instances", type=int, help="With --latency: how many instances; default 4.")
@click.option("--kv-blocks", type=int, help="With --latency: per instance; default what fits.")
@click.option("--max-num-seqs", type=int, help="With --latency; default as the engine ships.")
@click.option(
    "--max-num-batched-tokens", type=int, help="With --latency; default as the engine ships."
)
@click.option("--step-overhead-s", type=float, help="With --latency; default 0.001.")
@click.option(
    "--ends",
    type=click.Choice(["max_tokens", "eos"]),
    help="With --latency: what ends an output; with asynchronous scheduling eos costs a decode in vain. "
    "Default max_tokens.",
)
@click.option(
    "--router",
    "routers",
    multiple=True,
    metavar="NAME",
    shell_complete=ROUTER,
    help="Router or oracle name, my_router.py or my_router.py:name; repeat, or separate by commas; "
    "predicted_latency, llmd_latency and polyserve take =MODEL, a catalogue name or the JSON of a "
    "latency or request model to predict with; all: every built-in router that the trace and the "
    "cluster can serve, no oracle that simulates; default round_robin,least_requests.",
)
@click.option(
    "--rate-scale",
    "scales",
    multiple=True,
    metavar="X",
    help="Arrival rate relative to the trace; repeat, or separate by commas; default 1.",
)
@click.option("--seeds", type=int, default=1, show_default=True, help="Number of seeds.")
@click.option(
    "--sessions",
    type=click.Choice(["open", "closed", "clients"]),
    default="open",
    show_default=True,
    help="closed: a turn waits for the end of the one before it, plus think time; clients: a request "
    "waits for the end of its client's one before.",
)
@click.option(
    "--record",
    "records",
    multiple=True,
    metavar="WHAT",
    help="Also write steps or decisions of routers (Parquet, with -o); repeat, or separate by commas.",
)
@click.option("--threads", type=int, help="Runs at a time; default one per core.")
@memory_option(
    "Memory that the data of the replay may use, such as 4GB; the program takes some 300 MB besides."
)
@click.option("-o", "--out", type=Output(folder=True), help="Folder for the outcome traces.")
@click.option("--add", is_flag=True, help="Join the runs that are in the folder already.")
@click.option("--overwrite", is_flag=True, help="Replace the runs that are in the folder already.")
@sweep.sweep_options
@slo_option
@by_option
@pairs_option
@click.option("--list-routers", is_flag=True, help="List the routers that ship.")
@click.option("--list-signals", is_flag=True, help="List what a router sees.")
@json_option
def command(
    trace: Path | None,
    cluster_file: Path | None,
    routers: tuple[str, ...],
    scales: tuple[str, ...],
    seeds: int,
    sessions: Literal["open", "closed", "clients"],
    records: tuple[str, ...],
    threads: int | None,
    memory_limit: int | None,
    out: Path | None,
    add: bool,
    overwrite: bool,
    slo_targets: tuple[str, ...],
    by: str,
    all_pairs: bool,
    list_routers: bool,
    list_signals: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Replay TRACE on a cluster through routers; write the outcomes, print scores and a verdict."""
    given = dict(click.get_current_context().params)
    if list_routers or list_signals:
        (print_routers if list_routers else print_signals)(as_json)
        return
    if records and out is None:
        raise UsageError("--record without a place to write to", fix="name a folder with -o")
    if trace is None:
        raise UsageError("no trace to replay", fix="workloadlab replay TRACE --cluster FILE")
    if sweep.ran(trace, given):
        return
    from workloadlab.scoring import OUTSIDE_WORTH_A_WARNING, Measure, between, score
    from workloadlab.simulation.preparation import refusals
    from workloadlab.trace import Trace, check_target

    if out:
        check_target(out, add=add, overwrite=overwrite)
    elif add or overwrite:
        raise UsageError("no folder to write to", fix="name the folder of the runs with -o")
    Measure.named(by)
    targets = parse_slo(slo_targets)
    opened = Trace.open(trace)
    own = {name: value for name, value in options.items() if name not in sweep.OPTIONS}
    cluster = _cluster(cluster_file, opened, own)
    setting: dict[str, Any] = {
        "rate_scale": [_number(word) for word in split_words(scales, "--rate-scale")] or [1.0],
        "seeds": seeds,
        "threads": threads,
        "memory_limit": memory_limit,
    }
    refused = list(refusals(opened, cluster))
    for words in refused if as_json else ():
        warn(words)
    asked = (split_words(routers, "--router"), setting, sessions)
    told = say_warnings(ContradictionWarning, unsaid=ExtrapolationWarning)
    with sweep.telling_what_is_lost(out), told:
        runs = _replay(opened, cluster, *asked, split_words(records, "--record"))
        board = score(runs, slo=targets)
        outside = any(run.outside_share > OUTSIDE_WORTH_A_WARNING for run in board.runs)
        if outside and (ends := cluster.ends()) != (cluster, cluster):
            for words in between(*(score(_replay(opened, end, *asked, [])) for end in ends)):
                warn(words)
    if out:
        runs.save(out, add=add, overwrite=overwrite)
        say(f"{plural(len(runs), 'run')} written to {out}")
    for words in _warnings(board.runs, cluster):
        warn(words)
    lost = any(run.served < run.requests for run in board.runs)
    why = "".join(f"\n{wrapped(f'Not served: {words}.')}" for words in refused if lost)
    click.echo(board.to_json() if as_json else board.text(by, all_pairs=all_pairs) + why)


def _warnings(runs: list[RunScore], cluster: Cluster) -> Iterator[str]:
    """Say what a reader of the table must know about runs."""
    from workloadlab.scoring import OUTSIDE_WORTH_A_WARNING

    outside = [run for run in runs if run.outside_share > OUTSIDE_WORTH_A_WARNING]
    if outside:
        most = max(outside, key=lambda run: run.outside_share)
        others = plural(len(outside) - 1, "other run")
        yield (
            f"{most.run_id}: {most.outside_share:.1%} of the steps lie outside the latency model's "
            "domain and are extrapolated"
            + (
                f"; fewer, but over {OUTSIDE_WORTH_A_WARNING:.0%}, in {others}"
                if outside[1:]
                else ""
            )
            + "; for times to rely on, fit or calibrate a model on a load like this"
        )
    for run in runs:
        end_s = run.makespan_s
        late = [event for event in cluster.events if end_s is not None and event.at_s > end_s]
        if late and run.served == run.requests:
            yield (
                f"{run.run_id}: {len(late):,} of {plural(len(cluster.events), 'event')} after "
                "its end at "
                f"{end_s:,.0f} s; at_s counts seconds of the replay, whatever the rate scale"
            )


def _replay(
    trace: Trace,
    cluster: Cluster,
    words: list[str],
    setting: dict[str, Any],
    sessions: Literal["open", "closed", "clients"],
    records: list[str],
) -> Runs:
    """Replay with the routers and the oracles that the words name."""
    from workloadlab.oracles.registry import ORACLES
    from workloadlab.simulation import replay

    oracles = list(dict.fromkeys(word for word in words if word in ORACLES))
    routers = [word for word in words if word not in ORACLES]
    if oracles and sessions != "open":
        raise UsageError(
            f"--router {oracles[0]} with --sessions {sessions}: an oracle compares choices over the "
            "same arrivals, and in a closed loop these depend on the choices",
            fix="replay oracles with open sessions",
        )
    parts: list[Runs] = []
    if routers or not oracles:
        with working("Replaying"):
            parts.append(
                replay(
                    trace,
                    cluster,
                    routers=_routers(routers, trace, cluster),
                    sessions=sessions,
                    record=records,
                    **setting,
                )
            )
    if oracles:
        from workloadlab.oracles import replay_oracles

        with working(f"Simulating every choice: {', '.join(oracles)}"):
            parts.append(replay_oracles(trace, cluster, oracles, **setting))
    return reduce(operator.add, parts)


def _routers(words: list[str], trace: Trace, cluster: Cluster) -> list[str | Router]:
    """Return the routers that the words mean, `all` being every built-in that can run."""
    if "all" not in words:
        return [*words] or ["round_robin", "least_requests"]
    from workloadlab.routing import SHELF, compatible_routers

    caching = any(pool.prefix_caching for pool in cluster.pools)
    able, refused = compatible_routers(trace, prefix_caching=caching)
    for name, reason in refused.items():
        say(f"left out: {name} {reason}")
    return [*able, *(word for word in words if word != "all" and word not in SHELF)]


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise UsageError(f"--rate-scale {word!r} is not a number") from None


def _cluster(
    cluster_file: Path | None, trace: Trace, options: dict[str, str | float | None]
) -> Cluster:
    from workloadlab.simulation import Cluster

    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    from_log = str(cluster_file) == FROM_LOG
    if cluster_file is not None and not from_log:
        if given:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            keys = ", ".join(f"{name} = {json.dumps(value)}" for name, value in given.items())
            raise UsageError(
                f"--cluster and {names} exclude each other",
                fix=f"write {keys} in {cluster_file}, under [[pool]]",
            )
        return Cluster.load(cluster_file)
    if "latency" not in given:
        raise UsageError(
            "no latency model for the log's cluster" if from_log else "no cluster to replay on",
            fix="give --latency MODEL (workloadlab fit --list shows models)"
            if from_log
            else "give --cluster FILE, or --latency MODEL --instances N "
            "(workloadlab fit --list shows models)",
        )
    latency = str(given.pop("latency"))
    if from_log:
        return Cluster.from_trace(trace, latency, **given)
    return Cluster.uniform(int(given.pop("instances", 4)), latency, **given)
