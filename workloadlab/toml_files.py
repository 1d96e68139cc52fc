"""TOML tables in files, read whole: what is missing or no TOML is a sentence."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from workloadlab.errors import DataError, UsageError

__all__ = ["read_table"]


def read_table(path: str | Path, what: str) -> dict[str, Any]:
    """Return the table in a TOML file.

    Args:
        path: the file.
        what: what it is to the user, say "cluster file".

    Raises:
        UsageError: no such file, or it cannot be read.
        DataError: not text in UTF-8, not TOML, or nested too deeply.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.toml").write_text("a = 1")
        ...     read_table(Path(folder, "a.toml"), "price file")
        {'a': 1}
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"no such {what}", where=str(path), fix="check the path")
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise DataError("is not TOML: it is not text in UTF-8", where=str(path)) from error
    except ValueError as error:  # also of an integer of thousands of digits
        reason = str(error).split(";")[0]
        raise DataError(f"is not TOML: {reason}", where=str(path), fix="mend it there") from error
    except RecursionError as error:
        raise DataError("is nested too deeply", where=str(path)) from error
