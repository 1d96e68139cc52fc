"""AIPerf's `profile_export.jsonl`: one record per request, every metric with its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.errors import DataError
from workloadlab.ingestion.formats.engine_files import facts_of_aiperf
from workloadlab.ingestion.formats.failures import failure
from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import choose, first, gaps, only

if TYPE_CHECKING:
    from workloadlab.ingestion.head import Head

__all__ = ["AIPERF"]

_UNITS = {"s": "s", "sec": "s", "ms": "ms", "us": "us", "ns": "ns"}
_CANCELLED = choose(
    only("metadata.was_cancelled", "metadata.was_cancelled", "true"), {"true": "499"}
)


def _read(head: Head) -> tuple[Column, ...]:
    """Count from when the request was sent.

    A session is a correlation id: `conversation_id` is a row of the data set, which may be played
    more than once. `output_sequence_length` includes reasoning. A request that failed has its length
    in `error_isl`; 499 is what AIPerf gives a request that it cancelled.
    """
    ttft = _unit(head, "time_to_first_token")
    return (
        Column("arrival_ns", first("metadata.request_start_ns", "metadata.timestamp_ns"), "ns"),
        Column(
            "input_tokens",
            first("metrics.input_sequence_length.value", "metrics.error_isl.value"),
        ),
        Column("output_tokens", "metrics.output_sequence_length.value"),
        Column("reasoning_tokens", "metrics.reasoning_token_count.value"),
        Column("ttft_ns", "metrics.time_to_first_token.value", ttft),
        Column("e2e_ns", "metrics.request_latency.value", _unit(head, "request_latency")),
        Column(
            "token_offsets_ns",
            gaps("metrics.time_to_first_token.value", "metrics.inter_chunk_latency.value"),
            ttft,
        ),
        Column("request_id", "metadata.x_request_id"),
        Column("session_id", first("metadata.x_correlation_id", "metadata.conversation_id")),
        Column("turn", "metadata.turn_index"),
        Column(
            "outcome",
            failure(first(_CANCELLED, "error.code", "error.type", "error.message")),
        ),
        Column(
            "warmup",
            choose("metadata.benchmark_phase", {"warmup": "true", "profiling": "false"}, "false"),
        ),
    )


def _unit(head: Head, metric: str) -> str:
    units = sorted(set(head.samples.get(f"metrics.{metric}.unit", ["ms"])))
    if len(units) > 1 or units[0] not in _UNITS:
        raise DataError(
            f"gives {metric} in {' and '.join(units)}",
            where=str(head.path),
            fix=f"export it in one of {', '.join(_UNITS)}",
        )
    return _UNITS[units[0]]


AIPERF = Format(
    name="aiperf",
    title="AIPerf profile export, JSON lines",
    containers=("jsonl", "json"),
    keys=frozenset({"metadata.request_start_ns", "metadata.request_end_ns"}),
    also=(
        frozenset({"metadata.request_start_ns", "metadata.benchmark_phase"}),
        frozenset({"metadata.request_start_ns", "metadata.worker_id"}),
        frozenset({"metadata.timestamp_ns", "metadata.worker_id"}),
    ),
    columns=_read,
    system=facts_of_aiperf,
    clock="client",
)
