"""Model invocation logs of AWS Bedrock."""

from workloadlab.ingestion.formats.failures import failure
from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import choose, first, has, total
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["BEDROCK"]

_BODY = "output.outputBodyJson."
_STREAM = f"{_BODY}amazon-bedrock-invocationMetrics."

BEDROCK = Format(
    name="bedrock",
    title="AWS Bedrock model invocation log, JSON lines",
    containers=("jsonl", "json"),
    keys=frozenset({"schemaType", "modelId", "operation"}),
    where=(has("schemaType", "ModelInvocationLog"), has("input.inputTokenCount")),
    # inputTokenCount leaves out what was read from the cache and written to it
    columns=(
        Column("arrival_ns", "timestamp", DATETIME),
        Column("e2e_ns", first(f"{_BODY}metrics.latencyMs", f"{_STREAM}invocationLatency"), "ms"),
        Column("ttft_ns", f"{_STREAM}firstByteLatency", "ms"),
        Column(
            "input_tokens",
            total(
                "input.inputTokenCount",
                "input.cacheReadInputTokenCount",
                "input.cacheWriteInputTokenCount",
            ),
        ),
        Column("output_tokens", "output.outputTokenCount"),
        Column("cached_tokens", "input.cacheReadInputTokenCount"),
        Column("request_id", "requestId"),
        Column("model", "modelId"),
        Column(
            "streaming",
            choose("operation", {"ConverseStream": "true",
                                 "InvokeModelWithResponseStream": "true"}, "false"),
        ),
        Column("outcome", failure("errorCode")),
    ),
    clock="gateway",
)  # fmt: skip
