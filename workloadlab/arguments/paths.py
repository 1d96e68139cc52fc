"""Paths that a caller gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workloadlab.arguments.values import shown
from workloadlab.errors import UsageError

__all__ = ["file_path", "legible"]


def file_path(argument: str, value: Any, *, else_: str = "") -> Path:
    """Return a path.

    Args:
        argument: its name.
        value: text or a path.
        else_: what may be given besides.

    Raises:
        UsageError: it is neither, or its name is no text.

    Example:
        >>> file_path("cluster", None, else_="a Cluster")
        Traceback (most recent call last):
        workloadlab.errors.UsageError: cluster = None is no path
          fix: give a path, or a Cluster
    """
    if isinstance(value, str | Path):
        return legible(Path(value))
    fix = f"give a path, or {else_}" if else_ else "give a path"
    raise UsageError(f"{argument} = {shown(value)} is no path", fix=fix)


def legible(path: Path) -> Path:
    r"""Return a path, if its name is text; polars and DuckDB open no other.

    Raises:
        UsageError: its bytes are no UTF-8.

    Example:
        >>> legible(Path("b\udce9d.csv"))
        Traceback (most recent call last):
        workloadlab.errors.UsageError: b\xe9d.csv: its name is not text in UTF-8
          fix: rename it, or the folder that it lies in
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        said = str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise UsageError(
            "its name is not text in UTF-8",
            where=said,
            fix="rename it, or the folder that it lies in",
        ) from None
    return path
