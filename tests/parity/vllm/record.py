"""Record what vLLM's own scheduler does with the scenes, on a CPU and without a model.

Run it with a Python that has torch, numpy and what vLLM's core imports (pydantic, msgspec, transformers,
...), and the folder of the Python files of vLLM's wheel in VLLM_SOURCES:

    VLLM_SOURCES=/path/to/unpacked/wheel /path/to/venv/bin/python tests/parity/vllm/record.py

vLLM's scheduler, KV-cache manager and requests run under a model runner that gives one token to every
sequence that has caught up. Whatever arrives until t is in the queue of a `schedule()` at t. With
asynchronous scheduling the loop is that of `EngineCore.step_with_batch_queue`, two batches in flight.
"""

from __future__ import annotations

import sys
from importlib.metadata import distributions
from pathlib import Path
from types import SimpleNamespace as Facts
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
import absent  # noqa: E402, F401  vLLM's imports, without the wheels that schedule nothing
import torch  # noqa: E402
from support.vllm_scenes import scenes  # noqa: E402
from support.vllm_schedules import BY_REQUEST, PACKED, pack  # noqa: E402
from vllm.sampling_params import SamplingParams  # noqa: E402
from vllm.utils.hashing import sha256  # noqa: E402
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash  # noqa: E402
from vllm.v1.core.sched.async_scheduler import AsyncScheduler  # noqa: E402
from vllm.v1.core.sched.scheduler import Scheduler  # noqa: E402
from vllm.v1.kv_cache_interface import (  # noqa: E402
    FullAttentionSpec,
    KVCacheConfig,
    KVCacheGroupSpec,
)
from vllm.v1.outputs import ModelRunnerOutput  # noqa: E402
from vllm.v1.request import Request  # noqa: E402

STOP = 999_999_999
"""A token that no prompt and no output has."""

UNLIMITED = 1 << 20


def configuration(pool: dict[str, Any]) -> Facts:
    """Return as much of a `VllmConfig` as the scheduler reads."""
    asynchronous = pool["async_scheduling"]
    batches = 2 if asynchronous else 1
    return Facts(
        scheduler_config=Facts(
            max_num_seqs=pool["max_num_seqs"],
            max_num_active_seqs=pool["max_num_active_seqs"],
            max_num_scheduled_tokens=None,
            max_num_batched_tokens=pool["max_num_batched_tokens"],
            long_prefill_token_threshold=pool["long_prefill_token_threshold"],
            long_prefill_token_threshold_adaptive=False,
            watermark=pool["watermark"],
            prefill_schedule_interval=pool["prefill_schedule_interval"],
            scheduler_reserve_full_isl=pool["reserve_full_isl"],
            policy=pool["queue_order"],
            enable_chunked_prefill=True,
            async_scheduling=asynchronous,
            is_multimodal_model=False,
        ),
        cache_config=Facts(
            enable_prefix_caching=pool["prefix_caching"],
            num_gpu_blocks=pool["kv_blocks"] + 1,
            block_size=pool["block_size"],
            mamba_cache_mode="none",
            enable_mamba_shared_prefix_checkpoint=False,
        ),
        model_config=Facts(
            uses_mrope=False,
            is_encoder_decoder=False,
            max_model_len=pool["max_model_len"] or UNLIMITED,
            runner_type="generate",
            is_diffusion=False,
            supports_multimodal_inputs=False,
            return_sampling_mask=False,
        ),
        parallel_config=Facts(
            data_parallel_index=0,
            decode_context_parallel_size=1,
            prefill_context_parallel_size=1,
            pipeline_parallel_size=1,
            data_parallel_size=1,
        ),
        observability_config=Facts(
            per_request_spec_decode_metrics=None,
            kv_cache_metrics=False,
            kv_cache_metrics_sample=0.0,
            enable_mfu_metrics=False,
            enable_logging_iteration_details=False,
        ),
        ec_manager_config=Facts(get_encoder_cache_manager_obj=lambda: None),
        aux_output_config=Facts(enabled=False),
        lora_config=None,
        kv_events_config=None,
        is_mm_encoder_only=False,
        kv_transfer_config=None,
        ec_transfer_config=None,
        speculative_config=None,
        num_speculative_tokens=0,
        num_lookahead_tokens=0,
        num_prefill_lookahead_tokens=0,
        num_hash_lookahead_tokens=0,
        max_in_flight_tokens=batches * pool["max_num_batched_tokens"],
        use_v2_model_runner=False,
        max_concurrent_batches=batches,
    )


def scheduler(pool: dict[str, Any]) -> Any:
    """Return vLLM's scheduler for a pool; it keeps one block, the null block, for itself."""
    size = pool["block_size"]
    spec = FullAttentionSpec(block_size=size, num_kv_heads=1, head_size=1, dtype=torch.float32)
    layout = KVCacheConfig(
        num_blocks=pool["kv_blocks"] + 1,
        kv_cache_tensors=[],
        kv_cache_groups=[KVCacheGroupSpec(["layer"], spec)],
    )
    grammar = Facts(
        accept_tokens=lambda request, tokens: True,
        should_advance=lambda request: False,
        grammar_init=None,
    )
    kind = AsyncScheduler if pool["async_scheduling"] else Scheduler
    return kind(configuration(pool), layout, grammar, size, log_stats=True)


