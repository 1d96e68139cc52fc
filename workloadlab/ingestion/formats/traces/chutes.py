"""Chutes: a year of invocations of a serving platform, Parquet."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import choose, has, joined, minus, only
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["CHUTES"]

_STREAMS = {
    "chat_stream": "true",
    "completion_stream": "true",
    "chat": "false",
    "completion": "false",
}

CHUTES = Format(
    name="chutes",
    title="Chutes invocations, Parquet",
    containers=("parquet", "csv"),
    keys=frozenset({"invocation_id", "chute_id", "user_id", "started_at", "completed_at", "it"}),
    columns=(
        Column("arrival_ns", "started_at", DATETIME),
        Column("e2e_ns", minus("completed_at", "started_at"), DATETIME),
        Column("ttft_ns", "ttft", "s"),
        Column("input_tokens", "it"),
        Column("output_tokens", "ot"),
        Column("cached_tokens", "ct"),
        Column("request_id", "invocation_id"),
        # users were renamed at every rehash: the same name in two rounds is not the same user
        Column("client_id", joined("user_id", "rehash_round")),
        Column("model", "chute_id"),
        Column("task", "function_name"),
        Column("streaming", only(choose("function_name", _STREAMS), "function_name", *_STREAMS)),
        Column("instance_id", "instance_id"),
        Column("outcome", choose("completed_at", {None: "unfinished"}, "ok")),
    ),
    where=(has("it"),),
    clock="gateway",
)
