"""The KV cache that fits on a GPU, and the bound that no step beats."""

from __future__ import annotations

import numpy as np
import pytest

from workloadlab.errors import UsageError
from workloadlab.latency import ModelGeometry
from workloadlab.latency.hardware.gpus import find_gpu
from workloadlab.latency.hardware.limits import kv_blocks, kv_bytes_per_token, least_step_s

LLAMA = ModelGeometry.named("Llama-3.1-8B")
GIB = 1024**3


def test_kv_blocks_by_hand() -> None:
    weights = (8_030_261_248 - 32 * 2 * 4096 - 4096) * 2  # of the published model, less its norms
    assert LLAMA.weight_bytes() == weights
    free = 0.9 * find_gpu("H100").memory_bytes - weights - 1.2 * GIB
    assert kv_blocks(LLAMA, "H100") == int(free // (16 * 131_072))
    # Two GPUs hold half of the weights and half of every token each.
    free = 0.9 * find_gpu("H100").memory_bytes - weights / 2 - 1.2 * GIB
    assert kv_blocks(LLAMA, "H100", tp=2) == int(free // (16 * 131_072 / 2))
    assert kv_blocks(LLAMA, "H100", kv_dtype="fp8") // 2 == pytest.approx(
        kv_blocks(LLAMA, "H100"), abs=1
    )
    assert kv_blocks(LLAMA, "H100", block_size=32) == kv_blocks(LLAMA, "H100") // 2


def test_kv_heads_are_copied_when_gpus_outnumber_them() -> None:
    assert kv_bytes_per_token(LLAMA) == 131_072
    few = kv_blocks(LLAMA, "H100", tp=8)
    more = kv_blocks(LLAMA, "H100", tp=16)  # the cache of one token no longer shrinks
    assert more / few < 1.02


def test_kv_blocks_near_what_an_engine_logged() -> None:
    """vLLM 0.15, Llama-3.3-70B with FP4 weights and an FP8 cache on one B200: 782,176 tokens."""
    model = ModelGeometry.named("Llama-3.3-70B-Instruct")
    blocks = kv_blocks(model, "B200", dtype="fp4", kv_dtype="fp8")
    # Scales and layers that stay in 16 bits take 5 GiB more than four bits per weight.
    assert blocks * 16 == pytest.approx(782_176, rel=0.06)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gpu": "RTX 4090", "model": "Qwen3-32B"}, "no room for a KV cache"),
        ({"tp": 0}, "tp = 0"),
        ({"block_size": 0}, "block_size = 0"),
        ({"memory_fraction": 1.5}, "memory_fraction = 1.5"),
        ({"dtype": "bf61"}, "unknown dtype 'bf61'"),
    ],
)
def test_what_cannot_be(options, message) -> None:
    given = {"gpu": "H100"} | options
    model = ModelGeometry.named(given.pop("model", "Llama-3.1-8B"))
    with pytest.raises(UsageError, match=message):
        kv_blocks(model, given.pop("gpu"), **given)


def test_the_bound_by_hand() -> None:
    steps = np.array([[0.0, 0, 1, 0], [0, 0, 64, 64_000], [4096, 0, 0, 0]])
    bound = least_step_s(LLAMA, "A100", steps)
    body = LLAMA.parameters() - 2 * LLAMA.vocab * LLAMA.hidden
    head = LLAMA.vocab * LLAMA.hidden
    weights = 2.0 * (body + head) / 2039e9
    operations = (2 * body * 4096 + 2 * head) / 312e12
    assert bound == pytest.approx([weights, weights + 64_000 * 131_072 / 2039e9, operations])
    assert least_step_s(LLAMA, "A100", steps, tp=2) == pytest.approx(bound / 2)
    assert (least_step_s(LLAMA, "H100", steps, dtype="fp8") < bound).all()


def test_a_mixture_of_experts_reads_what_one_token_touches() -> None:
    experts = ModelGeometry.named("Qwen3-30B-A3B")
    assert experts.parameters() == pytest.approx(30.5e9, rel=0.01)
    assert experts.active_parameters() == pytest.approx(3.3e9, rel=0.03)
    step = np.array([[0.0, 0, 1, 0]])
    assert least_step_s(experts, "H100", step) < 0.5 * least_step_s(LLAMA, "H100", step)
