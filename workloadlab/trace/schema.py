"""The canonical request table: one row per attempt to serve one request.

Times are Int64 nanoseconds. `arrival_ns` counts from the trace's t0 (in the provenance); every other
time is a duration after that row's arrival, so two clocks are never subtracted later.
null means not recorded; 0 means measured zero.
"""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ABOUT",
    "CAPABILITIES",
    "CLOCKS",
    "COLUMNS",
    "GIVEN",
    "OUTCOMES",
    "REQUIRED",
    "SCHEMA_VERSION",
    "Flag",
    "named",
]

_T = TypeVar("_T")

SCHEMA_VERSION = 1

COLUMNS: dict[str, pl.DataType] = {
    # identity
    "row_id": pl.UInt64(),
    "request_id": pl.String(),
    "run_id": pl.String(),
    "source_format": pl.String(),
    # time
    "arrival_ns": pl.Int64(),
    "queue_ns": pl.Int64(),
    "ttft_ns": pl.Int64(),
    "last_token_ns": pl.Int64(),
    "e2e_ns": pl.Int64(),
    "think_ns": pl.Int64(),
    "token_offsets_ns": pl.List(pl.Int64()),
    # size
    "input_tokens": pl.UInt32(),
    "output_tokens": pl.UInt32(),
    "cached_tokens": pl.UInt32(),
    "reasoning_tokens": pl.UInt32(),
    "max_tokens": pl.UInt32(),
    "image_tokens": pl.UInt32(),
    "audio_tokens": pl.UInt32(),
    "video_tokens": pl.UInt32(),
    "num_images": pl.UInt32(),
    # prefix
    "block_ids": pl.List(pl.UInt64()),
    "block_size": pl.UInt16(),
    # parties
    "session_id": pl.String(),
    "turn": pl.UInt32(),
    "tenant_id": pl.String(),
    "client_id": pl.String(),
    "model": pl.String(),
    "task": pl.String(),
    "slo_class": pl.String(),
    "priority": pl.Int16(),
    # outcome
    "outcome": pl.String(),
    "finish_reason": pl.String(),
    "streaming": pl.Boolean(),
    "warmup": pl.Boolean(),
    "ttft_clock": pl.String(),
    # placement
    "instance_id": pl.String(),
    "waiting_at_arrival": pl.UInt32(),
    "running_at_arrival": pl.UInt32(),
    "kv_usage_at_arrival": pl.Float32(),
    # replay only
    "dispatch_ns": pl.Int64(),
    "preemptions": pl.UInt32(),
    "predicted_output_tokens": pl.UInt32(),
    # quality
    "flags": pl.UInt32(),
}
"""Every column of a trace with its dtype, in file order."""

GIVEN = ("arrival_ns", "input_tokens")
"""Columns that a log must give: what lacks one of them is no request."""

CLOCKS = ("client", "gateway", "engine")
"""Whose clock measured a row's times (`ttft_clock`): what lies before it is not in its TTFT."""

ABOUT: dict[str, str] = {
    "row_id": "place in the log, from 0",
    "request_id": "of the log, as an ordinal (`r0`) unless ids are kept",
    "run_id": "of a replay",
    "source_format": "log format that the row was read as",
    "arrival_ns": "nanoseconds from the trace's t0",
    "queue_ns": "until the engine began on it; like every later time, after its arrival",
    "ttft_ns": "to the first token",
    "last_token_ns": "to the last token",
    "e2e_ns": "to the end",
    "think_ns": "from the end of the session's turn before to this arrival",
    "token_offsets_ns": "of each output token",
    "input_tokens": "prompt tokens, cached ones included",
    "output_tokens": "generated tokens, reasoning included",
    "cached_tokens": "prompt tokens found in the prefix cache",
    "reasoning_tokens": "of the output",
    "max_tokens": "most that the request allowed",
    "image_tokens": "of the prompt",
    "audio_tokens": "of the prompt",
    "video_tokens": "of the prompt",
    "num_images": "images in the prompt",
    "block_ids": "KV blocks of the prompt, prefix-chained: an equal id means an equal prefix",
    "block_size": "tokens per block",
    "session_id": "conversation or agent run",
    "turn": "within the session, from 0",
    "tenant_id": "who pays",
    "client_id": "who sent it",
    "model": "that was asked for",
    "task": "kind of work, as the log names it",
    "slo_class": "class of service",
    "priority": "lower is sooner",
    "outcome": "ok, error, timeout, cancelled, rejected or unfinished",
    "finish_reason": "why generation ended",
    "streaming": "whether tokens were streamed",
    "warmup": "whether it only warmed the system up; left out of statistics",
    "ttft_clock": "client, gateway or engine: whose clock measured the first token",
    "instance_id": "instance that served it",
    "waiting_at_arrival": "requests waiting there at that moment",
    "running_at_arrival": "requests running there at that moment",
    "kv_usage_at_arrival": "share of KV blocks in use there, 0 to 1",
    "dispatch_ns": "until the router had chosen, in a replay",
    "preemptions": "times it lost its blocks, in a replay",
    "predicted_output_tokens": "output length as predicted before it ran",
    "flags": "bits: what was repaired, estimated or looked odd; see `Flag`",
}
"""What each column means."""

REQUIRED = ("row_id", "source_format", "arrival_ns", "input_tokens", "warmup", "flags")
"""Columns that are in every file and never null, but for `arrival_ns`: a log of lengths has none."""

OUTCOMES = ("ok", "error", "timeout", "cancelled", "rejected", "unfinished")

CAPABILITIES: dict[str, tuple[str, ...]] = {
    "arrivals": ("arrival_ns",),
    "input": ("input_tokens",),
    "output": ("output_tokens",),
    "lengths": ("input_tokens", "output_tokens"),
    "prefix": ("block_ids", "block_size"),
    "session": ("session_id",),
    "think": ("think_ns",),
    "tenant": ("tenant_id",),
    "model": ("model",),
    "timings": ("ttft_ns", "e2e_ns"),
    "queue": ("queue_ns",),
    "instances": ("instance_id",),
    "predicted_output": ("predicted_output_tokens",),
}
"""What a trace may be able to do, and the columns that must hold values for it."""


def named(known: Mapping[str, _T], name: str, noun: str) -> _T:
    """Return what is known by a name.

    Raises:
        UsageError: nothing is.

    Example:
        >>> named(CAPABILITIES, "queue", "capability")
        ('queue_ns',)
    """
    if name not in known:
        raise UsageError(f"no {noun} is called {name!r}", fix=did_you_mean(name, known))
    return known[name]


class Flag(IntFlag):
    """Bits of `flags`: what was repaired or looks suspicious in a row.

    4, 8 and 32 had names that nothing set; a new flag takes 1024.
    """

    CLOCKS_MIXED = 1
    ZERO_TAKEN_AS_NULL = 2
    TRUNCATED = 16
    DUPLICATE_ID = 64
    TTFT_AFTER_END = 128
    NO_STREAM = 256
    PART_EXCEEDS_WHOLE = 512
