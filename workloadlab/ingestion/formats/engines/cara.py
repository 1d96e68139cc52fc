"""CARA's latency data set: requests with the state of the instance at the moment of scheduling."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import first

__all__ = ["CARA"]

CARA = Format(
    name="cara",
    title="CARA latency prediction rows, JSON lines or Parquet",
    containers=("jsonl", "parquet", "csv"),
    keys=frozenset({"actual_ttft_s", "actual_e2e_latency_s", "num_running", "num_waiting"}),
    columns=(
        Column("arrival_ns", first("prediction_timestamp_s", "timestamp_s", "arrival_time_s"), "s"),
        Column("input_tokens", first("num_prompt_tokens", "prompt_tokens", "input_tokens")),
        Column(
            "output_tokens",
            first("actual_output_tokens", "num_output_tokens", "output_tokens"),
        ),
        Column("ttft_ns", "actual_ttft_s", "s"),
        Column("e2e_ns", "actual_e2e_latency_s", "s"),
        Column("request_id", "request_id"),
        Column("instance_id", "instance_id"),
        Column("running_at_arrival", "num_running"),
        Column("waiting_at_arrival", "num_waiting"),
        Column("kv_usage_at_arrival", first("kv_cache_utilization", "kv_cache_usage")),
        Column("model", first("model_name", "model")),
    ),
    nullable=frozenset({"arrival_ns"}),
    clock="client",
)
