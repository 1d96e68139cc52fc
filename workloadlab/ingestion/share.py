"""A trace that may leave the house: no name that only a few requests have."""

from __future__ import annotations

import polars as pl

from workloadlab.ingestion.privacy import LABELS

__all__ = ["shareable"]

FEW = 5
LONG = 64


def shareable(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return the rows with every rare or long label replaced by an ordinal.

    A label that fewer than five requests have may name a customer, and a long one may be text; both
    become `model-1`, `model-2`, ... in order of first appearance.

    Example:
        >>> rows = pl.LazyFrame({"model": ["m"] * 5 + ["acme-secret"]})
        >>> shareable(rows).collect()["model"].to_list()[-2:]
        ['m', 'model-1']
    """
    present = [name for name in LABELS if name in frame.collect_schema()]
    for name in present:
        counts = (
            frame.group_by(name, maintain_order=True)
            .len()
            .filter(pl.col(name).is_not_null())
            .filter((pl.col("len") < FEW) | (pl.col(name).str.len_chars() > LONG))
            .collect()
        )
        ordinals = {label: f"{name}-{n}" for n, label in enumerate(counts[name], start=1)}
        if ordinals:
            frame = frame.with_columns(pl.col(name).replace(ordinals))
    return frame
