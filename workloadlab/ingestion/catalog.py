"""Published traces by name: where each is, its digest, its licence, its format."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from workloadlab.atomic import scratch_folder
from workloadlab.errors import DataError
from workloadlab.ingestion.heads import sha256
from workloadlab.ingestion.ingest import ingest
from workloadlab.ingestion.remote import download
from workloadlab.resources import folder
from workloadlab.toml_files import read_table

if TYPE_CHECKING:
    from workloadlab.trace import Trace

__all__ = ["Published", "get", "read_catalog"]

CATALOG = "catalog.toml"


@dataclass(frozen=True)
class Published:
    """A trace that somebody publishes.

    Attributes:
        name: its name here.
        about: what it is.
        url: its file.
        bytes: size of the file.
        sha256: digest of the file.
        licence: what may be done with it.
        format: its log format.
    """

    name: str
    about: str
    url: str
    bytes: int
    sha256: str
    licence: str
    format: str


def read_catalog(path: str | Path | None = None) -> dict[str, Published]:
    """Return the published traces by name.

    Args:
        path: a catalogue of your own; None for the one that ships.

    Raises:
        UsageError: no such file.
        DataError: not TOML, or an entry that lacks a key.

    Example:
        >>> read_catalog()["azure-2023-conv"].licence
        'CC-BY-4.0'
    """
    path = Path(path) if path else folder("traces") / CATALOG
    found = read_table(path, "catalogue")
    names = {each.name for each in fields(Published)} - {"name"}
    for name, entry in found.items():
        given = entry.keys() if isinstance(entry, dict) else set()
        if given != names:
            wrong = ", ".join(sorted(names ^ given))
            raise DataError(
                f"[{name}] lacks or has too many: {wrong}",
                where=str(path),
                fix=f"each entry has {', '.join(sorted(names))}",
            )
    return {name: Published(name, **entry) for name, entry in found.items()}


def get(published: Published, out: str | Path) -> Trace:
    """Download a published trace, check its digest, and ingest it.

    Raises:
        UsageError: it cannot be fetched.
        DataError: the file is not the one that was published.
    """
    out = Path(out)
    with scratch_folder(".download-", out.parent) as scratch:
        file = Path(scratch, urlsplit(published.url).path.rpartition("/")[2])
        download(published.url, file, {})
        if (digest := sha256(file)) != published.sha256:
            raise DataError(
                f"is not the file that was published: {file.stat().st_size:,} bytes of "
                f"{published.bytes:,}, sha256 {digest[:16]}... instead of {published.sha256[:16]}...",
                where=published.url,
                fix="try again; if it is a new version, put its digest into a catalogue of your own",
            )
        return ingest(file, out, format=published.format)
