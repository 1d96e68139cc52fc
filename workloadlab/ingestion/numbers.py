"""Which number each id has: ids become ordinals of their first appearance, in later logs too."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.ingestion.rows import listed

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Numbers"]

KNOWN = -1
"""Where an id first appeared that an earlier log had."""


class Numbers:
    """Numbers given so far; with a folder, those of earlier logs too.

    The folder keeps digests of names, by which later logs are joined, and no name.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.tables: dict[str, pl.DataFrame] = {}

    @property
    def kept(self) -> bool:
        """Whether numbers outlive this log."""
        return self.folder is not None

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
        import pyarrow as pa

        flat = lists.explode(empty_as_null=False, keep_nulls=False).to_arrow()
        chunks = [pa.array(self._old(name)["key"].to_numpy(), pa.uint64()), flat]
        known = len(chunks[0])
        coded = pa.chunked_array(chunks).dictionary_encode().combine_chunks()
        if self.folder is not None:
            keys = pl.Series("key", pl.from_arrow(coded.dictionary))
            self.tables[name] = pl.DataFrame([keys]).with_row_index("number").select(
                "key", pl.col("number").cast(pl.UInt64)
            )  # fmt: skip
        lengths = lists.list.len().fill_null(0).to_numpy()
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        return listed(coded.indices.to_numpy()[known:].astype(np.uint64), offsets, lists)

    def _old(self, name: str, key: pl.DataType | None = None) -> pl.DataFrame:
        """Return the numbers of earlier logs."""
        if self.folder is not None and (path := self.folder / f"{name}.parquet").is_file():
            return pl.read_parquet(path)
        return pl.DataFrame(schema={"key": key or pl.UInt64(), "number": pl.UInt64()})

    def save(self) -> None:
        """Keep what was given for later logs."""
        if self.folder is None:
            return
        self.folder.mkdir(exist_ok=True)
        for name, table in self.tables.items():
            table.write_parquet(self.folder / f"{name}.parquet", compression="zstd")


def _digests(names: pl.Series) -> pl.Series:
    digest = [hashlib.blake2b(name.encode(), digest_size=16).digest() for name in names]
    return pl.Series(digest, dtype=pl.Binary)
