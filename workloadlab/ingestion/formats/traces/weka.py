"""WEKA's agent sessions (kv-cache-tester), one JSON per session or one request per line."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import choose, first, has

__all__ = ["WEKA", "WEKA_FLAT"]

_COLUMNS = (
    Column("arrival_ns", "t", "s"),
    Column("input_tokens", first("in", "in_tokens")),
    Column("output_tokens", first("out", "out_tokens")),
    Column("block_ids", "hash_ids"),
    Column("e2e_ns", "api_time", "s"),
    Column("ttft_ns", "ttft", "s"),
    Column("think_ns", "think_time", "s"),
    Column("model", "model"),
    Column("finish_reason", "stop"),
    Column("streaming", choose("type", {"s": "true", "n": "false"}, "false")),
)

WEKA_FLAT = Format(
    name="weka_flat",
    title="WEKA agent sessions, one request a line",
    containers=("jsonl", "parquet"),
    keys=frozenset({"trace_id", "t", "in", "out", "api_time"}),
    also=(frozenset({"trace_id", "t", "in_tokens", "out_tokens", "api_time"}),),
    columns=(*_COLUMNS, Column("session_id", "trace_id")),
    where=(has(first("in", "in_tokens")),),
    block_size=64,
    local_blocks=True,
    clock="client",
    note="times count from the start of each session, so sessions overlap as if all had begun at once",
)

WEKA = Format(
    name="weka",
    title="WEKA agent sessions, one JSON object a session",
    containers=("json", "jsonl"),
    keys=frozenset({"id", "block_size", "hash_id_scope", "requests"}),
    records="requests[]",
    columns=(*_COLUMNS, Column("session_id", "^.id")),
    where=(has(first("in", "in_tokens")),),
    block_size="^.block_size",
    local_blocks=True,
    clock="client",
    note="times count from the start of each session, so sessions overlap as if all had begun at "
    "once; the requests of sub-agents are not read",
)
