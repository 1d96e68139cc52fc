"""Qwen-Bailian traces (alibaba-edu/qwen-bailian-usagetraces-anon): chat trees and blocks of 16."""

import polars as pl

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import unless

__all__ = ["BAILIAN"]


def _from_zero(turn: pl.Series) -> pl.Series:
    """Count turns from 0."""
    return (turn.cast(pl.Int64, strict=False) - 1).cast(pl.String)


BAILIAN = Format(
    name="bailian",
    title="Qwen-Bailian trace, JSON lines",
    containers=("jsonl", "json"),
    keys=frozenset({"chat_id", "timestamp", "input_length", "output_length"}),
    columns=(
        Column("arrival_ns", "timestamp", "s"),
        Column("input_tokens", "input_length"),
        Column("output_tokens", "output_length"),
        Column("block_ids", "hash_ids"),
        Column("_id", "chat_id"),
        Column("_parent", unless("parent_chat_id", "parent_chat_id", "-1")),
        Column("turn", "turn", reading=_from_zero),
        Column("task", "type"),
    ),
    rooted=True,
    block_size=16,
)
