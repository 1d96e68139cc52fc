"""A query as a file: the header of a `.sql` file says its title, topic, parameters and columns."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import file_path
from workloadlab.errors import DataError, UsageError
from workloadlab.hints import did_you_mean
from workloadlab.resources import folder
from workloadlab.trace import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OutputColumn", "Parameter", "Query", "find_query", "queries"]

_HEADER = re.compile(r"^--\s*(title|topic|question|param|in|out):\s*(.*?)\s*$")
_TYPES: dict[str, Callable[[Any], Any]] = {
    "DOUBLE": float,
    "BIGINT": lambda value: int(str(value)),
    "VARCHAR": str,
    "BOOLEAN": lambda value: {"true": True, "false": False}[str(value).lower()],
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
        topic: of the profile whose numbers it computes, or `routers`; "" where it names none.
        columns_in: columns of the trace that must hold values.
        optional_columns_in: columns that are used where they are recorded.
        sql: the whole text.
    """

    name: str
    title: str
    topic: str
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


def find_query(name: str | Path) -> Query:
    """Return a query by its name, by the path of its file, or of SQL itself.

    Raises:
        UsageError: no query of that name, no such file, or SQL that does not only read.
        DataError: a header that cannot be read.
    """
    if not isinstance(name, str):
        name = file_path("name", name, else_="the name of a query")
    if isinstance(name, Path) or name.endswith(".sql"):
        path = Path(name)
        if not path.is_file():
            raise UsageError("no such file", where=str(path), fix="check the path")
        return _read_query(path)
    if re.match(r"\s*(select|with|from)\s", str(name), re.IGNORECASE):
        return Query("sql", "SQL of your own", "", "", (), (), (), (), str(name))
    if not re.fullmatch(r"[\w.-]+", str(name)):
        raise UsageError(f"{str(name)!r} is no SELECT", fix="write SELECT ... FROM trace")
    known = {path.stem: path for path in folder("queries").glob("*.sql")}
    if name not in known:
        raise UsageError(
            f"no query is called {name!r}",
            fix=did_you_mean(str(name), known, all_of_them="workloadlab query --list"),
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
            fix=did_you_mean(unknown[0], COLUMNS),
        )
    return Query(
        name=path.stem,
        title=" ".join(header.get("title", [path.stem])),
        topic=" ".join(header.get("topic", [])),
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
