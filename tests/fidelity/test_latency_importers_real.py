"""Every published source: composed steps against physics, and against whole systems. Run with -s."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from workloadlab.errors import WorkloadlabError
from workloadlab.latency import LatencyModel, ModelGeometry, check_samples, fit
from workloadlab.latency.hardware.gpus import find_gpu
from workloadlab.latency.hardware.limits import kv_blocks, least_step_s
from workloadlab.latency.importers import read_source
from workloadlab.latency.importers.operator_tables import OperatorTables
from workloadlab.latency.step import FEATURES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.data

SOURCES = [
    ("llmservingsim/perf/RTX4090/meta-llama/Llama-3.1-8B/bf16/tp1", {}),
    ("llmservingsim/perf/RTXPRO6000/meta-llama/Llama-3.1-8B/bf16/tp1", {}),
    ("llmservingsim/perf/RTXPRO6000/meta-llama/Llama-3.1-8B/bf16/tp2", {}),
    ("llmservingsim/perf/RTXPRO6000/Qwen/Qwen3-32B/bf16/tp1", {}),
    ("llmservingsim/perf/RTXPRO6000/Qwen/Qwen3-32B/bf16/tp2", {}),
    ("llmservingsim/perf/RTXPRO6000/Qwen/Qwen3-30B-A3B-Instruct-2507/bf16/tp1", {}),
    ("llmservingsim/perf_v0/A6000/meta-llama/Llama-3.1-8B/tp1", {}),
    ("llmservingsim/perf_v0/A6000/meta-llama/Llama-3.1-8B/tp2", {}),
    ("llmservingsim/perf_v0/A6000/microsoft/Phi-mini-MoE-instruct/tp1", {}),
    ("llmservingsim/perf_v0/H100/meta-llama/Llama-3.1-8B/tp1", {}),
    ("llmservingsim/perf_v0/H100/meta-llama/Llama-3.1-70B/tp4", {}),
    ("llmservingsim/perf_v0/H100/mistralai/Mixtral-8x7B-v0.1/tp4", {}),
    ("llmservingsim/perf_v0/TPU-v6e-1/meta-llama/Llama-3.1-8B/tp1", {}),
    ("vidur/compute/a100/meta-llama__Llama-2-7b-hf", {"tp": 1}),
    ("vidur/compute/a100/meta-llama__Meta-Llama-3-8B", {"tp": 1}),
    ("vidur/compute/a100/meta-llama__Llama-2-70b-hf", {"tp": 2}),
    ("vidur/compute/a100/meta-llama__Meta-Llama-3-70B", {"tp": 4}),
    ("vidur/compute/a100/codellama__CodeLlama-34b-Instruct-hf", {"tp": 2}),
    ("vidur/compute/a30/Qwen__Qwen-2-7B", {}),
    ("vidur/compute/h100/meta-llama__Llama-2-7b-hf", {"tp": 1}),
    ("vidur/compute/h100/codellama__CodeLlama-34b-Instruct-hf", {"tp": 2}),
    ("aiconfigurator/a100_sxm", {"model": "Llama-3.1-8B"}),
    ("aiconfigurator/h100_sxm", {"model": "Llama-3.1-70B", "tp": 4}),
    ("aiconfigurator/h100_sxm", {"model": "Mixtral-8x7B-v0.1", "tp": 2}),
    ("aiconfigurator/h200_sxm", {"model": "Qwen3-30B-A3B"}),
    ("aiconfigurator/h200_sxm", {"model": "Llama-3.1-8B", "dtype": "fp8"}),
    ("splitwise/perf_model.csv.gz", {"model": "llama2-70b", "gpu": "a100-80gb", "tp": 4}),
    ("splitwise/perf_model.csv.gz", {"model": "llama2-70b", "gpu": "h100-80gb", "tp": 8}),
    (
        "anl_llm_inference_bench/All_results.csv.gz",
        {"gpu": "A100-40GB", "model": "Meta-Llama-3-8B", "tp": 1},
    ),
    (
        "aiconfigurator/silicon_sample.csv.gz",
        {"gpu": "h100_sxm", "model": "Qwen3-32B", "tp": 2, "dtype": "bf16"},
    ),
]

REFUSED = [
    ("llmservingsim/perf_v0/RTX3090/meta-llama/Llama-3.1-8B/tp1", {}, "measured attention on RTX3090"),
    ("llmservingsim/perf/RTXPRO6000/Qwen/Qwen3-30B-A3B-Instruct-2507/bf16/tp2", {}, "lacks moe.csv"),
    ("llmservingsim/perf", {}, "tables of 7 configurations"),
    ("vidur/compute/a30/meta-llama__Llama-2-7b-hf", {}, "measured attention on A30"),
    ("vidur/compute/a100/meta-llama__Llama-2-7b-hf", {"tp": 3}, "tp = 3 was not profiled"),
    ("aiconfigurator/h200_sxm", {}, "none is named"),
    ("aiconfigurator/h200_sxm", {"model": "Qwen2.5-7B"}, "28 heads, 4 KV heads"),
    ("splitwise/perf_model.csv.gz", {}, "2 values of model"),
    ("azure", {}, "without profile tables"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "options"), SOURCES)
def test_no_step_is_faster_than_the_hardware(shared_data, path, options) -> None:
    """And prefill stays below the peak, since the bound holds its operations."""
    samples, facts = read_source(shared_data / path, **options)
    table = check_samples(samples)
    gpu, served, tp = table.select("gpu", "model", "tp").row(0)
    features = table.select(FEATURES).to_numpy().astype(float)
    dtype = "fp8" if facts["dtype"] == "fp8" else "bf16"
    bound = least_step_s(ModelGeometry.named(served), gpu, features, dtype=dtype, tp=tp)
    ratio = table["latency_ns"].to_numpy() / 1e9 / bound
    print(
        f"{gpu} {served} tp{tp}: {table.height} steps, {ratio.min():.2f} to {ratio.max():.2f} x bound"
    )
    assert ratio.min() >= 1.0
    assert ratio.max() < 25
    # Engines' own kernels are not far from the bound where one of its terms rules.
    if facts["system"].get("level") is None and not ModelGeometry.named(served).experts:
        alone = features[:, 2] == 1
        assert np.median(ratio[alone & (features[:, 0] == 0)]) < 2.8
    assert facts["provenance"]["licence"]


@pytest.mark.parametrize(("path", "options", "problem"), REFUSED)
def test_what_cannot_be_composed_is_refused_with_a_sentence(
    shared_data, path, options, problem
) -> None:
    with pytest.raises(WorkloadlabError, match=problem.replace(".", r"\.")) as caught:
        read_source(shared_data / path, **options)
    assert caught.value.fix


@cache
def kernels(data: Path, path: str, **options: str | int) -> LatencyModel:
    return fit(read_source(data / path, **options)[0], estimator="linear", holdout=0)


def decode_s(model: LatencyModel, seqs: float, context: float) -> float:
    return model.step_time_s(decode_seqs=seqs, decode_context_tokens=seqs * context)


SERVING = [  # model, system of the runs, tp, dtype of the products, bounds of the median ratio
    ("Qwen3-32B", "h100_sxm", 2, "bf16", 0.88, 1.05),
    ("Qwen3-32B", "h100_sxm", 4, "bf16", 0.80, 1.05),
    ("Llama-3.1-70B", "h200_sxm", 4, "fp8", 0.95, 1.05),
    ("Llama-3.1-70B", "h100_sxm", 4, "fp8", 0.90, 1.05),
]


@pytest.mark.parametrize(("model", "system", "tp", "dtype", "low", "high"), SERVING)
def test_output_token_times_of_real_serving_runs(
    shared_data, model, system, tp, dtype, low, high
) -> None:
    """vLLM at a fixed concurrency c: a token waits for a decode step and c/osl of the prefills.

    The kernels alone are compared, so a ratio below 1 leaves room for the engine's CPU time.
    """
    options = {"model": model, "tp": tp, "dtype": dtype}
    step = kernels(shared_data, f"aiconfigurator/{system}", **options)
    geometry = ModelGeometry.named(model)
    blocks = kv_blocks(geometry, system, dtype=dtype, tp=tp)
    runs = pl.read_csv(
        shared_data / "aiconfigurator" / "silicon_sample.csv.gz", infer_schema_length=None
    ).filter(
        pl.col("backend") == "vllm",
        pl.col("mode") == "agg",
        pl.col("system") == system,
        pl.col("model_path").str.ends_with(model),
        pl.col("tp_size") == tp,
        pl.col("precision").fill_null("bf16") == dtype,
        pl.col("batch_size") * (pl.col("isl") + pl.col("osl")) < 16 * blocks,
        pl.col("batch_size") <= 256,
        pl.col("silicon_tpot_ms") > 0,
    )
    ratios = []
    for row in runs.sort("isl", "osl", "batch_size").iter_rows(named=True):
        seqs, prompt, output = row["batch_size"], row["isl"], row["osl"]
        token = decode_s(step, seqs, prompt + output / 2)
        token += seqs / output * step.step_time_s(prefill_tokens=prompt)
        ratios.append(1e3 * token / row["silicon_tpot_ms"])
    print(
        f"{model} on {tp} x {system}: composed / measured TPOT in {len(ratios)} runs: "
        f"{min(ratios):.2f} to {max(ratios):.2f}, median {np.median(ratios):.2f}"
    )
    assert len(ratios) >= 10
    assert low < np.median(ratios) < high


@pytest.mark.parametrize(
    ("path", "options", "machine"),
    [
        ("vidur/compute/a100/meta-llama__Llama-2-70b-hf", {"tp": 2}, "a100-80gb"),
        ("vidur/compute/a100/meta-llama__Llama-2-70b-hf", {"tp": 4}, "a100-80gb"),
        ("aiconfigurator/h100_sxm", {"model": "Llama-2-70b-hf", "tp": 2}, "h100-80gb"),
        ("aiconfigurator/h100_sxm", {"model": "Llama-2-70b-hf", "tp": 8}, "h100-80gb"),
    ],
)
def test_whole_iterations_of_an_older_engine_are_longer(
    shared_data, path, options, machine
) -> None:
    """Splitwise measured an engine of 2023 that launched every kernel from Python.

    Its decode iterations do not get shorter with more GPUs, so what the kernels leave is CPU time:
    they must fit below the iterations.
    """
    step = kernels(shared_data, path, **options)
    real, _ = read_source(
        shared_data / "splitwise" / "perf_model.csv.gz",
        model="llama2-70b", gpu=machine, tp=options["tp"],
    )  # fmt: skip
    single = real.filter(
        (pl.col("decode_seqs") <= 32), pl.col("prefill_tokens").is_between(0, 2048)
    )
    ratio = step.predict(single) / (single["latency_ns"].to_numpy() / 1e9)
    decode = single["decode_seqs"].to_numpy() > 0
    print(
        f"{step.model} on {options['tp']} x {machine}: kernels / iteration "
        f"decode {np.median(ratio[decode]):.2f}, prefill {np.median(ratio[~decode]):.2f}"
    )
    assert 0.25 < np.median(ratio[decode]) < 0.9
    assert 0.35 < np.median(ratio[~decode]) < 1.05


def test_static_batches_of_another_engine(shared_data) -> None:
    """LLM-Inference-Bench: vLLM of 2024 on an A100 of 40 GB, whose memory is 0.76 as fast."""
    real, _ = read_source(
        shared_data / "anl_llm_inference_bench" / "All_results.csv.gz",
        gpu="A100-40GB", model="Meta-Llama-3-8B", tp=1,
    )  # fmt: skip
    model = LatencyModel.load("a100-llama-3-8b")
    decode = real.filter(pl.col("decode_seqs") > 0, pl.col("decode_seqs") <= 64)
    ratio = model.predict(decode) / (decode["latency_ns"].to_numpy() / 1e9)
    print(f"a100-llama-3-8b / mean decode step of LLM-Inference-Bench: {np.median(ratio):.2f}")
    assert 0.6 < np.median(ratio) < 1.0


def test_two_measurements_of_the_same_step_agree(shared_data) -> None:
    """Independent profilers, engines and years; decode of 1 to 64 sequences at 1,024 tokens."""
    pairs = {
        "A100 CodeLlama-34b tp2: aiconfigurator / Vidur": (
            kernels(shared_data, "aiconfigurator/a100_sxm", model="CodeLlama-34b", tp=2),
            LatencyModel.load("a100-codellama-34b-tp2"),
        ),
        "A100 Llama-3-8B: aiconfigurator / Vidur": (
            LatencyModel.load("a100-llama-3.1-8b"),
            LatencyModel.load("a100-llama-3-8b"),
        ),
        "H100 Llama-2-7b: aiconfigurator / Vidur": (
            kernels(shared_data, "aiconfigurator/h100_sxm", model="Llama-2-7b"),
            LatencyModel.load("h100-llama-2-7b"),
        ),
    }
    for name, (one, other) in pairs.items():
        decode = [decode_s(one, n, 1024) / decode_s(other, n, 1024) for n in (1, 8, 64)]
        tokens = (256, 1024, 2048)
        prefill = [
            one.step_time_s(prefill_tokens=t) / other.step_time_s(prefill_tokens=t) for t in tokens
        ]
        print(name, "decode", np.round(decode, 2), "prefill", np.round(prefill, 2))
        assert np.abs(np.log(decode)).max() < np.log(1.15)
        assert np.abs(np.log(prefill)).max() < np.log(1.35)


@pytest.mark.parametrize(
    ("gpu", "model"),
    [
        ("RTX4090", "meta-llama/Llama-3.1-8B"),
        ("RTXPRO6000", "meta-llama/Llama-3.1-8B"),
        ("RTXPRO6000", "Qwen/Qwen3-32B"),
    ],
)
def test_decodes_beside_a_prefill_compute_whole_tiles(shared_data, gpu, model) -> None:
    """FlashAttention 2 where mixed steps were measured: what the parts alone would miss.

    The law that is used for A100, 128 rows for every query head, stays within a factor of 2 of what
    a mixed kernel takes beyond its prefill, whether 4 or 8 heads share a KV head.
    """
    folder = shared_data / "llmservingsim" / "perf" / gpu / model / "bf16" / "tp1"
    tables = OperatorTables.read(folder)
    axes = np.meshgrid([256, 1024], [0], [16, 32, 64], [512, 1024, 2048])
    steps = np.column_stack([axis.ravel() for axis in axes]).astype(float)
    steps[:, 1] = tables.attention["mixed"].grid[1][0]
    mixed, prefill = tables.attention["mixed"](steps), tables.attention["prefill"](steps[:, :2])
    parts = prefill + tables.attention["decode"](steps[:, 2:])
    whole = tables.step_ns(steps)
    longer = whole / (whole - 1e3 * tables.geometry.layers * (mixed - parts))
    operations = 4 * 128 * tables.geometry.heads * 128 * steps[:, 2] * steps[:, 3]
    law = (mixed - prefill) / (operations / find_gpu(gpu).flops["bf16"] * 1e6)
    print(
        f"{gpu} {model}: attention {np.min(mixed / parts):.2f} to {np.max(mixed / parts):.2f} x "
        f"prefill + decode, the step {longer.min():.2f} to {longer.max():.2f} x; "
        f"beyond the prefill {law.min():.2f} to {law.max():.2f} x full tiles at peak"
    )
    assert longer.min() > 1.0
    assert longer.max() < 1.5
    assert 0.6 < np.median(law) < 1.6
