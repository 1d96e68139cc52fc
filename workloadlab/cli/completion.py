"""`workloadlab completion`, and what a shell completes: routers, models, queries, formats, metrics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import get_completion_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["FORMAT", "METRIC", "MODEL", "QUERY", "ROUTER", "command"]

Complete = Any
"""What click calls with a context, a parameter and the word so far."""


def _completes(names: Callable[[], Iterable[str]]) -> Complete:
    """Return what completes the last of several words that commas separate."""

    def complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
        before, comma, word = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in names() if name.startswith(word)]

    return complete


def _routers() -> list[str]:
    from workloadlab.oracles.registry import ORACLES
    from workloadlab.routing import SHELF

    return [*SHELF, *ORACLES]


def _models() -> list[str]:
    from workloadlab.latency import LatencyModel

    return LatencyModel.catalog()


def _queries() -> list[str]:
    from workloadlab.sql import queries

    return [query.name for query in queries()]


def _formats() -> list[str]:
    from workloadlab.ingestion import FORMATS

    return [known.name for known in FORMATS]


def _metrics() -> list[str]:
    from workloadlab.scoring import METRICS

    return [metric.name for metric in METRICS]


ROUTER, MODEL, QUERY = _completes(_routers), _completes(_models), _completes(_queries)
FORMAT, METRIC = _completes(_formats), _completes(_metrics)


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(shell: str, as_json: bool) -> None:
    """Print what makes SHELL complete verbs, options, routers, models, queries and formats."""
    from workloadlab.cli.main import cli

    made = get_completion_class(shell)
    if made is None:  # pragma: no cover  click has all three
        raise click.UsageError(f"click knows no shell {shell}")
    complete = made(cli, {}, "workloadlab", "_WORKLOADLAB_COMPLETE")
    script = _source(complete)
    facts = {"schema_version": 1, "shell": shell, "script": script}
    click.echo(json.dumps(facts) if as_json else script)


def _source(complete: Any) -> str:
    """Return the script, without the test of bash's version, which starts a shell."""
    text: str = complete.source_template % complete.source_vars()
    return text
