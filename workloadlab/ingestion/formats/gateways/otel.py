"""OpenTelemetry spans with the GenAI conventions, of current and older names, and vLLM's dialect."""

from workloadlab.ingestion.formats.failures import failure
from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import (
    First,
    Key,
    at,
    first,
    has,
    joined,
    lacks,
    minus,
    only,
)
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["COLLECTED", "CONSOLE", "OTLP", "OTLP_SNAKE", "TEMPO"]

_OTHER_OPERATIONS = (
    "embeddings", "execute_tool", "invoke_agent", "create_agent", "invoke_workflow", "retrieval",
    "rerank",
)  # fmt: skip


def _of(*names: str, unit: str | None = None) -> First:
    return First(tuple(Key(f"attributes.{name}", unit) for name in names))


_INPUT = _of("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens",
             "llm.token_count.prompt")  # fmt: skip
_OPERATION = _of("gen_ai.operation.name", "openinference.span.kind", "traceloop.span.kind")
_WHERE = (has(_INPUT), lacks(_OPERATION, *_OTHER_OPERATIONS, "AGENT", "CHAIN", "TOOL", "workflow"))


def _columns(
    start: str, end: str, unit: str, trace: str, span: str, parent: str, status: str
) -> tuple[Column, ...]:
    """Return the columns of a span; its end is when it was exported, so a latency attribute wins."""
    failed = only(status, status, "2", "STATUS_CODE_ERROR", "ERROR")
    return (
        Column("arrival_ns", Key(start, unit)),
        Column(
            "e2e_ns",
            first(_of("gen_ai.latency.e2e", unit="s"), minus(Key(end, unit), Key(start, unit))),
        ),
        Column(
            "ttft_ns",
            first(
                _of("gen_ai.latency.time_to_first_token", "gen_ai.response.time_to_first_chunk",
                    "gen_ai.server.time_to_first_token",
                    "gen_ai.client.operation.time_to_first_chunk", unit="s"),
                _of("ai.response.msToFirstChunk", unit="ms"),
            ),
        ),
        Column("queue_ns", _of("gen_ai.latency.time_in_queue", unit="s")),
        Column("input_tokens", _INPUT),
        Column(
            "output_tokens",
            _of("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens",
                "llm.usage.completion_tokens", "llm.token_count.completion"),
        ),
        Column(
            "cached_tokens",
            _of("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
                "gen_ai.usage.cached_tokens", "llm.usage.cache_read_input_tokens",
                "llm.token_count.prompt_details.cache_read"),
        ),
        Column(
            "reasoning_tokens",
            _of("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
                "llm.usage.reasoning_tokens", "llm.token_count.completion_details.reasoning"),
        ),
        Column("max_tokens", _of("gen_ai.request.max_tokens")),
        Column("request_id", _of("gen_ai.request.id", "gen_ai.response.id")),
        Column("session_id", _of("gen_ai.conversation.id", "session.id", "langfuse.session.id")),
        Column("model", _of("gen_ai.response.model", "gen_ai.request.model", "llm.model_name")),
        Column("streaming", _of("gen_ai.request.stream", "llm.is_streaming")),
        Column("finish_reason", at(_of("gen_ai.response.finish_reasons"), 0)),
        Column("outcome", failure(first(_of("error.type"), failed))),
        Column("_id", joined(trace, span)),
        Column("_parent", joined(trace, parent)),
    )  # fmt: skip


_SPAN = _columns("startTimeUnixNano", "endTimeUnixNano", "ns", "traceId", "spanId", "parentSpanId",
                 "status.code")  # fmt: skip

OTLP = Format(
    name="otlp",
    title="OpenTelemetry spans in OTLP JSON",
    containers=("jsonl", "json"),
    keys=frozenset({"resourceSpans"}),
    records="resourceSpans[].scopeSpans[].spans[]",
    columns=_SPAN,
    where=_WHERE,
    innermost=True,
)

OTLP_SNAKE = Format(
    name="otlp_snake",
    title="OpenTelemetry spans in the names of OTLP's protocol buffers",
    containers=("jsonl", "json"),
    keys=frozenset({"resource_spans"}),
    records="resource_spans[].scope_spans[].spans[]",
    columns=_columns("start_time_unix_nano", "end_time_unix_nano", "ns", "trace_id", "span_id",
                     "parent_span_id", "status.code"),
    where=_WHERE,
    innermost=True,
)  # fmt: skip

TEMPO = Format(
    name="tempo",
    title="OpenTelemetry spans as Grafana Tempo gives them",
    containers=("jsonl", "json"),
    keys=frozenset({"batches"}),
    records="batches[].scopeSpans[].spans[]",
    columns=_SPAN,
    where=_WHERE,
    innermost=True,
)

COLLECTED = Format(
    name="otel_collected",
    title="OpenTelemetry spans of one trace in a list",
    containers=("jsonl", "json"),
    keys=frozenset({"trace_id", "spans"}),
    records="spans[]",
    columns=_columns("start_time", "end_time", DATETIME, "trace_id", "span_id", "parent_span_id",
                     "status.status_code"),
    where=_WHERE,
    innermost=True,
)  # fmt: skip

CONSOLE = Format(
    name="otel_console",
    title="OpenTelemetry spans of the console exporter",
    containers=("jsonl", "json"),
    keys=frozenset({"context.trace_id", "context.span_id", "start_time", "end_time"}),
    columns=_columns("start_time", "end_time", DATETIME, "context.trace_id", "context.span_id",
                     "parent_id", "status.status_code"),
    where=_WHERE,
    innermost=True,
)  # fmt: skip
