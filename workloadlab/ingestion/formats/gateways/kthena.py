"""Access logs of the Kthena router, in JSON."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["KTHENA"]

KTHENA = Format(
    name="kthena",
    title="Kthena router access log, JSON lines",
    containers=("jsonl", "json"),
    keys=frozenset({"timestamp", "duration_total", "status_code"}),
    columns=(
        Column("arrival_ns", "timestamp", DATETIME),
        Column("e2e_ns", "duration_total", "ms"),
        Column("input_tokens", "input_tokens"),
        Column("output_tokens", "output_tokens"),
        Column("request_id", "request_id"),
        Column("model", "model_name"),
        Column("instance_id", "selected_pod"),
        Column("outcome", "status_code"),
    ),
    clock="gateway",
)
