"""Which number each id has: ids become ordinals of their first appearance, in later logs too."""

from __future__ import annotations

import hashlib
import secrets
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.digests import file_digest
from workloadlab.errors import DataError
from workloadlab.ingestion.rows import listed
from workloadlab.trace.store import READ_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["ANEW", "ORDINAL", "TREE", "Numbers"]

ORDINAL = {
    "request_id": "r",
    "session_id": "s",
    "tenant_id": "t",
    "client_id": "c",
    "instance_id": "i",
}
"""Columns that name somebody or something, and the letter of the ordinals that replace them."""

TREE = ("_id", "_parent")
"""What tells which rows lie in one another, until they are joined; no columns of a trace."""

GROUP = 1 << 14
"""Keys of a group, at most twice as many."""

KNOWN = -1
"""Where an id first appeared that an earlier log had."""


ANEW = "restore it from a copy, or ingest all logs anew into another folder"
"""What to do without the numbers of earlier logs."""


class Numbers:
    """Numbers given so far; with a folder, those of earlier logs too.

    The folder keeps digests of names, by which later logs are joined, and no name.

    Args:
        folder: where they are kept.
        ids: the files there that count, each with its digest, or None where it is not known: a column
            and, unless it is an old one, some of its digest.
    """

    def __init__(
        self, folder: Path | None = None, ids: Mapping[str, str | None] | None = None
    ) -> None:
        self.folder = folder
        self.files = {
            file.partition(".")[0]: (file, digest) for file, digest in (ids or {}).items()
        }
        self.tables: dict[str, pl.DataFrame] = {}
        self._secrets = secrets.randbits(63), secrets.randbits(63)

    @property
    def kept(self) -> bool:
        """Whether numbers outlive this log."""
        return self.folder is not None

    def hidden(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows whose ids are equal where they were, and can be written to a disk.

        They are 127 bits of a hash whose seeds nobody keeps, or, where later logs are joined by it, the
        digest that the folder keeps.
        """
        names = [name for name in (*ORDINAL, *TREE) if rows.schema.get(name) == pl.String]
        if self.kept:
            return rows.with_columns(_digests(rows[name]).alias(name) for name in names)
        first, second = self._secrets
        return rows.with_columns(
            pl.when(pl.col(name).is_not_null()).then(
                (pl.col(name).hash(first) // 2).cast(pl.Int128) * pl.lit(1 << 64, pl.Int128)
                + pl.col(name).hash(second).cast(pl.Int128)
            ).alias(name)
            for name in names
        )  # fmt: skip

    def number(self, name: str, firsts: pl.DataFrame) -> pl.DataFrame:
        """Give every id its number.

        Args:
            name: their column.
            firsts: the distinct ids (`id`) and where each appears first (`first`), in that order.

        Returns:
            The same with `number`; `first` is `KNOWN` for those of earlier logs.
        """
        if self.folder is None:
            return firsts.with_row_index("number")
        keys = _digests(firsts["id"])
        old = self._old(name, keys.dtype)
        found = firsts.with_columns(key=keys).join(old, on="key", how="left", maintain_order="left")
        fresh = pl.col("number").is_null()
        found = found.with_columns(
            number=pl.coalesce("number", old.height + fresh.cum_sum().cast(pl.UInt64) - 1),
            first=pl.when(fresh).then(pl.col("first").cast(pl.Int64)).otherwise(KNOWN),
        )
        new = found.filter(pl.col("number") >= old.height).select("key", "number")
        self.tables[name] = pl.concat([old, new])
        return found.drop("key")

    def dense(self, name: str, lists: pl.Series) -> pl.Series:
        """Return lists of numbers, from 0 in order of first appearance, in place of their items."""
        old = self._old(name)["key"].to_numpy()
        keys = lists.explode(empty_as_null=False, keep_nulls=False).to_numpy()
        if len(old):
            keys = np.concatenate([old, keys])
        numbers, fresh = numbered(keys)
        if self.folder is not None:
            found = keys[fresh]
            self.tables[name] = pl.DataFrame({"key": found, "number": np.arange(len(found))}).cast(
                pl.UInt64
            )
        lengths = lists.list.len().fill_null(0).to_numpy()
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        return listed(numbers[len(old) :], offsets, lists)

    def _old(self, name: str, key: pl.DataType | None = None) -> pl.DataFrame:
        """Return the numbers of earlier logs."""
        if self.folder is not None and name in self.files:
            path = self.folder / self.files[name][0]
            try:
                return pl.read_parquet(path)
            except READ_ERRORS as error:
                raise DataError("is damaged", where=str(path), fix=ANEW) from error
        return pl.DataFrame(schema={"key": key or pl.UInt64(), "number": pl.UInt64()})

    def save(self) -> dict[str, str]:
        """Keep what was given for later logs, beside what was kept; return the files and digests."""
        if self.folder is None:
            return {}
        self.folder.mkdir(exist_ok=True)
        for name, table in self.tables.items():
            draft = self.folder / f"{name}.tmp"
            table.write_parquet(draft, compression="zstd")
            digest = file_digest(draft)
            file = f"{name}.{digest[:16]}.parquet"
            draft.replace(self.folder / file)
            self.files[name] = file, digest
        return {
            file: digest or file_digest(self.folder / file) for file, digest in self.files.values()
        }


def numbered(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return keys as numbers from 0 in the order of first appearance, and which of them are the first.

    Keys are put in groups by their first bits, which in chained ids are evenly spread, so that the
    table of a group stays in a cache: one table of all takes four times as long.

    Example:
        >>> numbered(np.array([9, 4, 9], np.uint64))[0].tolist()
        [0, 1, 0]
    """
    import pyarrow as pa

    bits = min(16, (len(keys) // GROUP).bit_length())
    group = (
        (keys >> np.uint64(64 - bits)).astype(np.uint16) if bits else np.zeros(len(keys), np.uint16)
    )
    order = np.argsort(group, kind="stable")
    grouped = keys[order]
    edges = np.concatenate([[0], np.cumsum(np.bincount(group))])
    place = np.empty(len(keys), np.int64)
    for low, high in pairwise(edges):
        codes = pa.array(grouped[low:high]).dictionary_encode().indices.to_numpy()
        first = np.empty(high - low, np.int64)
        first[codes[::-1]] = order[low:high][::-1]  # the earliest is written last
        place[order[low:high]] = first[codes]
    fresh = place == np.arange(len(keys))
    return (np.cumsum(fresh, dtype=np.uint64) - np.uint64(1))[place], fresh


def _digests(names: pl.Series) -> pl.Series:
    """Return a digest for each name, null for none; those that are digests already as they are."""
    if names.dtype == pl.Binary:
        return names
    distinct = names.unique().drop_nulls()
    digest = [hashlib.blake2b(name.encode(), digest_size=16).digest() for name in distinct]
    return names.replace_strict(
        distinct, pl.Series(digest, dtype=pl.Binary), default=None, return_dtype=pl.Binary
    )
