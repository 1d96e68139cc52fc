"""Per-request records of real vLLM runs as LLMServingSim's benchmark writes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from workloadlab.errors import DataError
from workloadlab.ingestion.formats.format import Column, Format

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.ingestion.inspect import Head

__all__ = ["LLMSERVINGSIM"]

META = "meta.json"
_FACTS = {
    "tp": ("engine_kwargs", "tensor_parallel_size"),
    "dp": ("engine_kwargs", "data_parallel_size"),
    "max_num_seqs": ("engine_kwargs", "max_num_seqs"),
    "max_num_batched_tokens": ("engine_kwargs", "max_num_batched_tokens"),
    "max_model_len": ("engine_kwargs", "max_model_len"),
    "dtype": ("engine_kwargs", "dtype"),
    "kv_cache_dtype": ("engine_kwargs", "kv_cache_dtype"),
    "kv_blocks": ("kv_cache", "num_gpu_blocks"),
    "block_size": ("kv_cache", "block_size"),
    "gpu": ("hardware", "device_name"),
}
"""What the engine was asked for and, since it is written down, what it found: section and key."""


def _read(head: Head) -> tuple[Column, ...]:  # noqa: ARG001
    """Count from `queued_ts`: `arrival_time` is another clock and must not be subtracted from."""
    queued = "queued_ts"
    return (
        Column("arrival_ns", queued, "s"),
        Column("input_tokens", "input_toks"),
        Column("output_tokens", "output_toks"),
        Column("request_id", "request_id"),
        Column("queue_ns", "scheduled_ts", "s", since=queued),
        Column("ttft_ns", "first_token_ts", "s", since=queued),
        Column("last_token_ns", "last_token_ts", "s", since=queued),
        Column("e2e_ns", "last_token_ts", "s", since=queued),
    )


def _system(log: Path) -> dict[str, Any]:
    """Read what the run's meta.json says about the engine; {} where there is none."""
    meta = log.with_name(META)
    if not meta.is_file():
        return {}
    try:
        facts = json.loads(meta.read_text("utf-8"))
        system = {"engine": "vllm", "engine_version": facts.get("vllm_version")}
        system["model"] = facts.get("model", facts.get("engine_kwargs", {}).get("model"))
        for name, (section, key) in _FACTS.items():
            system[name] = facts.get(section, {}).get(key)
    except (ValueError, AttributeError, OSError) as error:
        raise DataError(
            "is damaged, though it should describe the run",
            where=str(meta),
            fix="mend it or move it away",
        ) from error
    return {name: value for name, value in system.items() if value is not None}


LLMSERVINGSIM = Format(
    name="llmservingsim",
    title="vLLM benchmark requests of LLMServingSim, JSON lines",
    containers=("jsonl",),
    keys=frozenset({"input_toks", "output_toks", "queued_ts"}),
    read=_read,
    system=_system,
)
