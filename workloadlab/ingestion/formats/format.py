"""What a log format is: the keys that give it away and the trace columns its keys stand for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workloadlab.ingestion.formats.trees import keys as keys_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

    from workloadlab.ingestion.formats.words import Only, Value
    from workloadlab.ingestion.head import Head

__all__ = ["Column", "Format"]

Keys = frozenset[str]


@dataclass(frozen=True)
class Column:
    """One trace column and the value of the log it is read from.

    Attributes:
        target: column of the trace.
        source: key in the log, or words around keys (`words.py`).
        unit: s, ms, us, ns or datetime for times; None for the rest, and for times still undecided.
        reading: turns the text of the key into what the column holds; text it cannot read it leaves.
        why: how the unit is known, for people.
    """

    target: str
    source: Value
    unit: str | None = None
    reading: Callable[[pl.Series], pl.Series] | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Format:
    """One log format.

    Attributes:
        name: the word for `--format`.
        title: what it is, for people.
        containers: csv, jsonl, json, parquet: where it occurs.
        keys: keys that a file of this format has; together they identify it, in other containers too.
        also: other sets of keys that identify it in its own, for older or newer versions.
        foreign: keys that show it to be another format with the same `keys`.
        columns: the trace columns, or a function that says them for a given file.
        records: where requests lie in a JSON value: `benchmarks[].requests.*[]`; "": it is one.
        zipped: keys of parallel lists, of which request i is element i.
        where: conditions that a request meets; other rows are left out.
        merge_by: trace column; rows with the same value in it are one request.
        neighbours: whether only rows that follow each other are merged, for values that come again.
        innermost: whether a row is left out when another one names it as its parent (`_id`, `_parent`).
        rooted: whether a session is the root of a chain of parents (`_id`, `_parent`).
        block_size: tokens per block of its block ids, or the key that says it, unless the user does.
        local_blocks: whether a block id means something within its session only.
        nullable: columns that a request may lack though others need them: `arrival_ns` for lengths.
        clock: whose clock measures: client, gateway or engine.
        system: facts about the serving system that lie beside the log.
        note: a sentence about what a reader should know of it.
        own: whether the user wrote it, so that a flat file must have what it names.
    """

    name: str
    title: str
    containers: tuple[str, ...]
    columns: tuple[Column, ...] | Callable[[Head], tuple[Column, ...]]
    keys: Keys = frozenset()
    also: tuple[Keys, ...] = ()
    foreign: Keys = frozenset()
    records: str = ""
    zipped: tuple[str, ...] = ()
    where: tuple[Only, ...] = ()
    merge_by: str | None = None
    neighbours: bool = False
    innermost: bool = False
    rooted: bool = False
    block_size: int | str | None = None
    local_blocks: bool = False
    nullable: Keys = frozenset()
    clock: str | None = None
    system: Callable[[Path], dict[str, Any]] | None = field(default=None)
    note: str = ""
    own: bool = False

    def read(self, head: Head) -> tuple[Column, ...]:
        """Return the trace columns of a file."""
        return self.columns if isinstance(self.columns, tuple) else self.columns(head)

    def fits(self, container: str) -> bool:
        """Say whether such a file can be read: copies of a flat format come in any container."""
        return container in self.containers or not (self.records or self.zipped)

    def names(self) -> Keys:
        """Return the keys that the format speaks of, and what they lie in."""
        columns = self.columns if isinstance(self.columns, tuple) else ()
        said = (self.block_size,) if isinstance(self.block_size, str) else ()
        values = (*(c.source for c in columns), *(each.key for each in self.where), *said)
        named = self.keys.union(*self.also, *(keys_of(value) for value in values))
        return frozenset(part for key in named for part in _with_stems(key))

    def sniff(self, head: Head) -> bool:
        """Say whether the file is of this format, by its keys."""
        present = frozenset(part for key in head.keys for part in _with_stems(key))
        if self.foreign & present or not self.fits(head.container):
            return False
        known = (self.keys, *self.also) if head.container in self.containers else (self.keys,)
        return any(each and each <= present for each in known)


def _with_stems(key: str) -> list[str]:
    """Return a dotted key and all that it lies in."""
    parts = key.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
