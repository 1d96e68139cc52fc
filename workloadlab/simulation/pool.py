"""A pool: identical instances with one latency model and one engine configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from workloadlab.arguments import checked
from workloadlab.errors import UsageError
from workloadlab.latency import LatencyModel
from workloadlab.latency.hardware.gpus import DTYPE_BYTES, plain_dtype
from workloadlab.latency.step import CAPTURED_TOKENS
from workloadlab.latency.step_terms import NO_TERMS
from workloadlab.simulation.engine.record_types import BATCHINGS, ENDS, ORDERS
from workloadlab.simulation.engines import ENTRY_POINTS, engine_named, shipped
from workloadlab.simulation.memory import (
    AUTO,
    blocks_that_fit,
    context_of,
    refuse_more_than_memory,
)

__all__ = ["DEFAULT_SEQUENCE_OVERHEAD_S", "DEFAULT_STEP_OVERHEAD_S", "UNLIMITED", "Pool"]

MOST_CHARACTERS = 100
MOST_COUNT = 10**12

DEFAULT_STEP_OVERHEAD_S = 0.001
"""CPU time per step outside the kernels: scheduling, input preparation, sampling, detokenization."""

DEFAULT_SEQUENCE_OVERHEAD_S = 7e-6
"""And more of it for each sequence: 5 to 10 us under vLLM 0.11 on a host with an H100 (rate sweeps of
inference-perf), 18 us under Dynamo on one with an H200."""

UNLIMITED = 1 << 40
"""Blocks, or requests in flight, where there is no limit."""

_COUNTS = ("instances", "kv_blocks", "block_size", "max_num_seqs", "max_num_batched_tokens",
           "max_num_active_seqs", "max_model_len", "prefill_schedule_interval",
           "max_in_flight")  # fmt: skip
_FROM_NONE = ("long_prefill_token_threshold", "max_num_queued_reqs", "max_num_queued_tokens",
              "max_cudagraph_capture_size")  # fmt: skip
_OPTIONAL = ("kv_blocks", "max_num_active_seqs", "max_model_len", "max_num_queued_reqs",
             "max_num_queued_tokens", "max_in_flight", "max_cudagraph_capture_size")  # fmt: skip
_SWITCHES = ("reserve_full_isl", "prefix_caching", "async_scheduling", "step_together")
_CHOICES = {
    "queue_order": ORDERS,
    "batching": BATCHINGS,
    "ends": ENDS,
    "entry_point": ENTRY_POINTS,
}


@checked
@dataclass(frozen=True, kw_only=True)
class Pool:
    """Identical instances.

    An attribute that is left out is what the engine ships with; `to_dict` shows it. The GPU decides
    some of them: without one in the latency model, as in `LatencyModel.linear(...)`, batches
    are those of small GPUs (2,048 tokens, 256 sequences) and KV blocks have no limit.

    Attributes:
        name: names the instances: `name/0`, `name/1`, ...
        instances: how many.
        latency: step-time model; a catalogue name or path is loaded.
        engine: whose defaults hold: "vllm", or with a version "vllm-0.19"; see
            `workloadlab.simulation.engines` or `workloadlab cluster --list-engines`.
        entry_point: "server", or "offline" for the batches of vLLM's `LLM` class.
        kv_blocks: KV-cache blocks per instance; left out, as many as fit beside the weights of the
            latency model on its GPU; `inf`, or an unknown GPU or model, for no limit.
        block_size: tokens per block.
        gpu_memory_utilization: share of a GPU's memory that the engine takes; decides `kv_blocks`.
        kv_cache_dtype: number format of the KV cache, "auto" for 16 bits; decides `kv_blocks`.
        max_num_seqs: most sequences in a batch.
        max_num_batched_tokens: token budget of a step, at least one for each of them.
        max_num_active_seqs: most sequences that run, where that is less than an engine has room for.
        max_model_len: most tokens of a request. A longer prompt is rejected, and one that leaves no
            token for the output; the output ends where it is reached. Left out, the longest context of
            the latency model's model; `inf`, or an unknown model, for no limit.
        long_prefill_token_threshold: most prompt tokens of one sequence in a step, unless it is the only
            request; 0 for no limit but the budget, as in vLLM.
        batching: "chunked" serves the running first and fills the budget with chunks of prompts (vLLM
            V1); "prefill_first" runs whole waiting prompts in steps of their own before any decode (its
            older behaviour); "static" does so only once the whole batch before has ended. Beyond
            the budget a whole prompt runs alone.
        queue_order: who is admitted first: "fcfs"; "priority", the lowest `priority` of the trace, none
            being 0, which also picks whom preemption hits; "least_work_left", the fewest predicted
            output tokens; "bin_packing", the longest prompt that fits the free blocks. Ties by
            arrival at the instance. Preemption otherwise hits the last admitted.
        reserve_full_isl: admit a request only if blocks for its whole prompt are free, not only for its
            first chunk (vLLM's `scheduler_reserve_full_isl`).
        watermark: share of the blocks that an admission beside running requests must leave free;
            rounded down over `kv_blocks` + 1, as vLLM counts a block that it never gives away.
        prefix_caching: keep full KV blocks after their requests, and reuse them by the trace's block
            ids; blocks are then those of the trace, so its block size must be a multiple of a
            `block_size` that is not the engine's. A block that the trace does not name is found again
            only by its own request, after a preemption.
        prefill_schedule_interval: prompts are computed in one of so many steps, and between these only
            decodes go on, unless prompts would pile up. Data-parallel ranks count the steps together,
            another engine counts from its last prompt; 1 for prompts in every step.
        max_num_queued_reqs: most requests that an engine has, running or not; one more is rejected
            (HTTP 503). Data-parallel ranks count together. None for no limit.
        max_num_queued_tokens: prompt tokens of those without their first token; from so many on a
            request is rejected (HTTP 503). None for no limit.
        max_in_flight: most requests that the router may have on one instance; the others wait in
            the router's queue. None for no limit.
        step_overhead_s: CPU time per step outside the kernels, added to the model's time; left out it is
            1 ms, or 0 for a model that was fitted on whole steps and so holds it already.
        sequence_overhead_s: CPU time per step for each sequence in it, added to `step_overhead_s`; left
            out it is 7 us for a model that is composed of kernels, else 0.
        max_cudagraph_capture_size: tokens up to which steps replay a captured graph, padded to its size
            (vLLM's name); None for vLLM's own, 2 x `max_num_seqs` but 512 at most; 0 where every step
            runs eager. It matters where the latency model has terms for it.
        async_scheduling: prepare the next step while one runs (vLLM's `async_scheduling`): a step takes
            the longer of the model's time and the overhead instead of their sum, and a request that
            comes during a step waits for the end of the next, and what ends in a step keeps its seat
            and its blocks while the next one is formed.
        ends: what ends an output: "max_tokens", which the engine knows beforehand, or "eos", a token
            that it reads when the step is over. With asynchronous scheduling the next step has begun by
            then, and decodes once more in vain. "max_tokens" is the default: benchmarks, against which
            a replay is held, ask for a length and ignore the token. Chat traffic mostly ends by "eos".
        attention_slots: sequences whose decode attention a GPU works on side by side: the thread blocks
            that it holds over its KV heads, such as 2 x 148 / 8 for a B200 with 8 of them. With
            n < S sequences a kernel cuts contexts into chunks of one length that all run at once; with
            more it cuts none, and a step waits for the longest, L. The C context tokens of a batch
            then take as long as C S / (S - n / 2), and as C + S L (Graham's bound of list
            scheduling). None where work is shared out evenly: kernels differ. vLLM 0.15 with FlashInfer
            on B200 GPUs waits for the longest. It is for models of whole steps, and takes the place of a
            model's own term for the longest context.
        step_noise: standard deviation of a factor on the model's time, relative to its mean of 1
            (lognormal, drawn by seed for every step); 0 for none.
        step_together: the instances are data-parallel ranks of one engine, which share experts: all
            begin a step together, an idle one an empty step, and it lasts as long as the slowest.
        models: served models, by the trace's `model`; empty for any.

    Raises:
        UsageError: a value that no engine could run with.
    """

    name: str = "pool"
    instances: int = 1
    latency: LatencyModel
    engine: str = "vllm"
    entry_point: str = "server"
    kv_blocks: float | None = None
    block_size: int = None  # type: ignore[assignment]
    gpu_memory_utilization: float = None  # type: ignore[assignment]
    kv_cache_dtype: str = AUTO
    max_num_seqs: int = None  # type: ignore[assignment]
    max_num_batched_tokens: int = None  # type: ignore[assignment]
    max_num_active_seqs: int | None = None
    max_model_len: float | None = None
    long_prefill_token_threshold: int = 0
    prefill_schedule_interval: int = 1
    batching: str = "chunked"
    queue_order: str = "fcfs"
    reserve_full_isl: bool = None  # type: ignore[assignment]
    watermark: float = 0.0
    prefix_caching: bool = None  # type: ignore[assignment]
    max_num_queued_reqs: int | None = None
    max_num_queued_tokens: int | None = None
    max_in_flight: int | None = None
    step_overhead_s: float = None  # type: ignore[assignment]  # known after __post_init__
    sequence_overhead_s: float = None  # type: ignore[assignment]
    max_cudagraph_capture_size: int | None = None
    async_scheduling: bool = None  # type: ignore[assignment]
    ends: str = "max_tokens"
    attention_slots: float | None = None
    step_noise: float = 0.0
    step_together: bool = False
    models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        name: Any = self.name
        if not isinstance(name, str) or not 0 < len(name) <= MOST_CHARACTERS:
            raise self._wrong("name", f"use a text of up to {MOST_CHARACTERS} characters")
        if isinstance(self.latency, str | Path):
            object.__setattr__(self, "latency", LatencyModel.load(self.latency))
        if not isinstance(self.latency, LatencyModel):
            raise self._wrong("latency", "give a LatencyModel, a catalogue name or a model JSON")
        for key, known in _CHOICES.items():
            if getattr(self, key) not in known:
                raise self._wrong(key, f"use {', '.join(known)}")
        self._fill_in()
        for key in (*_COUNTS, *_FROM_NONE):
            self._check_count(key, 1 if key in _COUNTS else 0)
        self._check_sizes()
        for key in _SWITCHES:
            if not isinstance(getattr(self, key), bool):
                raise self._wrong(key, "use true or false")
        models: Any = self.models
        listed = isinstance(models, list | tuple | set | frozenset)
        if not listed or not all(isinstance(name, str) for name in models):
            raise self._wrong("models", "list model names")
        object.__setattr__(self, "models", tuple(models))
        self._check_number("watermark", 1, "use 0 to 1")
        self._check_number("step_overhead_s", 60, "use seconds, 0 to 60")
        self._check_number("sequence_overhead_s", 1, "use seconds, 0 to 1")
        self._check_number("step_noise", 1, "use 0 to 1, such as 0.05")
        if self.attention_slots is not None:
            self._check_number("attention_slots", math.inf, "use sequences, 1 or more")
            if self.attention_slots < 1:
                raise self._wrong("attention_slots", "use sequences, 1 or more")
        refuse_more_than_memory(self)

    def _fill_in(self) -> None:
        """Set what was left out to what the engine ships with on this GPU."""
        if not isinstance(self.engine, str):
            raise self._wrong("engine", 'name it, such as "vllm"')
        for key, value in shipped(self).items():
            object.__setattr__(self, key, value)
        memory: object = self.gpu_memory_utilization
        if not isinstance(memory, int | float) or not 0 < memory <= 1:
            raise self._wrong("gpu_memory_utilization", "use a share, such as 0.9")
        dtype: object = self.kv_cache_dtype
        if not isinstance(dtype, str) or (dtype != AUTO and plain_dtype(dtype) not in DTYPE_BYTES):
            raise self._wrong("kv_cache_dtype", f"use {AUTO}, {', '.join(DTYPE_BYTES)}")
        asked: float | None = self.step_overhead_s
        if asked is None:
            whole = self.latency.system.get("includes_step_overhead", False)
            object.__setattr__(self, "step_overhead_s", 0.0 if whole else DEFAULT_STEP_OVERHEAD_S)
        each: float | None = self.sequence_overhead_s
        if each is None:
            composed = self.latency.terms != NO_TERMS
            each = DEFAULT_SEQUENCE_OVERHEAD_S if composed else 0.0
            object.__setattr__(self, "sequence_overhead_s", each)
        if self.kv_blocks is None:
            self._check_count("block_size", 1)
            object.__setattr__(self, "kv_blocks", blocks_that_fit(self))
        if self.max_model_len is None:
            object.__setattr__(self, "max_model_len", context_of(self.latency.model))

    def _wrong(self, key: str, fix: str) -> UsageError:
        return UsageError(f"pool {self.name!r}: {key} = {getattr(self, key)!r}", fix=fix)

    def _check_count(self, key: str, least: int) -> None:
        value = getattr(self, key)
        if key in _OPTIONAL and value in (None, math.inf):
            return
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or not least <= value <= MOST_COUNT
        ):
            raise self._wrong(
                key, f"use a whole number of at least {least}, at most {MOST_COUNT:,}"
            )

    def _check_sizes(self) -> None:
        """Refuse what the engine refuses of settings that are fine each by itself."""
        if self.max_num_batched_tokens < self.max_num_seqs:
            raise self._wrong(
                "max_num_batched_tokens", f"use at least max_num_seqs, which is {self.max_num_seqs}"
            )
        if (self.max_num_active_seqs or 0) > self.max_num_seqs:
            raise self._wrong(
                "max_num_active_seqs", f"use at most max_num_seqs, which is {self.max_num_seqs}"
            )
        if self.prefill_schedule_interval > 1 and self.batching != "chunked":
            raise self._wrong("prefill_schedule_interval", 'use 1, or batching = "chunked"')

    def _check_number(self, key: str, below: float, fix: str) -> None:
        value = getattr(self, key)
        if not isinstance(value, int | float) or not 0 <= value < below:
            raise self._wrong(key, fix)

    @property
    def limited(self) -> bool:
        """Whether KV blocks have a limit."""
        return self.kv_blocks is not None and self.kv_blocks < math.inf

    @property
    def blocks(self) -> int:
        """KV blocks per instance, a very large number where there is no limit."""
        return int(self.kv_blocks or 0) if self.limited else UNLIMITED

    @property
    def spare_blocks(self) -> int:
        """Blocks that an admission beside running requests must leave free."""
        return int(self.watermark * (self.blocks + 1)) if self.limited else 0

    @property
    def seats(self) -> int:
        """Most sequences that run."""
        return self.max_num_active_seqs or self.max_num_seqs

    @property
    def most_tokens(self) -> int:
        """Most tokens of a request, a very large number where there is no limit."""
        return UNLIMITED if self.max_model_len in (None, math.inf) else int(self.max_model_len)

    @property
    def most_in_flight(self) -> int:
        """Most requests in flight on one instance, a very large number where there is no limit."""
        return UNLIMITED if self.max_in_flight is None else self.max_in_flight

    @property
    def ranks(self) -> int:
        """Instances that step together."""
        return self.instances if self.step_together else 1

    @property
    def decodes_in_vain(self) -> bool:
        """Whether what has ended is in the next step too: see `ends`."""
        return self.async_scheduling and self.ends == "eos"

    @property
    def added_overhead_s(self) -> float:
        """Time that the overhead adds to every step: none where it passes during the step before."""
        return 0.0 if self.async_scheduling else self.step_overhead_s

    @property
    def captured_tokens(self) -> int:
        """Most tokens of a step that replays a captured graph; 0 if the latency model knows of none."""
        if self.latency.terms == NO_TERMS:
            return 0
        most = self.max_cudagraph_capture_size
        return min(2 * self.max_num_seqs, CAPTURED_TOKENS) if most is None else most

    @property
    def log_noise(self) -> float:
        """Standard deviation of the logarithm of a step's noise factor."""
        return math.sqrt(math.log1p(self.step_noise**2))

    def decode_step_s(self, seqs: int, context_tokens: int) -> float:
        """Return the seconds of a step that only decodes, the overhead included; 0 without sequences.

        Contexts count as equal, attention as shared out evenly, and noise as 1.

        Args:
            seqs: sequences in the batch.
            context_tokens: tokens that they hold together.
        """
        if seqs == 0:
            return 0.0
        seconds = self.latency.step_time_s(
            decode_seqs=seqs,
            decode_context_tokens=context_tokens,
            max_cudagraph_capture_size=self.captured_tokens,
        )
        overhead_s = self.step_overhead_s + self.sequence_overhead_s * seqs
        return max(seconds, overhead_s) if self.async_scheduling else seconds + overhead_s

    def in_blocks_of(self, tokens: int) -> Pool:
        """Return the pool with KV blocks of `tokens` tokens and as much memory, rounded down.

        Raises:
            UsageError: `tokens` is not a multiple of the pool's own block size, or no block is left.
        """
        _, engine = engine_named(self.engine)
        if tokens % self.block_size and self.block_size != engine.block_size:
            raise UsageError(
                f"pool {self.name!r} caches prefixes in blocks of {self.block_size} tokens, the trace "
                f"names blocks of {tokens}",
                fix=f"set block_size to a divisor of {tokens}, or leave it out",
            )
        blocks = self.blocks * self.block_size // tokens if self.limited else self.kv_blocks
        return replace(self, block_size=tokens, kv_blocks=blocks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; the latency model by its name."""
        return {
            **{key.name: getattr(self, key.name) for key in fields(self)},
            "kv_blocks": self.blocks if self.limited else None,
            "max_model_len": None if self.max_model_len == math.inf else self.max_model_len,
            "latency": self.latency.name,
            "models": list(self.models),
        }
