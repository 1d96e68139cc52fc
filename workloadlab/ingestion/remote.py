"""Logs that lie elsewhere: fetched into a folder, then read like any other."""

from __future__ import annotations

import re
import shutil
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

import polars as pl

from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["download", "fetched", "is_remote"]

TIMEOUT_S = 60
_SCHEME = re.compile(r"^[a-z][a-z0-9+]*://")
_WEB = ("http://", "https://")
_UNUSED = "\x1f"
"""A separator that no text has, so that a line is one column."""


def is_remote(name: str) -> bool:
    """Say whether a source is a URL.

    Example:
        >>> is_remote("s3://logs/a.jsonl"), is_remote("logs/a.jsonl")
        (True, False)
    """
    return bool(_SCHEME.match(name))


def fetched(url: str, folder: Path, options: Mapping[str, str]) -> Path:
    """Fetch a remote log.

    Over http(s) come its very bytes. From object stores (s3, gs, az, ...) polars reads: Parquet as
    rows, all else as lines of text, unpacked if they were packed.

    Args:
        url: where it is.
        folder: where to put it.
        options: settings of the object store (`aws_region`, ...), or headers of an http request.

    Raises:
        UsageError: it cannot be fetched.
    """
    place = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2] or "log"
    if any(sign in place for sign in "*?["):
        raise UsageError("is a pattern", where=url, fix="name each remote file")
    home = folder / f"remote-{sum(1 for _ in folder.iterdir())}"
    home.mkdir()
    target = home / place
    if url.startswith(_WEB):
        download(url, target, options)
        return target
    try:
        if place.endswith((".parquet", ".pq")):
            pl.scan_parquet(url, storage_options=dict(options), glob=False).sink_parquet(target)
        else:
            lines = pl.scan_csv(
                url,
                storage_options=dict(options),
                glob=False,
                has_header=False,
                schema={"line": pl.String()},
                separator=_UNUSED,
                quote_char=None,
                encoding="utf8-lossy",
            )
            lines.sink_csv(
                target,
                include_header=False,
                quote_style="never",
                separator=_UNUSED,
                check_extension=False,
            )
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise _unreachable(url, str(error).splitlines()[0]) from error
    return target


def download(url: str, target: Path, headers: Mapping[str, str]) -> None:
    """Write the bytes of a URL to a file.

    Raises:
        UsageError: it cannot be fetched.
    """
    try:
        request = Request(url, headers=dict(headers))  # noqa: S310
        with urlopen(request, timeout=TIMEOUT_S) as answer, target.open("wb") as stream:  # noqa: S310
            shutil.copyfileobj(answer, stream, 1 << 20)
    except HTTPError as error:
        raise _unreachable(url, f"{error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise _unreachable(url, str(error)) from error


def _unreachable(url: str, reason: str) -> UsageError:
    return UsageError(
        f"cannot be fetched ({reason})",
        where=url,
        fix="check the address and the permissions; settings go in --storage-option NAME=VALUE",
    )
