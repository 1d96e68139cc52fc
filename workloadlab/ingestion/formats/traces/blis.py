"""BLIS TraceV2: the CSV beside its YAML header; 0 stands for what was not recorded."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import minus, unless

__all__ = ["BLIS"]


BLIS = Format(
    name="blis",
    title="BLIS TraceV2, CSV",
    containers=("csv",),
    keys=frozenset({"arrival_time_us", "send_time_us", "first_chunk_time_us", "last_chunk_time_us"}),
    columns=(
        Column("arrival_ns", "arrival_time_us", "us"),
        Column("ttft_ns", minus(unless("first_chunk_time_us", "first_chunk_time_us", "0"),
                                "arrival_time_us"), "us"),
        Column("e2e_ns", minus(unless("last_chunk_time_us", "last_chunk_time_us", "0"),
                               "arrival_time_us"), "us"),
        Column("think_ns", unless("think_time_us", "think_time_us", "0"), "us"),
        Column("input_tokens", "input_tokens"),
        Column("output_tokens", "output_tokens"),
        Column("image_tokens", "image_tokens"),
        Column("audio_tokens", "audio_tokens"),
        Column("video_tokens", "video_tokens"),
        Column("request_id", "request_id"),
        Column("session_id", "session_id"),
        Column("turn", "round_index"),
        Column("tenant_id", "tenant_id"),
        Column("client_id", "client_id"),
        Column("slo_class", "slo_class"),
        Column("priority", "vllm_priority"),
        Column("model", "model"),
        Column("streaming", "streaming"),
        Column("outcome", "status"),
        Column("finish_reason", "finish_reason"),
    ),
    clock="client",
)  # fmt: skip
