"""HTTP logs of Kong AI Gateway."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import First, Key, choose

__all__ = ["KONG"]

_PLUGINS = ("proxy", "ai-proxy", "proxy-advanced", "ai-proxy-advanced")


def _of(key: str) -> First:
    """Return a key of whichever plugin wrote it."""
    return First(tuple(f"ai.{plugin}.{key}" for plugin in _PLUGINS))


KONG = Format(
    name="kong",
    title="Kong AI Gateway log, JSON lines",
    containers=("jsonl", "json"),
    keys=frozenset({"started_at", "latencies.request"}),
    columns=(
        Column("arrival_ns", Key("started_at", "ms", by_size=True)),
        Column("e2e_ns", "latencies.request", "ms"),
        Column("ttft_ns", _of("usage.time_to_first_token"), "ms"),
        Column("input_tokens", _of("usage.prompt_tokens")),
        Column("output_tokens", _of("usage.completion_tokens")),
        Column("request_id", "request.id"),
        Column("model", First((_of("meta.response_model"), _of("meta.request_model")))),
        Column(
            "streaming",
            choose(_of("meta.request_mode"), {"stream": "true", "oneshot": "false",
                                              "batch": "false"}),
        ),
        Column("outcome", "response.status"),
    ),
    clock="gateway",
)  # fmt: skip
