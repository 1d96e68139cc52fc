"""Mooncake-style JSON lines: lengths and the prompt's block ids, for replay with prefix reuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.ingestion.formats.format import Column, Format

if TYPE_CHECKING:
    from workloadlab.ingestion.inspect import Head

__all__ = ["MOONCAKE"]


def _read(head: Head) -> tuple[Column, ...]:
    """Read milliseconds from the start; all that follows `hash_ids` is a later extension."""
    delay = "delay_ms" if "delay_ms" in head.keys else "delay"
    return (
        Column("arrival_ns", "timestamp", "ms"),
        Column("input_tokens", "input_length"),
        Column("output_tokens", "output_length"),
        Column("block_ids", "hash_ids"),
        Column("request_id", "request_id"),
        Column("session_id", "session_id"),
        Column("think_ns", delay, "ms"),
        Column("priority", "priority"),
    )


MOONCAKE = Format(
    name="mooncake",
    title="Mooncake trace, JSON lines",
    containers=("jsonl",),
    keys=frozenset({"timestamp", "input_length", "output_length"}),
    foreign=frozenset({"chat_id"}),  # Bailian: the same names, but seconds and blocks of 16
    read=_read,
    block_size=512,
)
