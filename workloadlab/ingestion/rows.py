"""What only other rows show: lines that make one request, spans in spans, chains of chats, strays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.ingestion.formats import Format

__all__ = ["FAR", "YEAR_NS", "far_rows", "joined_rows", "scoped_blocks"]

FAR = "arrival years away from all others"
YEAR_NS = 366 * 86_400 * 10**9
CANDIDATES = 10_000
_ODD = np.uint64(0x9E3779B97F4A7C15)


def joined_rows(rows: pl.DataFrame, log_format: Format) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return one row a request, and how many rows that leaves out, by reason.

    Args:
        rows: what was read, in source order; `_id` and `_parent` where the format has a tree.
        log_format: says what belongs together.
    """
    left: dict[str, int] = {}
    if log_format.merge_by and log_format.merge_by in rows.columns:
        before = rows.height
        rows = _merged(rows, log_format.merge_by)
        left["more lines of a request"] = before - rows.height
    if log_format.innermost and "_parent" in rows.columns:
        before = rows.height
        rows = rows.filter(~pl.col("_id").is_in(rows["_parent"].drop_nulls().implode()))
        left["spans around another request"] = before - rows.height
    if log_format.rooted and "_parent" in rows.columns:
        rows = rows.with_columns(session_id=_roots(rows["_id"], rows["_parent"]))
    return rows.drop("_id", "_parent", strict=False), {k: n for k, n in left.items() if n}


def _merged(rows: pl.DataFrame, key: str) -> pl.DataFrame:
    """Make one row of those with the same id: the first arrival, the last of everything else."""
    alone = rows.filter(pl.col(key).is_null())
    values = [
        (
            pl.col(name).drop_nulls().first()
            if name == "arrival_ns"
            else pl.col(name).drop_nulls().last()
        )
        for name in rows.columns
        if name != key
    ]
    named = rows.filter(pl.col(key).is_not_null()).group_by(key, maintain_order=True).agg(values)
    return pl.concat([named.select(rows.columns), alone])


def _roots(ids: pl.Series, parents: pl.Series) -> pl.Series:
    """Follow each row's parents to the first; one outside of the log is the root of its children."""
    known = dict(zip(ids.to_list(), parents.to_list(), strict=True))
    roots: dict[str, str] = {}
    for start in known:
        way, here = [], start
        while here not in roots and known.get(here) is not None and here not in way:
            way.append(here)
            here = known[here]
        root = roots.get(here, here)
        roots.update(dict.fromkeys([*way, here], root))
    return pl.Series([roots[each] for each in ids.to_list()], dtype=pl.String)


def far_rows(
    frame: pl.DataFrame, places: pl.DataFrame | None, all_places: Callable[[], pl.DataFrame]
) -> pl.DataFrame | None:
    """Return `row`, `line` and arrival of a chunk's rows whose arrival lies years from its middle."""
    if "arrival_ns" not in frame.columns or not frame["arrival_ns"].count():
        return None
    arrival = frame["arrival_ns"]
    first, last = int(arrival.min()), int(arrival.max())  # type: ignore[arg-type]
    if last - first <= YEAR_NS:
        return None
    middle = int(arrival.median())  # type: ignore[arg-type]
    far = (arrival - middle).abs() > YEAR_NS
    places = all_places() if places is None else places
    return places.with_columns(arrival).filter(far.fill_null(value=False)).head(CANDIDATES)


def scoped_blocks(frame: pl.DataFrame) -> pl.DataFrame:
    """Make block ids that are local to a session different from those of every other session."""
    import pyarrow as pa

    blocks = frame["block_ids"]
    scope = frame["session_id"].hash(seed=0).to_numpy()
    flat = blocks.explode(empty_as_null=False, keep_nulls=False).to_numpy()
    lengths = blocks.list.len().fill_null(0).to_numpy()
    mixed = flat * _ODD + np.repeat(scope, lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    lists = pa.LargeListArray.from_arrays(
        pa.array(offsets),
        pa.array(mixed ^ (mixed >> np.uint64(32))),
        mask=pa.array(blocks.is_null().to_numpy()),
    )
    return frame.with_columns(pl.Series("block_ids", pl.from_arrow(lists)))
