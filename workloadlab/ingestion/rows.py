"""What only other rows show: lines that make one request, spans in spans, chains of chats, strays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workloadlab.ingestion.formats import Format

__all__ = ["FAR", "YEAR_NS", "chained_blocks", "far_rows", "joined_rows", "listed"]

FAR = "arrival years away from all others"
YEAR_NS = 366 * 86_400 * 10**9
CANDIDATES = 10_000
IDS_AT_ONCE = 1 << 17
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
        rows = _merged(rows, log_format.merge_by, neighbours=log_format.neighbours)
        left["more lines of a request"] = before - rows.height
    if log_format.innermost and "_id" in rows.columns:
        before = rows.height
        again = pl.col("_id").is_not_null() & pl.col("_id").is_duplicated()
        rows = rows.filter(~again | pl.col("_id").is_first_distinct())
        left["spans exported again"] = before - rows.height
    if log_format.innermost and "_parent" in rows.columns:
        before = rows.height
        rows = rows.filter(~pl.col("_id").is_in(rows["_parent"].drop_nulls().implode()))
        left["spans around another request"] = before - rows.height
    if log_format.rooted and "_parent" in rows.columns:
        rows = rows.with_columns(session_id=_roots(rows["_id"], rows["_parent"]))
    return rows.drop("_id", "_parent", strict=False), {k: n for k, n in left.items() if n}


def _merged(rows: pl.DataFrame, key: str, *, neighbours: bool) -> pl.DataFrame:
    """Make one row of those with the same id: the first arrival, the last of everything else.

    Args:
        rows: what was read, in source order.
        key: the column of the id.
        neighbours: whether only rows that follow each other are one.
    """
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
    named = rows.filter(pl.col(key).is_not_null())
    by = [pl.col(key), pl.col(key).rle_id().alias("_run")] if neighbours else [pl.col(key)]
    made = named.group_by(by, maintain_order=True).agg(values)
    return pl.concat([made.select(rows.columns), alone])


def _roots(ids: pl.Series, parents: pl.Series) -> pl.Series:
    """Follow each row's parents to the first; one outside of the log is the root of its children."""
    known = dict(zip(ids.to_list(), parents.to_list(), strict=True))
    roots: dict[Any, Any] = {}
    for start in known:
        way, here = [], start
        while here not in roots and known.get(here) is not None and here not in way:
            way.append(here)
            here = known[here]
        root = roots.get(here, here)
        roots.update(dict.fromkeys([*way, here], root))
    return pl.Series([roots[each] for each in ids.to_list()], dtype=ids.dtype)


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


def chained_blocks(frame: pl.DataFrame, *, local: bool) -> pl.DataFrame:
    """Make block ids that are equal only where all blocks before them are equal too.

    An id becomes the sum, modulo 2**64, of the mixed ids and places of its prompt so far. Ids of an
    engine that are chained already stay as different, and as equal, as they were.

    Args:
        frame: has `block_ids`.
        local: whether an id means something within its session only.
    """
    blocks = frame["block_ids"]
    flat = blocks.explode(empty_as_null=False, keep_nulls=False).to_numpy()
    lengths = blocks.list.len().fill_null(0).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    chained = np.empty(len(flat), np.uint64)
    scopes = frame["session_id"].hash(seed=0).to_numpy() if local else None
    row = 0
    while row < len(lengths):  # what fits in a cache at a time
        end = max(row + 1, int(np.searchsorted(offsets, offsets[row] + IDS_AT_ONCE, "right")) - 1)
        first, last, counts = offsets[row], offsets[end], lengths[row:end]
        starts = (offsets[row:end] - first).astype(np.uint64)
        bits = np.arange(last - first, dtype=np.uint64)
        bits -= np.repeat(starts, counts)
        bits *= _ODD
        bits += flat[first:last]
        np.cumsum(_mixed(bits), out=bits)
        before = np.concatenate([np.zeros(1, np.uint64), bits])[starts.astype(np.int64)]
        if scopes is not None:
            before -= scopes[row:end]
        np.subtract(bits, np.repeat(before, counts), out=chained[first:last])
        row = end
    return frame.with_columns(listed(chained, offsets, blocks))


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit over all (the end of splitmix64), in place."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits ^= bits >> np.uint64(shift)
        bits *= np.uint64(factor)
    bits ^= bits >> np.uint64(31)
    return bits


def listed(flat: NDArray[np.uint64], offsets: NDArray[np.int64], like: pl.Series) -> pl.Series:
    """Return lists of these values, cut at these offsets, null where another series is."""
    import pyarrow as pa

    mask = pa.array(like.is_null().to_numpy())
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(flat), mask=mask)
    return pl.Series(like.name, pl.from_arrow(lists))
