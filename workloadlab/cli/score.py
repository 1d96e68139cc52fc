"""`workloadlab score`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workloadlab.cli.common import (
    Output,
    by_option,
    json_option,
    pairs_option,
    parse_slo,
    print_json,
    print_rows,
    say,
    slo_option,
    split_words,
    warn,
)
from workloadlab.cli.completion import ROUTER
from workloadlab.errors import UsageError
from workloadlab.tables import wrapped
from workloadlab.words import plural

if TYPE_CHECKING:
    from workloadlab.scoring import Gate
    from workloadlab.scoring.gate import Judged
    from workloadlab.trace import Runs, Trace

UNTOLD = 3
"""So many runs of which a gate cannot tell are named."""


@click.command("score")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@slo_option
@by_option
@pairs_option
@click.option(
    "--baseline",
    metavar="ROUTER",
    shell_complete=ROUTER,
    help="Compare with it; default round_robin, else the first.",
)
@click.option(
    "--fail-on",
    "gates",
    multiple=True,
    metavar="GATE",
    help="Exit with 1 if a router is beyond it: 'p99 ttft_s > +5% vs round_robin', or "
    "'slo_attainment < 0.99'; repeat for several.",
)
@click.option(
    "--observed",
    type=click.Path(path_type=Path),
    help="Trace with the observed timings of the same requests.",
)
@click.option(
    "--per-request",
    type=Output(),
    help="With --observed and one run: Parquet of every request's errors.",
)
@click.option(
    "--slice",
    "slices",
    multiple=True,
    metavar="WHAT",
    help="Also a table by tenant, class, model, task, hour or input (prompt lengths); repeat, or "
    "separate by commas.",
)
@click.option(
    "--prices",
    type=click.Path(path_type=Path),
    help="Price file (TOML) instead of the one that ships, for cost and energy.",
)
@click.option(
    "--off-policy",
    is_flag=True,
    help="With --observed: each router's mean TTFT by the log's placements alone, beside its replay.",
)
@click.option("--list-metrics", is_flag=True, help="List what is scored, with units.")
@json_option
def command(
    runs: tuple[Path, ...],
    slo_targets: tuple[str, ...],
    by: str,
    all_pairs: bool,
    baseline: str | None,
    gates: tuple[str, ...],
    observed: Path | None,
    per_request: Path | None,
    slices: tuple[str, ...],
    prices: Path | None,
    off_policy: bool,
    list_metrics: bool,
    as_json: bool,
) -> None:
    """Score the outcome traces in the folder RUNS, or a trace with timings.

    Several folders, of one trace on several clusters, become one board.
    """
    if list_metrics:
        _list_metrics(as_json)
        return
    if not runs:
        raise UsageError("no runs to score", fix="workloadlab score FOLDER")
    from workloadlab.planning import load_prices, rent_of
    from workloadlab.scoring import (
        Gate,
        Measure,
        keeps_only_scores,
        open_runs,
        request_errors,
        score,
    )
    from workloadlab.trace import Runs, Trace, write_atomically

    Measure.named(by)
    parts = split_words(slices, "--slice")
    limits = {words: Gate.of(words) for words in gates}
    only_scores = len(runs) == 1 and keeps_only_scores(runs[0])
    _refuse_scores_among(runs)
    several = {} if only_scores else {path.name: open_runs(path) for path in runs}
    if len(several) < len(runs) and not only_scores:
        again = next(path for path in runs if sum(each.name == path.name for each in runs) > 1)
        raise UsageError(
            f"{again.name} is given more than once, and names of folders name the clusters",
            fix="give each folder once; rename one of two that are called alike",
        )
    opened = Runs.joined(several) if len(runs) > 1 else several.get(runs[0].name)
    known = load_prices(prices)
    rents = {name: rent_of(each.cluster, known) for name, each in several.items()}
    truth = Trace.open(observed) if observed else None
    if truth and "client" in truth.clocks:
        say(
            "note: the observed TTFT was measured by the client, so it has the network in it, which "
            "a replay has not"
        )
    board = score(
        runs[0] if opened is None else opened,
        slo=parse_slo(slo_targets),
        observed=truth,
        baseline=baseline,
        rent={name if len(runs) > 1 else "": rent for name, rent in rents.items() if rent},
        slices=parts,
    )
    if per_request:
        if truth is None or opened is None or len(opened) != 1:
            raise UsageError("--per-request needs --observed and a folder with one run")
        errors = request_errors(opened.traces[0], truth)
        with write_atomically(per_request) as temporary:
            errors.write_parquet(temporary)
        say(f"errors of {plural(len(errors), 'request')} written to {per_request}")
    if off_policy and opened is not None:
        _say_off_policy(opened, truth)
    judged = {words: gate.judged(board) for words, gate in limits.items()}
    if as_json:
        print_json(board.to_dict() | (_gate_facts(judged) if judged else {}))
    else:
        click.echo(board.text(by, all_pairs=all_pairs))
    for words, found in judged.items():
        _say_gate(words, found, above=limits[words].above)
        _warn_of_gate(words, limits[words], limits[words].blind_to(board))
    if any(each.state == "failed" for found in judged.values() for each in found):
        click.get_current_context().exit(1)


def _gate_facts(judged: dict[str, list[Judged]]) -> dict[str, Any]:
    """Return what failed of each gate, and what was measured at each router and rate."""
    return {
        "gates": {
            words: [str(each) for each in found if each.state == "failed"]
            for words, found in judged.items()
        },
        "gate_values": {words: [asdict(each) for each in found] for words, found in judged.items()},
    }


def _say_gate(gate: str, found: list[Judged], *, above: bool) -> None:
    """Say what failed and what cannot be told, which --quiet keeps; and what passed, nearest first."""
    untold = [each for each in found if each.state == "cannot_tell"]
    shown = [("failed", each) for each in found if each.state == "failed"]
    shown += [("cannot tell", each) for each in untold[:UNTOLD]]
    for words, each in shown:
        click.echo(wrapped(f"gate {words}, {gate}: {each}"), err=True)
    if untold[UNTOLD:]:
        more = f"gate cannot tell, {gate}: {plural(len(untold) - UNTOLD, 'other run')}; see --json"
        click.echo(wrapped(more), err=True)
    passed = [each for each in found if each.state == "passed"]
    known = [each for each in passed if each.value is not None]
    if passed:
        worst = max if above else min
        nearest = worst(known, key=lambda each: each.value or 0.0) if known else passed[0]
        others = f" ({plural(len(passed) - 1, 'other run')} too)" if passed[1:] else ""
        say(wrapped(f"gate passed, {gate}: {nearest}{others}"))


def _warn_of_gate(words: str, gate: Gate, blind: list[str]) -> None:
    """Say that a gate fails the better side, or which runs without a steady state it lets pass."""
    if gate.reversed:
        sign, bad = ("<", "over") if gate.above else (">", "under")
        metric = gate.measure.metric
        warn(
            f"gate {words!r} fails what is {bad} its limit, though of {metric.name} {metric.better} is "
            f"better: a gate states the bad case, perhaps with {sign}"
        )
    if blind:
        warn(
            f"gate {words!r} passes {blind[0]}, which has no steady state"
            + (f" ({plural(len(blind) - 1, 'other run')} too)" if blind[1:] else "")
            + "; to fail it, gate goodput_rps or slo_attainment with --slo, or a latency"
        )


def _refuse_scores_among(folders: tuple[Path, ...]) -> None:
    """Refuse a sweep without outcomes beside other runs."""
    from workloadlab.scoring import keeps_only_scores

    for folder in folders if len(folders) > 1 else ():
        if keeps_only_scores(folder):
            raise UsageError(
                "holds the scores of a sweep, which cannot be joined with other runs",
                where=str(folder),
                fix='score it alone, or sweep again with keep = "outcomes"',
            )


def _say_off_policy(runs: Runs, log: Trace | None) -> None:
    from workloadlab.scoring import off_policy

    if log is None:
        raise UsageError("--off-policy needs the log", fix="give --observed LOG")
    for router in dict.fromkeys(info.router for info in runs.infos):
        outcomes = [
            trace for info, trace in runs if (info.router, info.rate_scale) == (router, 1.0)
        ]
        if outcomes:
            say(f"{router}: {off_policy(log, outcomes)}")


def _list_metrics(as_json: bool) -> None:
    from workloadlab.scoring import METRICS

    if as_json:
        listed = [
            {"name": m.name, "unit": m.unit, "better": m.better, "about": m.about} for m in METRICS
        ]
        print_json({"schema_version": 1, "metrics": listed})
        return
    better = {m.name: f", {m.better} is better" if m.better else "" for m in METRICS}
    print_rows(((m.name, f"{m.about} ({m.unit}{better[m.name]})") for m in METRICS), width=20)
