"""What SGLang writes of each request: its metrics file, and its JSON request log."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import choose, first, minus, only
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["SGLANG_METRICS", "SGLANG_REQUESTS"]

_ENDS = {"abort": "cancelled", None: "unfinished"}
_RECEIVED = first("request_received_ts", "request_received_time")

SGLANG_METRICS = Format(
    name="sglang",
    title="SGLang request metrics, JSON lines",
    containers=("jsonl",),
    keys=frozenset({"request_parameters", "e2e_latency", "prompt_tokens"}),
    columns=(
        Column("arrival_ns", _RECEIVED, "s"),
        Column("queue_ns", "queue_time", "s"),
        # the end of the prefill: the first token left a little later
        Column(
            "ttft_ns",
            minus(first("prefill_finished_ts", "prefill_finished_time"), _RECEIVED),
            "s",
        ),
        Column("e2e_ns", "e2e_latency", "s"),
        Column("input_tokens", "prompt_tokens"),
        Column("output_tokens", "completion_tokens"),
        Column("cached_tokens", "cached_tokens"),
        Column("max_tokens", "request_parameters.sampling_params.max_new_tokens"),
        Column("request_id", first("id", "request_parameters.rid")),
        Column("streaming", "request_parameters.stream"),
        Column("finish_reason", "finish_reason.type"),
        Column("outcome", choose("finish_reason.type", _ENDS, "ok")),
    ),
    system=lambda _: {"engine": "sglang"},
    clock="engine",
)

SGLANG_REQUESTS = Format(
    name="sglang_requests",
    title="SGLang request log in JSON, two lines a request",
    containers=("jsonl",),
    keys=frozenset({"event", "rid", "timestamp"}),
    columns=(
        Column("arrival_ns", only("timestamp", "event", "request.received"), DATETIME),
        Column("e2e_ns", "out.meta_info.e2e_latency", "s"),
        Column("queue_ns", "out.meta_info.queue_time", "s"),
        Column("input_tokens", "out.meta_info.prompt_tokens"),
        Column("output_tokens", "out.meta_info.completion_tokens"),
        Column("cached_tokens", "out.meta_info.cached_tokens"),
        Column("request_id", "rid"),
        Column("streaming", "obj.stream"),
        Column("finish_reason", "out.meta_info.finish_reason.type"),
        Column(
            "outcome",
            only(
                choose("out.meta_info.finish_reason.type", _ENDS, "ok"), "event", "request.finished"
            ),
        ),
    ),
    merge_by="request_id",
    system=lambda _: {"engine": "sglang"},
    clock="engine",
)
