"""Log exports of Portkey."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import choose, first
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["PORTKEY"]

PORTKEY = Format(
    name="portkey",
    title="Portkey log export, JSON lines or CSV",
    containers=("jsonl", "json", "csv"),
    keys=frozenset({"created_at", "req_units", "res_units"}),
    columns=(
        Column("arrival_ns", "created_at", DATETIME),
        Column("e2e_ns", "response_time", "ms"),
        Column("input_tokens", "req_units"),
        Column("output_tokens", "res_units"),
        Column("request_id", first("id", "request_id")),
        Column("model", "ai_model"),
        Column("streaming", "stream_mode"),
        Column(
            "outcome",
            first("response_status_code", choose("is_success", {"1": "ok", "0": "error"})),
        ),
    ),
    clock="gateway",
)
