"""A query run by DuckDB on a view called `trace`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from workloadlab.arguments import checked, legible
from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.hints import did_you_mean
from workloadlab.sizes import allowed_bytes
from workloadlab.sql.query_file import find_query
from workloadlab.sql.results import held, told
from workloadlab.sql.sandbox import (
    MEMORY_BYTES,
    allowed_seconds,
    locked,
    reads_settings,
    sandbox,
    within,
)
from workloadlab.trace import COLUMNS, Runs, Trace, read_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from duckdb import DuckDBPyConnection, DuckDBPyRelation

    from workloadlab.sql.query_file import Query
    from workloadlab.trace import AnyTrace

__all__ = ["answer", "query"]

_T = TypeVar("_T")

_SQL_TYPES = {
    pl.Boolean(): "BOOLEAN",
    pl.Int16(): "SMALLINT",
    pl.Int64(): "BIGINT",
    pl.UInt16(): "USMALLINT",
    pl.UInt32(): "UINTEGER",
    pl.UInt64(): "UBIGINT",
    pl.Float32(): "FLOAT",
    pl.String(): "VARCHAR",
    pl.List(pl.Int64()): "BIGINT[]",
    pl.List(pl.UInt64()): "UBIGINT[]",
}


@checked
def query(
    name: str | Path,
    trace: AnyTrace | Runs,
    *,
    params: dict[str, Any] | None = None,
    time_limit_s: float | None = None,
    memory_limit: int | str | None = None,
    **more: Any,
) -> pl.DataFrame:
    """Run a named query, or a SQL file of your own, over a trace or the runs of a replay.

    A saved trace is streamed from its file; optional columns that it lacks read as null. Of several
    runs, the view `trace` holds all rows; `run_id` tells them apart. The SQL sees nothing else of
    the machine: no other file, no network, no variable of Python, no setting.

    Args:
        name: a name from `queries()`, the path of a `.sql` file that holds one SELECT, or the SELECT
            itself; the table is called `trace`.
        trace: a trace, or the path of one; runs, or the folder of some.
        params: values for the query's `$name` parameters; text is converted to their types.
        time_limit_s: seconds after which it is stopped, a day at most; 60 by default.
        memory_limit: bytes that it may use, or words such as 512MiB; 2 GiB by default.
        **more: the same, as keywords.

    Raises:
        UsageError: unknown query or parameter, a value of the wrong type, a limit that is none, SQL
            that DuckDB refuses.
        UnsupportedError: the trace does not record a column that the query needs.
        MachineError: it needs more than the memory limit.

    Example:
        >>> trace = Trace.of([(0, 10, None), (5e-9, 20, None)])
        >>> query("length_quantiles", trace)["p50"].to_list()
        [15.0, None]
        >>> query("SELECT max(input_tokens) FROM trace", trace).item()
        20
        >>> query("rate_by_minute", trace, bin_s=10).row(0)
        (0.0, 2, 30, None, 0.2)
    """
    return _ask(held, name, trace, {**(params or {}), **more}, time_limit_s, memory_limit)


def answer(
    name: str | Path,
    trace: AnyTrace | Runs,
    *,
    params: dict[str, Any],
    time_limit_s: float,
    memory_limit: int | None,
) -> tuple[pl.DataFrame, frozenset[str]]:
    """Return what `query` does as numbers and text, and the columns whose text is JSON."""
    return _ask(told, name, trace, params, time_limit_s, memory_limit)


def _ask(
    read: Callable[[DuckDBPyRelation], _T],
    name: str | Path,
    trace: AnyTrace | Runs,
    given: dict[str, Any],
    time_limit_s: float | None,
    memory_limit: int | str | None,
) -> _T:
    import duckdb

    limit_s = allowed_seconds("time_limit_s", time_limit_s)
    asked = find_query(name)
    traces = _open(trace)
    for one in traces:
        _check_columns(asked, one)
    files = [legible(one.path.resolve()) for one in traces if one.path]
    memory = MEMORY_BYTES if memory_limit is None else int(allowed_bytes(memory_limit))
    with sandbox(memory) as connection:
        try:
            names = _named_parameters(asked, connection)
            if reads_settings(connection, asked.sql):
                raise _reads_the_machine(asked)
            values = _bind(asked, names, given)
            _create_view(traces, connection)
            locked(connection, files)
            with within(connection, limit_s, memory):
                result = read(connection.sql(asked.sql, params=values or None))
        except duckdb.PermissionException as error:
            raise _reads_the_machine(asked) from error
        except duckdb.IOException as error:
            raise DataError(_first_line(error), where=str(traces[0].path or asked.name)) from error
        except duckdb.Error as error:
            raise UsageError(
                f"DuckDB refuses the query: {_first_line(error)}",
                where=asked.name,
                fix="check the SQL and the parameters; the view `trace` has the columns of a trace",
            ) from error
    return result


def _open(trace: AnyTrace | Runs) -> tuple[Trace, ...]:
    if isinstance(trace, str | Path):
        if not Path(trace).is_dir() or read_parts(Path(trace)):
            return (Trace.open(trace),)
        trace = Runs.open(trace)
    if not isinstance(trace, Runs):
        return (Trace.open(trace),)
    if not trace.traces:
        raise UsageError("there are no runs to query", fix="replay at least one router")
    return trace.traces


def _check_columns(asked: Query, trace: Trace) -> None:
    absent = [name for name in asked.columns_in if name not in trace.columns]
    present = [name for name in asked.columns_in if name in trace.columns]
    filled = trace.frame.select(pl.col(name).is_not_null().any() for name in present).collect()
    if trace.requests:
        absent += [name for name in present if not filled[name].item()]
    if absent:
        raise UnsupportedError(
            f"the query {asked.name} needs {' and '.join(absent)}, "
            "which this trace does not record",
            where=str(trace.path) if trace.path else None,
            fix="ingest a log that has it, or map the column with --map",
        )


def _reads_the_machine(asked: Query) -> UsageError:
    return UsageError(
        "the query reads the machine; a query may read the view `trace` and nothing else",
        where=asked.name,
        fix="leave out other files, the network and settings",
    )


def _named_parameters(asked: Query, connection: DuckDBPyConnection) -> set[str]:
    from duckdb import StatementType

    statements = connection.extract_statements(asked.sql)
    if len(statements) != 1 or statements[0].type != StatementType.SELECT:
        raise UsageError(
            "the file does not hold exactly one SELECT", where=asked.name, fix="split or rewrite it"
        )
    return set(statements[0].named_parameters)


def _bind(asked: Query, names: set[str], given: dict[str, Any]) -> dict[str, Any]:
    declared = {parameter.name: parameter for parameter in asked.parameters}
    for name in given:
        if name not in names:
            raise UsageError(
                f"the query {asked.name} has no parameter {name!r}",
                fix=did_you_mean(name, names) if names else "it has no parameters",
            )
    values: dict[str, Any] = {}
    for name in sorted(names):
        if name in given:
            parameter = declared.get(name)
            values[name] = parameter.convert(given[name]) if parameter else _guess(given[name])
        elif name in declared and declared[name].default is not None:
            values[name] = declared[name].default
        else:
            raise UsageError(f"the query {asked.name} needs a value for the parameter {name}")
    return values


def _guess(value: Any) -> Any:
    """Read text for a parameter that no header declares: a number if it looks like one."""
    if isinstance(value, str):
        for kind in (int, float):
            try:
                return kind(value)
            except ValueError:
                continue
    return value


def _create_view(traces: tuple[Trace, ...], connection: DuckDBPyConnection) -> None:
    """Create the view `trace` with every column of the schema, absent ones as typed nulls."""
    parts = []
    for i, trace in enumerate(traces):
        if trace.path is None or trace.path.is_dir():
            connection.register(f"rows_in_memory_{i}", trace.frame.collect())
            rows = f"rows_in_memory_{i}"
        else:
            literal = re.sub(r"([*?\[])", r"[\1]", str(trace.path.resolve())).replace("'", "''")
            rows = f"read_parquet('{literal}')"
        columns = ", ".join(
            name if name in trace.columns else f"CAST(NULL AS {_SQL_TYPES[dtype]}) AS {name}"
            for name, dtype in COLUMNS.items()
        )
        parts.append(f"SELECT {columns} FROM {rows}")  # noqa: S608
    connection.execute(f"CREATE VIEW trace AS {' UNION ALL '.join(parts)}")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
