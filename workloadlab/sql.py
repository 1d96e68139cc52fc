"""Named SQL over any trace: the files of queries/, run by DuckDB on a view called `trace`."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.resources import folder
from workloadlab.trace import COLUMNS, Runs, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from duckdb import DuckDBPyConnection

__all__ = ["OutputColumn", "Parameter", "Query", "queries", "query"]

_HEADER = re.compile(r"^--\s*(title|question|param|in|out):\s*(.*?)\s*$")
_TYPES: dict[str, Callable[[Any], Any]] = {
    "DOUBLE": float,
    "BIGINT": lambda value: int(str(value)),
    "VARCHAR": str,
    "BOOLEAN": lambda value: {"true": True, "false": False}[str(value).lower()],
}
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


@dataclass(frozen=True)
class Parameter:
    """A `$name` of a query.

    Attributes:
        type: DOUBLE, BIGINT, VARCHAR or BOOLEAN.
        default: its value unless given; None if it must be given.
    """

    name: str
    type: str
    default: Any
    description: str

    def convert(self, value: Any) -> Any:
        """Return `value`, which may be text from a command line, as the parameter's type.

        Raises:
            UsageError: it is no such value.
        """
        try:
            return _TYPES[self.type](value)
        except (ValueError, TypeError, KeyError, OverflowError):
            raise UsageError(
                f"parameter {self.name} is {value!r}, not a {self.type}",
                fix=f"{self.name}: {self.description}",
            ) from None


@dataclass(frozen=True)
class OutputColumn:
    """A column that a query returns."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Query:
    """A SQL file and its header.

    Attributes:
        name: the file's name without `.sql`.
        columns_in: columns of the trace that must hold values.
        optional_columns_in: columns that are used where they are recorded.
        sql: the whole text.
    """

    name: str
    title: str
    question: str
    parameters: tuple[Parameter, ...]
    columns_in: tuple[str, ...]
    optional_columns_in: tuple[str, ...]
    columns_out: tuple[OutputColumn, ...]
    sql: str

    def to_dict(self) -> dict[str, Any]:
        """Return the header as plain JSON data."""
        return {key: value for key, value in asdict(self).items() if key != "sql"}


def queries() -> list[Query]:
    """Return every named query with its parsed header, by name.

    Example:
        >>> "rate_by_minute" in [query.name for query in queries()]
        True
    """
    return [_read_query(path) for path in sorted(folder("queries").glob("*.sql"))]


def query(
    name: str | Path,
    trace: Trace | Runs | str | Path,
    *,
    params: dict[str, Any] | None = None,
    **more: Any,
) -> pl.DataFrame:
    """Run a named query, or a SQL file of your own, over a trace or the runs of a replay.

    A saved trace is streamed from its file; optional columns that it lacks read as null. Of several
    runs, the view `trace` holds all rows; `run_id` tells them apart.

    Args:
        name: a name from `queries()`, or the path of a `.sql` file that holds one SELECT.
        trace: a trace, or the path of one; runs, or the folder of some.
        params: values for the query's `$name` parameters; text is converted to their types.
        **more: the same, as keywords.

    Raises:
        UsageError: unknown query or parameter, a value of the wrong type, SQL that DuckDB refuses.
        UnsupportedError: the trace does not record a column that the query needs.

    Example:
        >>> trace = Trace.from_frame(pl.DataFrame({"arrival_ns": [0, 5], "input_tokens": [10, 20]}))
        >>> query("length_quantiles", trace)["p50"].to_list()
        [15.0, None]
        >>> query("rate_by_minute", trace, bin_s=10).row(0)
        (0.0, 2, 30, None, 0.2)
    """
    import duckdb

    asked = _find_query(name)
    traces = _open(trace)
    for one in traces:
        _check_columns(asked, one)
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        try:
            names = _named_parameters(asked, connection)
            values = _bind(asked, names, {**(params or {}), **more})
            _create_view(traces, connection)
            result: pl.DataFrame = connection.sql(asked.sql, params=values or None).pl()
        except duckdb.IOException as error:
            raise DataError(_first_line(error), where=str(traces[0].path or asked.name)) from error
        except duckdb.Error as error:
            raise UsageError(
                f"DuckDB refuses the query: {_first_line(error)}",
                where=asked.name,
                fix="check the SQL and the parameters; the view `trace` has the columns of a trace",
            ) from error
    return result


def _open(trace: Trace | Runs | str | Path) -> tuple[Trace, ...]:
    if isinstance(trace, Trace):
        return (trace,)
    if isinstance(trace, str | Path):
        if not Path(trace).is_dir():
            return (Trace.open(trace),)
        trace = Runs.open(trace)
    if not trace.traces:
        raise UsageError("there are no runs to query", fix="replay at least one router")
    return trace.traces


def _find_query(name: str | Path) -> Query:
    if isinstance(name, Path) or name.endswith(".sql"):
        path = Path(name)
        if not path.is_file():
            raise UsageError("no such file", where=str(path), fix="check the path")
        return _read_query(path)
    known = {path.stem: path for path in folder("queries").glob("*.sql")}
    if name not in known:
        raise UsageError(
            f"no query is called {name!r}",
            fix=f"use {_nearest(name, known)}, or the path of a .sql file",
        )
    return _read_query(known[name])


def _read_query(path: Path) -> Query:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8 text", where=str(path)) from error
    header: dict[str, list[str]] = {}
    for line in text.splitlines():
        if match := _HEADER.match(line):
            header.setdefault(match[1], []).append(match[2])
    columns = [name.strip() for line in header.get("in", []) for name in line.split(",")]
    unknown = [name for name in columns if name.removesuffix("?") not in COLUMNS]
    if unknown:
        raise DataError(
            f"the header reads {unknown[0]!r}, which is no column of a trace",
            where=str(path),
            fix=f"use {_nearest(unknown[0], COLUMNS)}",
        )
    return Query(
        name=path.stem,
        title=" ".join(header.get("title", [path.stem])),
        question=" ".join(header.get("question", [])),
        parameters=tuple(_read_parameter(line, path) for line in header.get("param", [])),
        columns_in=tuple(name for name in columns if not name.endswith("?")),
        optional_columns_in=tuple(name[:-1] for name in columns if name.endswith("?")),
        columns_out=tuple(_read_output(line, path) for line in header.get("out", [])),
        sql=text,
    )


def _read_parameter(line: str, path: Path) -> Parameter:
    match = re.fullmatch(r"(\w+)\s+(\w+)(?:\s*=\s*(.*?))?\s*(?:\|\s*(.*))?", line)
    if not match or match[2].upper() not in _TYPES:
        raise DataError(
            f"the header has a parameter that cannot be read: {line!r}",
            where=str(path),
            fix=f"write: name TYPE = default | meaning, with a TYPE of {', '.join(_TYPES)}",
        )
    parameter = Parameter(match[1], match[2].upper(), None, match[4] or "")
    if match[3] is None:
        return parameter
    return Parameter(match[1], match[2].upper(), parameter.convert(match[3]), match[4] or "")


def _read_output(line: str, path: Path) -> OutputColumn:
    declared, _, description = line.partition("|")
    words = declared.split()
    if len(words) != 2:
        raise DataError(
            f"the header has a result column that cannot be read: {line!r}",
            where=str(path),
            fix="write: name TYPE | meaning",
        )
    return OutputColumn(words[0], words[1], description.strip())


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
                fix=f"use {_nearest(name, names)}" if names else "it has no parameters",
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
        if trace.path is None:
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


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    return " or ".join(get_close_matches(name, names, n=3, cutoff=0.4) or names)
