"""`workloadlab query`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from workloadlab.cli.common import json_option, memory_option, pairs, print_json
from workloadlab.cli.completion import QUERY
from workloadlab.errors import UsageError


def _seconds(_: click.Context, __: click.Parameter, given: float | None) -> float:
    from workloadlab.sql.sandbox import allowed_seconds

    return allowed_seconds("--time-limit", given)


@click.command("query")
@click.argument("name", required=False, shell_complete=QUERY)
@click.argument("trace", required=False, type=click.Path(path_type=Path))
@click.option(
    "--param", "params", multiple=True, metavar="KEY=VALUE", help="Parameter of the query."
)
@click.option(
    "--sql", metavar="SELECT", help="SQL of your own, instead of NAME; the table is `trace`."
)
@click.option("--list", "list_queries", is_flag=True, help="List the queries that ship.")
@click.option(
    "--time-limit",
    type=float,
    metavar="S",
    callback=_seconds,
    help="Seconds it may take, a day at most; default 60.",
)
@memory_option("Memory it may use, such as 4GB.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@json_option
def command(
    name: str | None,
    trace: Path | None,
    params: tuple[str, ...],
    sql: str | None,
    list_queries: bool,
    time_limit: float,
    memory_limit: int | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Run the named SQL (or a .sql file) NAME over TRACE."""
    import polars as pl
    from polars import selectors as cs

    from workloadlab.sql import queries, query
    from workloadlab.tables import Table

    if list_queries and as_json:
        print_json({"schema_version": 1, "queries": [entry.to_dict() for entry in queries()]})
        return
    if list_queries:
        for entry in queries():
            click.echo(f"{entry.name:<22} {entry.title:<32} {entry.topic}")
        return
    if sql is not None and trace is None:
        name, trace = None, Path(name) if name else None
    if (name is None) == (sql is None) or trace is None:
        raise UsageError(
            "a query needs a name, or --sql, and a trace",
            fix="workloadlab query NAME TRACE, or workloadlab query --sql 'SELECT ...' TRACE",
        )
    frame = query(
        str(name) if sql is None else sql,
        trace,
        params=dict(pairs(params, "--param")),
        time_limit_s=time_limit,
        memory_limit=memory_limit,
    )
    if as_json:
        numbers = frame.with_columns(cs.decimal().cast(pl.Float64))
        finite = numbers.with_columns(pl.when(cs.float().is_finite()).then(cs.float()).name.keep())
        print_json({"schema_version": 1, "query": sql or name, "rows": finite.to_dicts()})
    elif as_csv:
        nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
        texts = [pl.Series(name, [None if value is None else json.dumps(value)
                                  for value in frame[name].to_list()]) for name in nested]  # fmt: skip
        click.echo(frame.with_columns(texts).write_csv(), nl=False)
    else:
        click.echo(Table(name or "sql", frame.columns, frame.rows()).text())
