"""`workloadlab fit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workloadlab.cli.common import Output, json_option, print_json, print_rows, say, working
from workloadlab.errors import UsageError
from workloadlab.latency.estimators.registry import ESTIMATORS

if TYPE_CHECKING:
    from workloadlab.latency import LatencyModel


@click.command("fit")
@click.argument("source", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--out", type=Output(), help="Model JSON to write.")
@click.option(
    "--estimator",
    default="linear",
    show_default=True,
    help=f"How step time is modelled: {', '.join(ESTIMATORS)}; auto chooses by cross-validation and "
    "says why.",
)
@click.option("--intervals", is_flag=True, help="Also estimate the spread around predictions.")
@click.option("--name", help="Name of the model; default from its GPU, model and tp.")
@click.option("--model", help="Which model, if SOURCE measured several or only kernels.")
@click.option("--gpu", help="Which GPU, if SOURCE measured several.")
@click.option("--tp", type=int, help="Which tensor-parallel degree, if SOURCE measured several.")
@click.option("--dtype", help="Which dtype of the weights, if SOURCE measured several.")
@click.option(
    "--expert-parallel",
    type=int,
    metavar="RANKS",
    help="Data-parallel ranks that share the experts of SOURCE and step together.",
)
@click.option(
    "--link-latency-s",
    type=float,
    metavar="S",
    help="Seconds of a collective between GPUs whatever it sends, such as 20e-6.",
)
@click.option(
    "--link-bytes-s",
    type=float,
    metavar="B",
    help="Bytes per second of its traffic, such as 16e9.",
)
@click.option(
    "--requests",
    is_flag=True,
    help="Fit TTFT and TPOT on rows of router features; of a "
    "folder each file is a mix, and the card judges each by a fit of the others.",
)
@click.option("--list", "list_models", is_flag=True, help="List the models that ship.")
@json_option
def command(
    source: Path | None,
    out: Path | None,
    estimator: str,
    intervals: bool,
    name: str | None,
    requests: bool,
    list_models: bool,
    as_json: bool,
    **choice: Any,
) -> None:
    """Fit a latency model on SOURCE: a step table, or published profiles of operators or steps."""
    from workloadlab.latency import LatencyModel, fit

    if list_models:
        models = [LatencyModel.load(entry) for entry in LatencyModel.catalog()]
        if as_json:
            print_json({"schema_version": 1, "models": [model.to_dict() for model in models]})
        else:
            _print_models(models)
        return
    if source is None:
        raise UsageError("nothing to fit", fix="name a step table or a profile folder, or --list")
    if requests:
        _fit_requests(source, out, name, as_json)
        return
    given = {option: value for option, value in choice.items() if value is not None}
    with working("Fitting"):
        model = fit(source, estimator=estimator, name=name, intervals=intervals, **given)
    if out:
        model.save(out)
        say(f"model written to {out}")
    if as_json:
        print_json(model.to_dict())
    else:
        click.echo(str(model))


def _print_models(models: list[LatencyModel]) -> None:
    click.echo("Latency models that ship, with their mean error on steps held out")
    print_rows(
        (
            (
                f"  {m.name}",
                f"{m.model} on {m.tp} x {m.gpu}, {m.dtype}"
                + (f", {m.card.overall.mape:.1%}" if m.card else ""),
            )
            for m in models
        ),
        width=31,
    )


def _fit_requests(source: Path, out: Path | None, name: str | None, as_json: bool) -> None:
    from workloadlab.latency import fit_requests

    with working("Fitting"):
        model = fit_requests(source, name=name or source.name.split(".")[0])
    if out:
        model.save(out)
        say(f"model written to {out}")
    if as_json:
        print_json(model.to_dict())
    else:
        click.echo(str(model))
