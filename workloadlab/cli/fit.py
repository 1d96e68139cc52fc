"""`workloadlab fit`."""

from __future__ import annotations

from pathlib import Path

import click

from workloadlab.cli.common import json_option, print_json, say, working
from workloadlab.errors import UsageError


@click.command("fit")
@click.argument("source", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Model JSON to write.")
@click.option("--estimator", default="linear", show_default=True, help="How step time is modelled.")
@click.option("--name", help="Name of the model; default from its GPU, model and tp.")
@click.option("--list", "list_models", is_flag=True, help="List the models that ship.")
@json_option
def command(
    source: Path | None,
    out: Path | None,
    estimator: str,
    name: str | None,
    list_models: bool,
    as_json: bool,
) -> None:
    """Fit a latency model on SOURCE: a step table, or a folder of operator profiles."""
    from workloadlab.latency import LatencyModel, fit

    if list_models:
        models = [LatencyModel.load(entry) for entry in LatencyModel.catalog()]
        if as_json:
            print_json({"schema_version": 1, "models": [model.to_dict() for model in models]})
        else:
            click.echo("\n".join(repr(model)[1:-1] for model in models))
        return
    if source is None:
        raise UsageError("nothing to fit", fix="name a step table or a profile folder, or --list")
    with working("Fitting"):
        model = fit(source, estimator=estimator, name=name)
    if out:
        model.save(out)
        say(f"model written to {out}")
    if as_json:
        print_json(model.to_dict())
    else:
        click.echo(str(model))
