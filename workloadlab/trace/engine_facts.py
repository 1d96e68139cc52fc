"""What a log may know about the engine that served it: one vocabulary for every reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloadlab.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ENGINE_FACTS", "EngineFact", "engine_facts"]


@dataclass(frozen=True)
class EngineFact:
    """One fact about a serving engine.

    Attributes:
        name: its key in `Provenance.system`; a fact that a pool has too bears the pool's word.
        kind: the type of its value: str, int, float or bool.
        meaning: one line for people.
        aliases: names by which engines and benchmarks write it down.
    """

    name: str
    kind: type
    meaning: str
    aliases: tuple[str, ...] = ()


ENGINE_FACTS: dict[str, EngineFact] = {
    fact.name: fact
    for fact in (
        EngineFact("engine", str, "name of the engine, such as vllm"),
        EngineFact("engine_version", str, "its version, such as 0.19.0", ("vllm_version",)),
        EngineFact("entry_point", str, "server, or offline for vLLM's LLM class"),
        EngineFact("model", str, "the served model", ("model_id", "model_name")),
        EngineFact("gpu", str, "the accelerator's name", ("device_name", "gpu_name")),
        EngineFact("instances", int, "copies of the model behind the router"),
        EngineFact("tp", int, "GPUs that share one instance", ("tensor_parallel_size",)),
        EngineFact("dp", int, "data-parallel ranks of one engine", ("data_parallel_size",)),
        EngineFact(
            "expert_parallel",
            bool,
            "whether the ranks hold different experts",
            ("enable_expert_parallel",),
        ),
        EngineFact("dtype", str, "number format of the weights"),
        EngineFact("kv_cache_dtype", str, "number format of the KV cache", ("cache_dtype",)),
        EngineFact("kv_blocks", int, "KV-cache blocks of an instance", ("num_gpu_blocks",)),
        EngineFact("block_size", int, "tokens per KV-cache block"),
        EngineFact("gpu_memory_utilization", float, "share of the memory that the engine takes"),
        EngineFact("max_model_len", int, "most tokens of a request, prompt and output"),
        EngineFact("max_num_seqs", int, "most sequences in a batch"),
        EngineFact("max_num_batched_tokens", int, "token budget of a step"),
        EngineFact("long_prefill_token_threshold", int, "most prompt tokens of a request and step"),
        EngineFact(
            "prefix_caching",
            bool,
            "whether prefixes are kept and reused",
            ("enable_prefix_caching",),
        ),
        EngineFact("max_cudagraph_capture_size", int, "tokens up to which steps replay a graph"),
        EngineFact("async_scheduling", bool, "whether a step is prepared while one runs"),
        EngineFact(
            "reserve_full_isl",
            bool,
            "whether admission asks for blocks of the whole prompt",
            ("scheduler_reserve_full_isl",),
        ),
        EngineFact("not_simulated", str, "what it did that a replay does not"),
    )
}
"""Every fact by its name."""

_OFF = (None, "", "None", "auto", False, "false", "False", 0, "0")
_NOT_SIMULATED = {
    "speculative_config": ("speculative decoding", _OFF),
    "speculative_model": ("speculative decoding", _OFF),
    "enable_lora": ("LoRA adapters", _OFF),
    "pipeline_parallel_size": ("pipeline parallelism", (None, 1, "1")),
    "cpu_offload_gb": ("weights in the host's memory", _OFF),
    "kv_transfer_config": ("a KV cache shared with others", _OFF),
    "enable_chunked_prefill": (
        "chunked prefill off",
        (None, "", "None", "auto", True, "true", "True"),
    ),
}
"""Settings of vLLM that change its steps and are none of a pool: what they mean, and when nothing."""

_WORDS = {"true": True, "false": False}


def engine_facts(found: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Return the engine facts among `found`, by the names of `ENGINE_FACTS`.

    Keys may be names or aliases; other keys are left out, and so are values that say nothing: null,
    "None", and "auto", which leaves a choice to the engine. Text of numbers and switches is read.

    Args:
        found: what a log or a file beside it says.
        where: the file, for errors.

    Raises:
        DataError: a fact that is not of its kind.

    Example:
        >>> engine_facts({"num_gpu_blocks": "2588", "tensor_parallel_size": 1, "seed": 42}, where="meta")
        {'tp': 1, 'kv_blocks': 2588}
    """
    facts = {}
    for fact in ENGINE_FACTS.values():
        for key in (fact.name, *fact.aliases):
            if found.get(key) not in (None, "", "None", "auto"):
                facts[fact.name] = _read(fact, key, found[key], where)
                break
    beyond = [
        words
        for key, (words, nothing) in _NOT_SIMULATED.items()
        if key in found and found[key] not in nothing
    ]
    if found.get("enforce_eager") not in _OFF:
        facts["max_cudagraph_capture_size"] = 0
    if beyond:
        facts["not_simulated"] = ", ".join(dict.fromkeys(beyond))
    return facts


def _read(fact: EngineFact, key: str, value: Any, where: str) -> Any:
    if isinstance(value, fact.kind) and (fact.kind is bool or not isinstance(value, bool)):
        return value
    if fact.kind is bool:
        known = _WORDS.get(str(value).lower())
        if known is not None:
            return known
    elif fact.kind is not str and isinstance(value, str | int) and not isinstance(value, bool):
        try:
            return fact.kind(value)
        except ValueError:
            pass
    raise DataError(
        f"{key} is {value!r}, not {_KINDS[fact.kind]}",
        where=where,
        fix="mend it, or move the file away to ingest without its facts",
    )


_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
