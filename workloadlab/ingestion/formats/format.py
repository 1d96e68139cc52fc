"""What a log format is: the keys that give it away and the trace columns its keys stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

    from workloadlab.ingestion.inspect import Head

__all__ = ["Column", "Format"]


@dataclass(frozen=True)
class Column:
    """One trace column and the log's key it is read from.

    Attributes:
        target: column of the trace.
        source: key in the log.
        unit: s, ms, us, ns or datetime for times; None for the rest, and for times still undecided.
        since: key of the instant that a duration counts from, where `source` holds an instant too.
        reading: turns the text of the key into what the column holds; text it cannot read it leaves.
    """

    target: str
    source: str
    unit: str | None = None
    since: str | None = None
    reading: Callable[[pl.Series], pl.Series] | None = None


@dataclass(frozen=True, kw_only=True)
class Format:
    """One log format.

    Attributes:
        name: the word for `--format`.
        title: what it is, for people.
        containers: csv, jsonl, parquet: where it occurs.
        keys: keys that a file of this format has; together they identify it.
        foreign: keys that show it to be another format with the same `keys`.
        read: says which trace columns a given file's keys stand for.
        block_size: tokens per block of its block ids, unless the user says otherwise.
        system: facts about the serving system that lie beside the log.
    """

    name: str
    title: str
    containers: tuple[str, ...]
    read: Callable[[Head], tuple[Column, ...]]
    keys: frozenset[str] = frozenset()
    foreign: frozenset[str] = frozenset()
    block_size: int | None = None
    system: Callable[[Path], dict[str, Any]] | None = None

    def sniff(self, head: Head) -> bool:
        """Say whether the file is of this format, by its keys."""
        present = frozenset(head.keys)
        return (
            head.container in self.containers
            and bool(self.keys)
            and self.keys <= present
            and not self.foreign & present
        )
