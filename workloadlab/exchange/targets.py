"""The tools that a trace can be handed to: one value each, with the keys of its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TARGETS", "Key", "Target"]


@dataclass(frozen=True)
class Key:
    """One key of a file.

    Attributes:
        column: of the trace, that it is written from; "" for a constant.
        value: the expression that writes it.
        optional: whether it is left out where the trace does not record the column.
    """

    column: str
    value: pl.Expr
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class Target:
    """The file of one tool.

    Attributes:
        name: the word for `--format`.
        title: the tool, and what reads the file.
        kind: the file: jsonl or csv.
        keys: of the file, in order.
        run: how the tool is told to read it.
        limits: by column, what the file does to it that the values cannot show.
        header: text of a file beside it, or "".
        reads_back: the log format by which `ingest` reads it, or "".
    """

    name: str
    title: str
    kind: Literal["jsonl", "csv"]
    keys: Mapping[str, Key]
    run: str
    limits: Mapping[str, str]
    header: str = ""
    reads_back: str = ""


def _plain(column: str, *, optional: bool = False) -> Key:
    return Key(column, pl.col(column), optional)


def _time(column: str, unit_ns: float, *, optional: bool = False) -> Key:
    return Key(column, pl.col(column) / unit_ns, optional)


def _whole(column: str) -> Key:
    return Key(column, pl.col(column) // 1000)


def _constant(value: str | int | float | bool) -> Key:
    return Key("", pl.lit(value))


MS, S = 1e6, 1e9

MOONCAKE_LIMITS = {
    "arrival_ns": "cut to 1 ms: these files count whole milliseconds",
    "block_ids": "readers take blocks of 512 tokens unless told otherwise",
}

MOONCAKE_KEYS = {
    "timestamp": Key("arrival_ns", pl.col("arrival_ns") // int(MS)),
    "input_length": _plain("input_tokens"),
    "output_length": _plain("output_tokens"),
    "hash_ids": _plain("block_ids", optional=True),
}

EPOCH = pl.datetime(2024, 1, 1, time_unit="ns")
"""Where a trace without a date begins."""

AT = (EPOCH + pl.duration(nanoseconds=pl.col("arrival_ns"))).dt

BLIS_HEADER = """\
trace_version: 2
time_unit: microseconds
mode: generated
warm_up_requests: 0
"""

TARGETS: tuple[Target, ...] = (
    Target(
        name="mooncake",
        title="Mooncake JSON lines, as of the FAST'25 traces",
        kind="jsonl",
        keys=MOONCAKE_KEYS,
        run="any reader of Mooncake traces",
        limits=MOONCAKE_LIMITS,
        reads_back="mooncake",
    ),
    Target(
        name="aiperf",
        title="AIPerf, dataset mooncake_trace",
        kind="jsonl",
        keys=MOONCAKE_KEYS
        | {
            "session_id": _plain("session_id", optional=True),
            "delay": _time("think_ns", MS, optional=True),
        },
        run="aiperf profile --input-file FILE --custom-dataset-type mooncake_trace --fixed-schedule",
        limits=MOONCAKE_LIMITS,
        reads_back="mooncake",
    ),
    Target(
        name="dynamo",
        title="Dynamo, trace replay",
        kind="jsonl",
        keys=MOONCAKE_KEYS | {"priority": _plain("priority", optional=True)},
        run="Dynamo's replay of a Mooncake trace",
        limits=MOONCAKE_LIMITS,
        reads_back="mooncake",
    ),
    Target(
        name="guidellm",
        title="GuideLLM, replay of a Mooncake trace",
        kind="jsonl",
        keys=MOONCAKE_KEYS,
        run="GuideLLM's replay profile, trace format mooncake",
        limits=MOONCAKE_LIMITS,
        reads_back="mooncake",
    ),
    Target(
        name="inference-perf",
        title="inference-perf, trace_replay in the Azure layout",
        kind="csv",
        keys={
            # ticks of 100 ns, as in the Azure traces
            "TIMESTAMP": Key("arrival_ns", AT.strftime("%Y-%m-%d %H:%M:%S.%9f").str.head(27)),
            "ContextTokens": _plain("input_tokens"),
            "GeneratedTokens": _plain("output_tokens"),
        },
        run="load type trace_replay, trace format AzurePublicDataset",
        limits={"arrival_ns": "cut to 100 ns, and the date is 2024-01-01"},
        reads_back="azure",
    ),
    Target(
        name="vllm-bench",
        title="vllm bench serve, dataset burstgpt",
        kind="csv",
        keys={
            "Timestamp": _time("arrival_ns", S),
            "Model": _constant("GPT-4"),
            "Request tokens": _plain("input_tokens"),
            "Response tokens": _plain("output_tokens"),
            "Total tokens": Key("", pl.col("input_tokens") + pl.col("output_tokens")),
            "Log Type": _constant("API log"),
        },
        run="vllm bench serve --dataset-name burstgpt --dataset-path FILE --request-rate RATE",
        limits={
            "arrival_ns": "written, but vllm bench draws arrivals by --request-rate",
            "model": "written as GPT-4, the only rows that vllm bench reads",
        },
        reads_back="burstgpt",
    ),
    Target(
        name="vidur",
        title="Vidur, trace request generator",
        kind="csv",
        keys={
            "arrived_at": _time("arrival_ns", S),
            "num_prefill_tokens": _plain("input_tokens"),
            "num_decode_tokens": _plain("output_tokens"),
        },
        run="--request_generator_config_type trace_replay, trace_file FILE",
        limits={},
        reads_back="vidur",
    ),
    Target(
        name="blis",
        title="BLIS, TraceV2: CSV and its YAML header",
        kind="csv",
        keys={
            "request_id": Key("row_id", pl.col("row_id")),
            "client_id": _plain("client_id"),
            "tenant_id": _plain("tenant_id"),
            "slo_class": _plain("slo_class"),
            "session_id": _plain("session_id"),
            "round_index": Key("turn", pl.col("turn").fill_null(0)),
            "prefix_group": _constant(""),
            "prefix_length": _constant(0),
            "streaming": Key("streaming", pl.col("streaming").fill_null(value=True)),
            "input_tokens": _plain("input_tokens"),
            "output_tokens": _plain("output_tokens"),
            "text_tokens": Key("", pl.col("input_tokens")),
            "image_tokens": Key("image_tokens", pl.col("image_tokens").fill_null(0)),
            "audio_tokens": Key("audio_tokens", pl.col("audio_tokens").fill_null(0)),
            "video_tokens": Key("video_tokens", pl.col("video_tokens").fill_null(0)),
            "reason_ratio": _constant(0.0),
            "model": _plain("model"),
            "deadline_us": _constant(0),
            "server_input_tokens": _constant(0),
            "arrival_time_us": _whole("arrival_ns"),
            "send_time_us": Key("", pl.col("arrival_ns") // 1000),
            "first_chunk_time_us": Key(
                "ttft_ns", ((pl.col("arrival_ns") + pl.col("ttft_ns")) // 1000).fill_null(0)
            ),
            "last_chunk_time_us": Key(
                "e2e_ns", ((pl.col("arrival_ns") + pl.col("e2e_ns")) // 1000).fill_null(0)
            ),
            "num_chunks": _constant(0),
            "status": Key("outcome", pl.col("outcome").fill_null("ok")),
            "error_message": _constant(""),
            "finish_reason": _plain("finish_reason"),
        },
        run="blis replay --trace-header FILE.yaml --trace-data FILE",
        limits={
            "arrival_ns": "cut to 1 us",
            "ttft_ns": "cut to 1 us; 0 where it is not recorded",
            "e2e_ns": "cut to 1 us; 0 where it is not recorded",
            "turn": "0 where it is not recorded",
        },
        header=BLIS_HEADER,
        reads_back="blis",
    ),
)
