"""Importers of whole iterations and whole systems: what a row becomes, what is refused."""

from __future__ import annotations

import polars as pl
import pytest

from workloadlab.errors import UsageError
from workloadlab.latency import check_samples
from workloadlab.latency.importers import read_source
from workloadlab.latency.step import FEATURES


def test_splitwise_iterations(tmp_path) -> None:
    path = tmp_path / "perf_model.csv"
    row = {"model": "llama2-70b", "hardware": "h100-80gb", "tensor_parallel": 4, "prompt_size": 512,
           "batch_size": 2, "token_size": 100, "prompt_time": 90.5, "token_time": 30.25}  # fmt: skip
    rows = [row, row, row | {"token_time": None}, row | {"tensor_parallel": 8}]
    pl.DataFrame(rows).write_csv(path)
    with pytest.raises(UsageError, match="holds 2 values of tp: 4, 8"):
        read_source(path)
    frame, facts = read_source(path, model="LLAMA2-70B", gpu="h100-80gb", tp=4)
    got = frame.select(
        "prefill_tokens", "decode_seqs", "decode_context_tokens", "latency_ns"
    ).rows()
    decode, prefill = (0, 2, 2 * 562, 30_250_000), (1024, 0, 0, 90_500_000)
    assert got == [decode, prefill, prefill]  # the repeated row once, the one without decode kept
    assert check_samples(frame)["model"][0] == "meta-llama/Llama-2-70b-hf"
    assert facts["system"]["includes_step_overhead"]
    with pytest.raises(UsageError, match="no rows with tp = 2") as caught:
        read_source(path, tp=2)
    assert "there are: 4, 8" in caught.value.fix


def test_batches_are_split_into_prefill_and_decode(tmp_path) -> None:
    path = tmp_path / "All_results.csv"
    prefill_s, step_s, context_s = 4e-5, 0.012, 2e-8
    rows = [
        {"Hardware": "Nvidia A100 GPU", "Num of Hardware": 1, "Framework": "vLLM", "Model": "me/toy",
         "Input Output Length": n, "Batch Size": b, "Throughput": 1.0,
         "Latency": prefill_s * b * n + n * (step_s + context_s * 1.5 * b * n)}
        for b in (1, 16, 64) for n in (128, 1024)
    ]  # fmt: skip
    other = rows[0] | {"Framework": "TensorRT-LLM"}
    pl.DataFrame([*rows, other]).write_csv(path)
    frame, _ = read_source(path, gpu="A100-40GB")
    assert frame.height == 12
    for chunk, _, _, context, ns in check_samples(frame).select(*FEATURES, "latency_ns").rows():
        expected = prefill_s * chunk if chunk else step_s + context_s * context
        assert ns == pytest.approx(expected * 1e9, rel=1e-6)
    pl.DataFrame(rows[:3]).write_csv(path)
    with pytest.raises(UsageError, match="has 3 batches of this configuration"):
        read_source(path)


def test_serving_runs_are_mean_steps(tmp_path) -> None:
    path = tmp_path / "silicon_sample.csv"
    row = {"backend": "vllm", "mode": "agg", "model_path": "me/toy", "system": "h200_sxm",
           "tp_size": 2, "precision": None, "isl": 1000, "osl": 100, "batch_size": 8,
           "silicon_ttft_ms": 120.0, "silicon_tpot_ms": 15.5}  # fmt: skip
    rows = [row, row | {"batch_size": 1, "silicon_ttft_ms": 60.0}, row | {"backend": "trtllm"}]
    pl.DataFrame([*rows, row | {"mode": "disagg"}]).write_csv(path)
    frame, facts = read_source(path)
    columns = ("prefill_tokens", "prefill_context_tokens", "decode_seqs", "decode_context_tokens")
    assert set(frame.select(*columns, "latency_ns").rows()) == {
        (80, 80 * 500, 8, 8 * 1050, 15_500_000),
        (10, 10 * 500, 1, 1050, 15_500_000),
        (1000, 0, 0, 0, 60_000_000),
    }
    assert frame.select("gpu", "tp").row(0) == ("h200", 2)
    assert facts["dtype"] == "bf16"
