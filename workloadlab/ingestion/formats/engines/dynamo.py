"""Request traces of NVIDIA Dynamo, plain or in the envelope of a sink."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import first, has

__all__ = ["DYNAMO", "DYNAMO_WRAPPED"]


def _columns(start: str) -> tuple[Column, ...]:
    request = f"{start}request."
    return (
        Column("arrival_ns", f"{request}request_received_ms", "ms"),
        Column("queue_ns", f"{request}prefill_wait_time_ms", "ms"),
        Column("ttft_ns", f"{request}ttft_ms", "ms"),
        Column("e2e_ns", f"{request}total_time_ms", "ms"),
        Column("input_tokens", first(f"{request}input_tokens", f"{request}replay.input_length")),
        Column("output_tokens", f"{request}output_tokens"),
        Column("cached_tokens", f"{request}cached_tokens"),
        Column("block_ids", f"{request}replay.input_sequence_hashes"),
        Column("request_id", f"{request}request_id"),
        Column("session_id", f"{start}agent_context.session_id"),
        Column("model", f"{request}model"),
        Column("finish_reason", f"{request}finish_reason_metadata.finish_reason"),
        Column(
            "instance_id",
            first(f"{request}worker.decode_worker_id", f"{request}worker.prefill_worker_id"),
        ),
        Column("waiting_at_arrival", f"{request}queue_depth"),
    )


DYNAMO = Format(
    name="dynamo",
    title="Dynamo request trace, JSON lines",
    containers=("jsonl", "json"),
    keys=frozenset({"schema", "event_type", "request.request_received_ms"}),
    also=(frozenset({"event_type", "event_source", "request.request_id"}),),
    columns=_columns(""),
    where=(has("event_type", "request_end"),),
    block_size="request.replay.trace_block_size",
    clock="gateway",
)

DYNAMO_WRAPPED = Format(
    name="dynamo_wrapped",
    title="Dynamo request trace in the envelope of a sink, JSON lines",
    containers=("jsonl", "json"),
    keys=frozenset({"event.schema", "event.event_type"}),
    columns=_columns("event."),
    where=(has("event.event_type", "request_end"),),
    block_size="event.request.replay.trace_block_size",
    clock="gateway",
)