def tokens_of(row: int, request: dict[str, Any], size: int) -> list[int]:
    """Return the tokens of a prompt and its output: those of a named block follow from its name."""
    ids = request["ids"]
    return [
        ids[k // size] * 4096 + k % size if k // size < len(ids) else 10**9 + row * 10**6 + k
        for k in range(request["prompt"] + request["output"])
    ]


class Run:
    """A scene under vLLM's scheduler."""

    def __init__(self, scene: dict[str, Any]) -> None:
        self.scene, self.pool, self.requests = scene, scene["pool"], scene["requests"]
        self.scheduler = scheduler(self.pool)
        caching, size = self.pool["prefix_caching"], self.pool["block_size"]
        self.hasher = get_request_block_hasher(size, sha256) if caching else None
        self.tokens = [tokens_of(row, r, size) for row, r in enumerate(self.requests)]
        most = self.pool["max_model_len"] or UNLIMITED
        self.due = [row for row, r in enumerate(self.requests) if r["prompt"] < most]
        self.given = [0] * len(self.requests)
        self.came = 0
        self.now_s = self.free_s = 0.0  # of the loop, and of the device
        self.facts: dict[str, Any] = {name: [None] * len(self.requests) for name in BY_REQUEST}
        self.facts["preemptions"] = [0] * len(self.requests)
        self.facts["steps"] = []

    def arrive(self) -> None:
        """Hand over what has arrived."""
        while self.due and self.requests[self.due[0]]["arrival_s"] <= self.now_s + 1e-9:
            row = self.due.pop(0)
            r = self.requests[row]
            self.came += 1
            eos = self.pool["ends"] == "eos"
            ends = (
                SamplingParams(max_tokens=r["output"] + 1000, stop_token_ids=[STOP])
                if eos
                else SamplingParams(max_tokens=r["output"], ignore_eos=True)
            )
            self.scheduler.add_request(
                Request(
                    request_id=str(row),
                    prompt_token_ids=self.tokens[row][: r["prompt"]],
                    sampling_params=ends,
                    pooling_params=None,
                    arrival_time=float(self.came),
                    priority=r["priority"],
                    block_hasher=self.hasher,
                )
            )

    def schedule(self) -> tuple[Any, list[str], float]:
        """Form a batch; return it, who gets a token of it, and when it ends."""
        s = self.scheduler
        before = {name: request.num_preemptions for name, request in s.requests.items()}
        made = s.schedule()
        start_s = max(self.now_s, self.free_s)
        work = []
        for name, count in made.num_scheduled_tokens.items():
            row, done = int(name), s.requests[name].num_computed_tokens - count
            work.append([row, count, done])
            if self.facts["scheduled_s"][row] is None:
                self.facts["scheduled_s"][row], self.facts["cached_tokens"][row] = start_s, done
        gone = [
            int(name) for name, r in s.requests.items() if r.num_preemptions > before.get(name, 0)
        ]
        for row in gone:
            self.facts["preemptions"][row] += 1
        if work:
            self.facts["steps"].append([start_s, sorted(work), sorted(gone)])
        seconds = 1.0 + self.scene["per_token_s"] * sum(count for _, count, _ in work)
        self.free_s = start_s + (seconds if work else 0.0)
        sampled = [
            name for name in made.num_scheduled_tokens if not s.requests[name].is_prefill_chunk
        ]
        return made, sampled, self.free_s

    def finish(self, made: Any, sampled: list[str], end_s: float) -> None:
        """Give the batch's tokens to the scheduler."""
        self.now_s = max(self.now_s, end_s)
        names = list(made.num_scheduled_tokens)
        given: list[list[int]] = [[] for _ in names]
        for k, name in enumerate(names):
            if name in sampled:
                row = int(name)
                tokens, r = self.tokens[row], self.requests[row]
                self.given[row] += 1
                last = self.pool["ends"] == "eos" and self.given[row] >= r["output"]
                at = min(r["prompt"] + self.given[row] - 1, len(tokens) - 1)
                given[k] = [STOP if last else tokens[at]]
        outputs = self.scheduler.update_from_output(
            made,
            ModelRunnerOutput(
                req_ids=names,
                req_id_to_index={name: k for k, name in enumerate(names)},
                sampled_token_ids=given,
                logprobs=None,
                prompt_logprobs_dict={},
                pooler_output=[],
            ),
        )
        for output in (one for some in outputs.values() for one in some.outputs):
            row = int(output.request_id)
            if output.new_token_ids and self.facts["first_token_s"][row] is None:
                self.facts["first_token_s"][row] = self.now_s
            if output.finish_reason is not None:
                self.facts["end_s"][row] = self.now_s

    def wait(self) -> None:
        """Let the clock go on to the next arrival."""
        self.now_s = max(self.now_s, self.requests[self.due[0]]["arrival_s"])

    def run(self) -> dict[str, Any]:
        """Return the facts of the scene."""
        depth, flying = 2 if self.pool["async_scheduling"] else 1, []
        while self.due or flying or self.scheduler.has_unfinished_requests():
            self.arrive()
            if self.scheduler.has_requests():
                made, sampled, end_s = self.schedule()
                flying.append((made, sampled, end_s))
                if len(flying) < depth and (
                    made.num_scheduled_tokens or self.scheduler.has_requests()
                ):
                    continue
            elif not flying:
                self.wait()
                continue
            self.finish(*flying.pop(0))
        return self.facts


def main() -> None:
    """Write the facts of all scenes."""
    init_none_hash(sha256)
    sources = str(Path(sys.modules["vllm"].__file__ or "").parents[1])
    (version,) = (d.version for d in distributions(path=[sources]) if d.name == "vllm")
    made = [{**scene, "facts": Run(scene).run()} for scene in scenes()]
    PACKED.write_bytes(pack({"vllm": version, "scenes": made}))
    steps = sum(len(scene["facts"]["steps"]) for scene in made)
    print(f"{len(made)} scenes, {steps:,} steps, {PACKED.stat().st_size:,} bytes, vLLM {version}")


if __name__ == "__main__":
    main()
