"""`workloadlab query`."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

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

    from workloadlab.sql import queries
    from workloadlab.sql.run import answer
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
    frame, nested = answer(
        str(name) if sql is None else sql,
        trace,
        params=dict(pairs(params, "--param")),
        time_limit_s=time_limit,
        memory_limit=memory_limit,
    )
    rows = [
        {key: _nested(value) if key in nested else _plain(value) for key, value in row.items()}
        for row in frame.iter_rows(named=True)
    ]
    if as_json:
        print_json({"schema_version": 1, "query": sql or name, "rows": rows})
        return
    texts = {key: [None if row[key] is None else json.dumps(row[key]) for row in rows]
             for key in nested}  # fmt: skip
    frame = frame.with_columns(pl.Series(key, words, pl.String) for key, words in texts.items())
    if as_csv:
        click.echo(frame.write_csv(), nl=False)
    else:
        cells = [[_cell(value) for value in row] for row in frame.iter_rows()]
        click.echo(Table(name or "sql", frame.columns, cells).text())


def _nested(text: str | None) -> Any:
    """Return nested data of JSON, null for what is no number."""
    return None if text is None else json.loads(text, parse_constant=lambda _: None)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: huge integers stay whole, and what is no number is null."""
    if isinstance(value, Decimal):
        return float(value) if value.as_tuple().exponent else int(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value).lower()
    return _plain(value)
