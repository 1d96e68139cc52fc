"""`workloadlab train`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workloadlab.cli.common import (
    Output,
    address_option,
    engine_option,
    json_option,
    parse_slo,
    print_json,
    say,
    slo_option,
)
from workloadlab.tables import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.routing.learned.artefact import LearnedRouter
    from workloadlab.trace import Trace


@click.command("train")
@click.argument("trace", required=False, type=click.Path(path_type=Path))
@click.option(
    "--cluster", "cluster_file", type=click.Path(path_type=Path), help="Cluster file (TOML)."
)
@click.option(
    "--target",
    type=click.Choice(["router", "output-length"]),
    default="router",
    show_default=True,
    help="output-length: predict lengths, from what the trace records beside them; needs no cluster.",
)
@click.option(
    "--method",
    default="es",
    show_default=True,
    metavar="NAME",
    help="es, imitation, auto or workload_guided.",
)
@click.option(
    "--objective",
    default="balanced",
    show_default=True,
    metavar="NAME",
    help="balanced (mean end to end, some mean TTFT, no longer p99), e2e, ttft, or goodput with --slo.",
)
@click.option(
    "--load",
    "loads",
    type=float,
    multiple=True,
    metavar="X",
    help="Arrival rate over saturation; repeat for several; default 0.7, 0.9 and 1.05.",
)
@click.option("--seeds", type=int, default=3, show_default=True, help="Number of searches.")
@click.option("--generations", type=int, help="Of one search; default as the method takes.")
@slo_option
@click.option(
    "--folder", type=Output(folder=True),
    help="Folder for configuration, seeds and curves; an interrupted training goes on there.",
)  # fmt: skip
@engine_option("Who searches, a seed each")
@address_option
@click.option("--threads", type=int, help="Replays at a time; default one per core.")
@click.option("-o", "--out", type=Output(), help="Router JSON to write.")
@click.option(
    "--explain",
    type=click.Path(path_type=Path),
    metavar="ROUTER",
    help="Instead of training: print the score of a router JSON as a formula.",
)
@click.option(
    "--onnx",
    type=Output(),
    metavar="FILE",
    help="With --explain: also write the router as an ONNX graph.",
)
@json_option
def command(
    trace: Path | None,
    cluster_file: Path | None,
    target: str,
    method: str,
    objective: str,
    loads: tuple[float, ...],
    seeds: int,
    generations: int | None,
    slo_targets: tuple[str, ...],
    folder: Path | None,
    engine: str,
    address: str | None,
    threads: int | None,
    out: Path | None,
    explain: Path | None,
    onnx: Path | None,
    as_json: bool,
) -> None:
    """Train a router on TRACE and a cluster; replay it with --router router.json.

    It learns on the first half of the trace, is chosen on the next quarter and tested on the last. If
    it does not beat the best heuristic of the shelf on that next quarter, it is refused and the file
    names the heuristic; nothing is chosen by the last.
    """
    from workloadlab.errors import UsageError
    from workloadlab.learning import LOADS, train
    from workloadlab.routing.learned.artefact import load_learned
    from workloadlab.routing.learned.onnx_file import save_onnx
    from workloadlab.simulation import Cluster
    from workloadlab.trace import Trace

    if explain is not None:
        router = load_learned(explain)
        formula = _explained(router)
        if onnx is not None:
            save_onnx(router, onnx)
            say(f"graph written to {onnx}")
        if as_json:
            print_json({"schema_version": 1, "router": str(explain), "formula": formula})
        else:
            click.echo(formula)
        return
    nothing_written = out is None and not as_json
    if target == "output-length" and trace is not None:
        if nothing_written:
            say("the predictor will not be written; name a file with -o predictor.json")
        _lengths(Trace.open(trace), out, as_json)
        return
    if trace is None or cluster_file is None:
        raise UsageError(
            "nothing to train on", fix="give a TRACE and --cluster FILE, or --explain ROUTER"
        )
    slo = parse_slo(slo_targets)
    targets = slo.to_dict() if slo else {}
    if objective == "goodput" and not targets:
        raise UsageError("goodput without targets", fix="give --slo ttft=1 or --slo tpot=50ms")
    if nothing_written:
        say("the router will not be written; name a file with -o router.json")
    router = train(
        Trace.open(trace),
        Cluster.load(cluster_file),
        method=method,
        objective=objective,
        loads=loads or LOADS,
        seeds=seeds,
        generations=generations,
        ttft_s=targets.get("ttft_s"),
        tpot_s=targets.get("tpot_s"),
        name=_name(out),
        folder=folder,
        say=_progress(),
        engine=engine,
        address=address,
        threads=threads,
    )
    if out:
        router.save(out)
        say(f"router written to {out}; replay it with --router {out}")
    if as_json:
        print_json(router.to_dict())
    else:
        click.echo(_text(router))


def _lengths(trace: Trace, out: Path | None, as_json: bool) -> None:
    """Train a predictor of output lengths, and say how good it is."""
    from workloadlab.learning.lengths.train import train_lengths

    predictor = train_lengths(trace)
    if out:
        predictor.save(out)
        say(f"predictor written to {out}; fill a trace in: wl.LengthPredictor.load({str(out)!r})")
    if as_json:
        print_json(predictor.card)
        return
    click.echo(predictor.verdict)
    for name in ("quartiles", "paper"):
        facts = predictor.card[name]
        edges = ", ".join(f"{edge:g}" for edge in facts["edges"])
        click.echo(
            f"  {name} (edges {edges}): accuracy {facts['accuracy']:.3f}, majority "
            f"{facts['majority']:.3f}"
        )
    below = predictor.card["below"]
    click.echo(
        f"  error of the median: {predictor.card['mae_tokens']:.4g} tokens, that of one number for all "
        f"{predictor.card['mae_of_the_median']:.4g}; below q50 {below['q50']:.3f}, q90 "
        f"{below['q90']:.3f}"
    )


def _name(out: Path | None) -> str:
    """Return the router's name: that of its file."""
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", out.stem) if out else "learned"


def _progress() -> Callable[[str], None]:
    """Return what shows one line that changes, on a terminal only."""
    if not sys.stderr.isatty():
        return lambda _: None
    return lambda line: click.echo(f"\r\033[K{line}", err=True, nl=False)


def _text(router: LearnedRouter) -> str:
    from workloadlab.learning import card_table

    said = wrapped(router.verdict)
    return "\n".join([said, "", _explained(router), "", card_table(router.card)])


def _explained(router: LearnedRouter) -> str:
    """Return the formula, and which signals drive it."""
    from workloadlab.learning.importance import drivers_text

    said = [*router.explain().splitlines(), drivers_text(router.provenance)]
    return "\n".join(wrapped(line, then="    ") for line in said if line)
