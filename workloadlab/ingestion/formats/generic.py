"""Any CSV, JSON-lines or Parquet log: columns proposed by their usual names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.ingestion.formats.derived import (
    answer_of_total,
    end_beside,
    is_project,
    only_element,
    short_total,
)
from workloadlab.ingestion.formats.ends import before_end, begun
from workloadlab.ingestion.formats.failures import failure
from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.names import forms
from workloadlab.ingestion.formats.parts import counted_apart
from workloadlab.ingestion.formats.rivals import (
    by_name,
    is_dated,
    likely_arrivals,
    likely_durations,
    likely_ends,
    renamed,
    some,
)
from workloadlab.ingestion.formats.tongues import spoken
from workloadlab.ingestion.formats.words import at, choose, first, only, unless
from workloadlab.ingestion.parsing.outcomes import outcomes
from workloadlab.ingestion.parsing.values import NO, YES, integers, is_number, switches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.ingestion.formats.words import Value
    from workloadlab.ingestion.head import Head

__all__ = ["GENERIC", "uncounted"]

ALIASES: dict[str, tuple[str, ...]] = {
    "arrival_ns": (
        "arrival", "arrival_time", "arrived_at", "arrival_timestamp", "request_received",
        "request_received_at", "request_start_time", "request_start", "request_created_at",
        "request_time", "start_time", "started_at", "start", "begin_time", "launch_time",
        "received_at", "started", "start_date", "began_at", "begun_at", "accepted_at", "accept_date",
        "accept_time", "submitted_at", "submit_time",
        "submit", "submitted", "t_submit", "t_start", "enqueued_at", "queued_at", "requested_at",
        "request_date", "invoked_at", "timestamp", "ts", "time", "datetime", "created_at", "created",
        "event_time", "date", "relative_time", "relative_time_sec", "time_local", "time_iso8601",
        "asctime",
        "offset_s", "offset_ms", "offset_sec", "offset_seconds", "arrival_offset", "start_offset",
        "time_offset", "request_offset", "create_time", "time_generated",
        "msec", "logging_time", "log_time", "logged_at",
        "inference_time", "t0", "t",
    ),
    "input_tokens": (
        "input_tokens", "prompt_tokens", "num_prefill_tokens", "input_length", "prompt_length",
        "input_len", "prompt_len", "input_toks", "context_tokens", "request_tokens",
        "num_input_tokens", "num_prompt_tokens", "n_prompt_tokens", "input_num_tokens",
        "in_tokens", "prompt_size", "gen_ai_usage_input_tokens", "gen_ai_usage_prompt_tokens",
        "input_token", "prompt_token", "tokens_in", "tokens_prompt", "input_token_count",
        "prompt_token_count", "prefill_tokens", "prompt_eval_count", "llm_token_count_prompt",
        "message_tokens", "num_input", "n_input", "n_in", "tokens_input", "n_prompt", "prompt_tok",
        "input_tok", "input_lens", "prompt_lens", "usage_input", "usage_prompt",
    ),
    "output_tokens": (
        "output_tokens", "completion_tokens", "num_decode_tokens", "output_length",
        "output_len", "output_toks", "generated_tokens", "generation_tokens", "response_tokens",
        "num_output_tokens", "num_completion_tokens", "output_num_tokens", "out_tokens",
        "output_tokens_actual", "token_size", "gen_ai_usage_output_tokens",
        "gen_ai_usage_completion_tokens", "output_token", "completion_token", "tokens_out",
        "tokens_completion", "output_token_count", "completion_token_count", "decode_tokens",
        "candidates_token_count", "eval_count", "llm_token_count_completion",
        "answer_tokens", "generated_token", "response_length", "response_len", "generated_length",
        "generation_length", "generated_len", "num_generated", "decoded_tokens", "sampled_tokens",
        "num_output", "n_output", "n_out", "tokens_output", "n_gen", "gen_tok", "gen_tokens",
        "gen_len", "output_tok", "completion_tok", "output_lens", "gen_lens",
        "usage_output", "usage_completion",
    ),
    "cached_tokens": (
        "cached_tokens", "cache_read_input_tokens", "num_cached_tokens", "cached_input_tokens",
        "prompt_cache_hit_tokens", "cached_prompt_tokens", "cache_read_tokens",
        "cached_content_token_count", "cache_reads", "prompt_cached_tokens", "input_cached_tokens",
        "tokens_cached", "prompt_cache_read_tokens", "cached_token_count",
    ),
    "reasoning_tokens": ("reasoning_tokens", "thinking_tokens", "thoughts_token_count"),
    "max_tokens": (
        "max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens",
        "gen_ai_request_max_tokens",
    ),
    "queue_ns": ("queue", "queue_time", "time_in_queue", "queue_duration", "queueing_time"),
    "ttft_ns": (
        "ttft", "time_to_first_token", "gen_ai_latency_time_to_first_token", "first_token_latency",
        "time_to_first_byte", "ttfb", "first_token_time", "first_token_at",
        "first_token", "first_tok", "t_first", "t_first_token", "first_chunk", "first_byte",
        "completion_start_time", "first_chunk_latency", "first_byte_latency", "time_to_first_chunk",
        "ms_to_first_chunk",
    ),
    "e2e_ns": (
        "e2e", "e2e_latency", "e2el", "request_latency", "latency", "total_latency", "ttlt",
        "total_time", "duration", "elapsed_time", "elapsed", "response_time", "end_to_end_latency",
        "total_duration", "gen_ai_latency_e2e", "end_time", "ended_at", "finish_time",
        "finished_at", "completed_at", "completion_time", "end", "response_created_at",
        "request_time", "request_end_time", "request_end", "execution_time", "execution_duration",
        "use_time", "time_taken", "provider_response_latency",
        "latency_total", "duration_total", "time_total", "t_end", "t_done", "t_last",
    ),
    "think_ns": ("think_time", "think", "delay"),
    "request_id": ("request_id", "req_id", "rid", "x_request_id"),
    "session_id": ("session_id", "conversation_id", "session"),
    "turn": ("turn", "turn_index"),
    "tenant_id": ("tenant_id", "tenant", "team_id"),
    "client_id": ("client_id", "user_id", "end_user", "user"),
    "model": ("model", "model_name", "gen_ai_response_model", "gen_ai_request_model"),
    "slo_class": ("slo_class",),
    "outcome": (
        "outcome", "status", "status_code", "response_code", "http_status", "http_status_code",
        "response_status", "result", "error_code",
    ),
    "finish_reason": ("finish_reason",),
    "streaming": ("streaming", "stream", "streamed", "is_streaming"),
    "instance_id": ("instance_id", "target_pod", "upstream_host"),
    "block_ids": ("block_ids", "hash_ids"),
}  # fmt: skip
"""Names by which each trace column is recognised, the likelier first; see `plain`."""

_JSON = re.compile(r"\{|\[(?!\d+/)")
"""How an object or a list begins; a moment in brackets does not."""

_CANCELLED = {"cancelled", "canceled", "was_cancelled", "was_canceled", "is_cancelled", "aborted"}
_ERROR = {"error", "error_message", "error_type", "error_msg", "exception"}
_SUCCESS = {"success", "is_success", "succeeded"}


def _read(head: Head) -> tuple[Column, ...]:
    """Propose the first key that goes by the likeliest name of each trace column."""
    named = {key: forms(key) for key in head.names}
    joined = {key: {name.replace("_", "") for name in names} for key, names in named.items()}
    found = {
        target: [
            key
            for known, names in (
                (named, aliases),
                (joined, tuple(alias.replace("_", "") for alias in aliases)),
            )
            for alias in names
            for key in head.names
            if alias in known[key] and _holds(target, head.said(key))
        ]
        + [key for key in head.names if _otherwise(head, target, key, named[key])]
        for target, aliases in ALIASES.items()
    }
    columns: dict[str, Column] = {}
    for target, keys in found.items():
        likely = _likely(head, target, keys, next(iter(found["input_tokens"]), ""))
        taken = str(columns["arrival_ns"].source) if "arrival_ns" in columns else None
        if (key := next((key for key in likely if key != taken), None)) is not None:
            columns[target] = Column(target, key)
    counted = {
        target: str(columns[target].source)
        for target in ("input_tokens", "output_tokens")
        if target in columns
    }
    for target, key in counted.items():
        others = [other for other in counted.values() if other != key]
        part = columns.get("cached_tokens" if target == "input_tokens" else "reasoning_tokens")
        parted = counted_apart(head, key, others, None if part is None else str(part.source))
        columns[target] = Column(target, parted or by_name(head, key))
    if "input_tokens" in counted and "output_tokens" not in counted:
        columns |= answer_of_total(head, counted["input_tokens"])
    if "e2e_ns" not in columns:
        columns |= short_total(head, columns.get("ttft_ns"))
    if "arrival_ns" in columns and "e2e_ns" not in columns:
        columns |= end_beside(head, str(columns["arrival_ns"].source))
    if "arrival_ns" not in columns and (ends := likely_ends(head, found["e2e_ns"])):
        columns |= before_end(columns, ends[0])
    columns |= begun(head, columns)
    for target, column in columns.items():
        if not isinstance(column.source, str) or target == "outcome":
            continue
        if others := renamed(head, column.source, found[target]):
            columns[target] = Column(target, first(column.source, *others))
    status = columns.get("outcome")
    if ended := _ended(head, named, None if status is None else str(status.source)):
        columns["outcome"] = Column("outcome", ended)
    return tuple(_opened(head, column) for column in columns.values())


def _otherwise(head: Head, target: str, key: str, names: set[str]) -> bool:
    """Say whether a key is a column in another language; bare words for time must be times of day."""
    if not spoken(target, names) or not _holds(target, head.said(key)):
        return False
    return target != "arrival_ns" or is_dated(head.said(key))


def _likely(head: Head, target: str, keys: list[str], tokens: str) -> list[str]:
    """Order the keys that may be a column, the likeliest first."""
    if target == "arrival_ns":
        return likely_arrivals(head, keys, tokens)
    if target == "e2e_ns":
        return likely_durations(head, keys)
    if target == "session_id":
        return [key for key in keys if not is_project(head, key)]
    return sorted(keys, key=lambda key: "billed" in key) if target.endswith("_tokens") else keys


def _opened(head: Head, column: Column) -> Column:
    """Take a count out of its list, as headers of Go and Caddy are written."""
    source = column.source
    if (
        column.target.endswith("_tokens")
        and isinstance(source, str)
        and only_element(head.said(source))
    ):
        return Column(column.target, at(source, 0))
    return column


def _ended(head: Head, named: dict[str, set[str]], status: str | None) -> Value | None:
    """Tell how a request ended: a switch that says cancelled; its status, success, or an error."""

    def switch(names: set[str]) -> str | None:
        found = (key for key, known in named.items() if known & names)
        samples = ((key, pl.Series(head.samples.get(key, []), dtype=pl.String)) for key in found)
        return next((key for key, texts in samples if switches(texts).problem is None), None)

    error = next((key for key, names in named.items() if names & _ERROR), None)
    told: Value | None = status
    if status is None and (success := switch(_SUCCESS)):
        told = choose(success, dict.fromkeys(YES, "ok"), "error")
    elif status is None and error is not None:
        told = failure(unless(error, error, *NO))
    if (cancelled := switch(_CANCELLED)) is None:
        return told
    if told is None:
        return choose(cancelled, dict.fromkeys(YES, "cancelled"), "ok")
    only_cancelled = only(cancelled, cancelled, *YES)
    return first(choose(only_cancelled, dict.fromkeys(YES, "cancelled")), told)


def _holds(target: str, samples: list[str]) -> bool:
    """Say whether the first values may be what a column holds; empty ones may."""
    if target.endswith("_tokens"):
        samples = only_element(samples) or samples
    few = pl.Series(some(samples), dtype=pl.String)
    if target == "outcome":
        read = outcomes(few)
        return read.problem is None or read.values.count() >= read.problem.count()
    if target.endswith("_tokens"):
        counted = integers(few, pl.UInt32()).values.count() > 0
        return not samples or counted or any(map(is_number, samples))
    if target == "streaming":
        return switches(few).problem is None
    return not (target.endswith("_ns") and samples and _JSON.match(samples[0]))


def uncounted(head: Head, columns: Sequence[Column]) -> str | None:
    """Return a sentence about keys that are named like a count of tokens, and hold no numbers."""
    read = {column.target for column in columns}
    found = [
        f"{key} ({target})"
        for target in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
        for key in head.names
        if target not in read
        and forms(key) & {*ALIASES[target]}
        and not _holds(target, head.said(key))
    ]
    return f"not read, for their values are no numbers: {', '.join(found[:8])}" if found else None


GENERIC = Format(
    name="generic",
    title="any CSV, JSON-lines or Parquet log, by column names or --map",
    containers=("csv", "jsonl", "json", "parquet"),
    columns=_read,
)
