"""A DuckDB connection that sees one trace and nothing else, within a limit of memory and of time."""

from __future__ import annotations

import os
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workloadlab.arguments import shown
from workloadlab.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

__all__ = [
    "MEMORY_BYTES",
    "TIME_S",
    "allowed_seconds",
    "locked",
    "reads_settings",
    "sandbox",
    "within",
]

TIME_S = 60.0
LONGEST_S = 86_400.0
MEMORY_BYTES = 2 << 30

_AT_START = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    "temp_directory": "",
    "secret_directory": "nowhere",
    "extension_directory": "nowhere",
}

_NAMED = re.compile(r'"(function_name|table_name|schema|schema_name)":"((?:[^"\\]|\\.)*)"')
_ITS_OWN = re.compile(
    r"function_name (duckdb_\w+|pragma_\w+|current_setting|query|query_table)"
    r"|table_name (duckdb|pragma|pg|sqlite)_\w+|schema(_name)? (information_schema|pg_catalog)"
)
"""What DuckDB says of itself, or runs SQL that is made as it runs."""


@contextmanager
def sandbox(memory_bytes: int = MEMORY_BYTES) -> Iterator[DuckDBPyConnection]:
    """Open a connection in memory, without extensions, files for overflow and Python's variables.

    Args:
        memory_bytes: the most that a query may use.
    """
    import duckdb

    memory = f"{memory_bytes >> 20}MiB"
    threads = str(len(os.sched_getaffinity(0)))
    with duckdb.connect(
        config={**_AT_START, "memory_limit": memory, "threads": threads}
    ) as connection:
        yield connection


def locked(connection: DuckDBPyConnection, files: Sequence[Path]) -> None:
    """From here on a connection reads these files and no others, and no setting changes."""
    names = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
    connection.execute(f"SET allowed_paths = [{names}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def allowed_seconds(argument: str, limit_s: float | None) -> float:
    """Return the seconds that a query may take: a limit, or the default for None.

    Args:
        argument: its name, for the sentence.
        limit_s: over 0, and a day at most.

    Raises:
        UsageError: it is beyond these, or no number.

    Example:
        >>> allowed_seconds("time_limit_s", None)
        60.0
    """
    if limit_s is None:
        return TIME_S
    if not 0 < limit_s <= LONGEST_S:
        raise UsageError(
            f"{argument} = {shown(limit_s)} is no time to wait",
            fix=f"give seconds over 0, at most {LONGEST_S:,.0f}",
        )
    return limit_s


def reads_settings(connection: DuckDBPyConnection, sql: str) -> bool:
    """Say whether a SELECT asks DuckDB for settings or its catalogue: they hold paths."""
    tree = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()[0][0]
    return any(_ITS_OWN.fullmatch(" ".join(named).lower()) for named in _NAMED.findall(tree))


@contextmanager
def within(connection: DuckDBPyConnection, limit_s: float, memory_bytes: int) -> Iterator[None]:
    """Stop what runs on a connection after a time, and say which limit was met.

    Raises:
        UsageError: the time is over.
        MachineError: the memory is used up.
        KeyboardInterrupt: the person stops it.
    """
    import duckdb

    timer = threading.Timer(limit_s, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise UsageError(
            f"the query took over {limit_s:g} s",
            fix="ask for less, or allow more with --time-limit S",
        ) from error
    except duckdb.OutOfMemoryException as error:
        raise MachineError(
            f"the query needs over {memory_bytes / 2**30:.3g} GiB of memory",
            fix="ask for less, or allow more with --memory-limit",
        ) from error
    except RuntimeError as error:
        if str(error) == "Query interrupted":  # DuckDB's word for Ctrl-C
            raise KeyboardInterrupt from error
        raise
    finally:
        timer.cancel()
