"""Published figures of GPUs, found by any usual spelling."""

from __future__ import annotations

import pytest

from workloadlab.errors import UsageError
from workloadlab.latency.hardware.gpus import GPUS, find_gpu

GIB = 1024**3


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("a100", "A100-80GB"),
        ("NVIDIA A100-SXM4-40GB", "A100-40GB"),
        ("a100-80gb", "A100-80GB"),
        ("H100", "H100-SXM"),
        ("h100-80gb", "H100-SXM"),
        ("NVIDIA H100 PCIe", "H100-PCIe"),
        ("h200_sxm", "H200"),
        ("RTXPRO6000", "RTX PRO 6000"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("RTX3090", "RTX 3090"),
        ("NVIDIA RTX A6000", "A6000"),
        ("TPU-v6e-1", "TPU v6e"),
        ("AMD Instinct MI300X", "MI300X"),
    ],
)
def test_usual_spellings_are_known(spelling, name) -> None:
    assert find_gpu(spelling).name == name


def test_an_unknown_gpu_gets_near_names() -> None:
    with pytest.raises(UsageError, match="no figures for the GPU 'L40X'") as caught:
        find_gpu("L40X")
    assert "L40S" in caught.value.fix
    with pytest.raises(UsageError) as caught:
        find_gpu("abacus")
    assert "use A100-40GB" in caught.value.fix


def test_every_row_is_whole_and_orderly() -> None:
    assert len({gpu.name for gpu in GPUS}) == len(GPUS)
    for gpu in GPUS:
        for spelling in (gpu.name, *gpu.aliases):
            assert find_gpu(spelling) is gpu, spelling
        assert gpu.source
        assert gpu.flops["fp16"] > 1e13
        assert gpu.flops.get("fp8", 2 * gpu.flops["fp16"]) >= 1.9 * gpu.flops["fp16"]
        # Matrix units starve below 50 operations per byte; more than 700 does not exist.
        assert 50 < gpu.flops["fp16"] / gpu.memory_bytes_s < 700, gpu.name
        assert 20 * GIB < gpu.memory_bytes < 200 * GIB
        assert gpu.link_bytes_s < gpu.memory_bytes_s
