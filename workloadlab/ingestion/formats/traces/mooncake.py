"""Mooncake-style JSON lines: lengths and the prompt's block ids, for replay with prefix reuse."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import first

__all__ = ["MOONCAKE"]

MOONCAKE = Format(
    name="mooncake",
    title="Mooncake trace, JSON lines",
    containers=("jsonl", "json"),
    keys=frozenset({"hash_ids", "input_length"}),
    also=(frozenset({"timestamp", "input_length"}),),
    foreign=frozenset({"chat_id"}),  # Bailian: the same names, but seconds and blocks of 16
    columns=(
        Column("arrival_ns", "timestamp", "ms"),
        Column("input_tokens", "input_length"),
        Column("output_tokens", "output_length"),
        Column("block_ids", "hash_ids"),
        # what follows is a later extension
        Column("request_id", "request_id"),
        Column("session_id", "session_id"),
        Column("think_ns", first("delay", "delay_ms"), "ms"),
        Column("priority", "priority"),
    ),
    block_size=512,
)
