"""Published profile tables: the composition against raw rows, and the catalogue's honesty."""

from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from workloadlab.latency import LatencyModel, fit
from workloadlab.latency.catalog.build import COMMITS, MODELS, build
from workloadlab.latency.importers.operator_tables import SHAPE, OperatorTables
from workloadlab.latency.step_terms import NO_TERMS

if TYPE_CHECKING:
    from pathlib import Path

LLAMA = "RTXPRO6000/meta-llama/Llama-3.1-8B/bf16/tp1"
EXPERTS = "RTXPRO6000/Qwen/Qwen3-30B-A3B-Instruct-2507/bf16/tp1"
LAYERS = {LLAMA: 32, EXPERTS: 48, "RTX4090/meta-llama/Llama-3.1-8B/bf16/tp1": 32}
LAYERS["RTXPRO6000/Qwen/Qwen3-32B/bf16/tp1"] = LAYERS["RTXPRO6000/Qwen/Qwen3-32B/bf16/tp2"] = 64

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def perf(shared_data) -> Path:
    return shared_data / "llmservingsim" / "perf"


def rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("folder", sorted(LAYERS))
@pytest.mark.parametrize(
    "shape", [(0, 0, 64, 1024), (1024, 512, 0, 0), (1024, 512, 64, 2048), (16, 0, 16, 256)]
)
def test_a_step_equals_the_sum_of_raw_rows(perf, folder, shape) -> None:
    """Every lookup at a profiled point, in plain Python."""
    chunk, _, seqs, _ = shape
    total = chunk + seqs
    once = {"embedding", "final_layernorm"}
    microseconds = 0.0
    for row in rows(perf / folder / "dense.csv.gz"):
        if int(row["tokens"]) == total:
            runs = 1 if row["layer"] in once else LAYERS[folder]
            runs *= 2 if row["layer"] == "layernorm" else 1
            microseconds += runs * float(row["time_us"])
    heads = rows(perf / folder / "per_sequence.csv.gz")
    for layer in ("lm_head", "sampler"):
        points = {int(r["sequences"]): float(r["time_us"]) for r in heads if r["layer"] == layer}
        microseconds += float(np.interp(seqs + (chunk > 0), list(points), list(points.values())))
    for row in rows(perf / folder / "attention.csv.gz"):
        if tuple(int(row[axis]) for axis in SHAPE) == shape:
            microseconds += LAYERS[folder] * float(row["time_us"])
    if folder == EXPERTS:
        microseconds += LAYERS[folder] * experts_us(rows(perf / folder / "moe.csv.gz"), total)
    tables = OperatorTables.read(perf / folder)
    if folder.endswith("tp2"):
        # two all-reduces per layer of 5,120 values of 2 bytes per token: 20 us and 16 GB/s
        microseconds += 2 * LAYERS[folder] * (20 + total * 5120 * 2 / 16e3)
        # half of 151,936 logits of every sequence, gathered: 24 us and 35.2 GB/s
        microseconds += 24 + (seqs + (chunk > 0)) * 151_936 / 2 * 2 / 35.2e3
    composed = tables.step_ns(np.array([shape], dtype=float))[0]
    assert composed == pytest.approx(1000 * microseconds, rel=1e-9)


def experts_us(table: list[dict[str, str]], total: int) -> float:
    """128 experts, 8 per token: those touched on average, then linear in tokens."""
    times = {}
    for count in sorted({int(row["tokens"]) for row in table}):
        points = {
            int(r["activated_experts"]): float(r["time_us"])
            for r in table
            if int(r["tokens"]) == count
        }
        touched = 128 * (1 - (1 - 8 / 128) ** count)
        times[count] = float(np.interp(touched, list(points), list(points.values())))
    return float(np.interp(total, list(times), list(times.values())))


def profiled_steps(perf: Path, folder: str) -> tuple[OperatorTables, np.ndarray, np.ndarray]:
    """Every profiled attention shape that fits the dense tables, with its step time in seconds."""
    tables = OperatorTables.read(perf / folder)
    table = pl.read_csv(perf / folder / "attention.csv.gz")
    shapes = table.select(SHAPE).to_numpy().astype(float)
    total, seqs = shapes[:, 0] + shapes[:, 2], shapes[:, 2] + (shapes[:, 0] > 0)
    layer = np.interp(total, tables.tokens, tables.layer_us) + table["time_us"].to_numpy()
    step_us = tables.geometry.layers * layer + np.interp(total, tables.tokens, tables.step_us)
    step_us += np.interp(seqs, tables.sequences, tables.sequence_us)
    kept = (total <= 2048) & (shapes[:, 2] * shapes[:, 3] <= 524_288)
    return tables, shapes[kept], step_us[kept] * 1e-6


def test_interpolated_steps_agree_with_shapes_that_interpolation_did_not_use(perf) -> None:
    """The table also holds chunks and contexts in steps of 1.5; interpolation uses powers of two."""
    tables, shapes, seconds = profiled_steps(perf, LLAMA)
    whole = shapes.astype(np.int64)
    unused = ((whole & (whole - 1)) != 0).any(axis=1)
    error = tables.step_ns(shapes[unused]) / 1e9 / seconds[unused] - 1
    assert unused.sum() > 9000
    assert np.abs(error).mean() < 0.013
    assert abs(error.mean()) < 0.003


@pytest.mark.parametrize(
    ("name", "decode", "mixed"),
    [
        ("rtx4090-llama-3.1-8b", 0.01, 0.02),
        ("rtxpro6000-llama-3.1-8b", 0.012, 0.02),
        ("rtxpro6000-qwen3-30b-a3b", 0.03, 0.015),
        ("rtxpro6000-qwen3-32b", 0.005, 0.012),
    ],
)
def test_models_agree_with_profiled_shapes_that_engines_visit(perf, name, decode, mixed) -> None:
    """Decodes of 16 to 128 sequences; chunks of 512 and more beside them; contexts up to 2048."""
    _, shapes, seconds = profiled_steps(perf.parent.parent, MODELS[name].path)
    chunk, cached, seqs, context = shapes.T
    steps = {
        "prefill_tokens": chunk,
        "prefill_context_tokens": chunk * cached,
        "decode_seqs": seqs,
        "decode_context_tokens": seqs * context,
    }
    model = replace(LatencyModel.load(name), terms=NO_TERMS)
    error = np.abs(model.predict(steps) / seconds - 1)
    usual = model.in_domain(steps) & (seqs >= 16) & (seqs <= 128) & (context <= 2048)
    decodes = usual & (chunk == 0) & (context >= 500)
    both = usual & (chunk >= 512) & (cached <= 2048)
    assert decodes.sum() >= 12
    assert both.sum() >= 500
    assert error[decodes].mean() < decode
    assert error[both].mean() < mixed


REBUILT = {  # one of every source, with the licences and the number of commits that it takes
    "a100-codellama-34b-tp2": ("MIT; Apache-2.0 (aiconfigurator)", 2),
    "a6000-llama-3.1-8b": ("MIT", 1),
    "h200-llama-3.1-8b": ("Apache-2.0", 1),
    "rtxpro6000-qwen3-32b-tp2": ("MIT", 1),
}


@pytest.mark.parametrize("name", sorted(REBUILT))
def test_the_catalogue_is_what_the_tables_give(shared_data, tmp_path, name) -> None:
    """Not to the bit: linear algebra rounds by the processor, and a fit ends where it then stands."""
    build(shared_data, tmp_path, [name])
    made, model = LatencyModel.load(tmp_path / f"{name}.json"), LatencyModel.load(name)
    assert (made.provenance, made.domain, made.terms) == (
        model.provenance,
        model.domain,
        model.terms,
    )
    assert made.card.fitted_rows == model.card.fitted_rows
    assert made.card.overall.mape == pytest.approx(model.card.overall.mape, rel=0.05)
    shapes = np.meshgrid(
        [0, 16, 100, 512, 2000], [0, 500, 4000], [0, 1, 8, 60, 200], [100, 900, 5000]
    )
    chunk, cached, seqs, context = (axis.ravel() for axis in shapes)
    steps = {
        "prefill_tokens": chunk, "prefill_context_tokens": chunk * cached,
        "decode_seqs": seqs, "decode_context_tokens": seqs * context,
    }  # fmt: skip
    usual = made.in_domain(steps) & (chunk + seqs > 0)
    assert usual.sum() > 100
    np.testing.assert_allclose(made.predict(steps)[usual], model.predict(steps)[usual], rtol=0.01)
    licence, projects = REBUILT[name]
    assert model.provenance["licence"] == licence
    commits = [commit for commit in COMMITS.values() if commit in model.provenance["commit"]]
    assert len(commits) == projects


def test_two_ranks_share_experts(perf) -> None:
    """At the profiled count of 512 tokens on both ranks together, all 64 experts are met."""
    folder = perf / EXPERTS
    alone, shared = OperatorTables.read(folder), OperatorTables.read(folder, ranks=2)
    step = np.array([[0.0, 0.0, 256.0, 1024.0]])
    times = {
        (int(r["tokens"]), int(r["activated_experts"])): float(r["time_us"])
        for r in rows(folder / "moe.csv.gz")
    }
    less = times[256, 128] - times[512, 64]
    exchanges = 2 * (24 + 256 * 2048 * 2 / 35.2e3)
    change = (shared.step_ns(step) - alone.step_ns(step))[0] / 1e3
    assert change == pytest.approx(48 * (exchanges - less), rel=1e-3)
    model = fit(folder, expert_parallel=2)
    assert model.name == "rtxpro6000-qwen3-30b-a3b-instruct-2507-ep2"
    assert model.card.overall.mape < 0.02


def test_a_tensor_parallel_table_fits_with_its_collectives(perf) -> None:
    folder = perf / "RTXPRO6000" / "Qwen" / "Qwen3-32B" / "bf16" / "tp2"
    model = fit(folder, estimator="linear")
    assert (model.name, model.tp) == ("rtxpro6000-qwen3-32b-tp2", 2)
    assert "collectives: 2 all-reduces per layer, 20 us" in model.provenance["notes"]
    assert model.card.overall.mape < 0.02
    whole = LatencyModel.load("rtxpro6000-qwen3-32b")
    step = {"decode_seqs": 64, "decode_context_tokens": 64_000}
    collectives = 2 * 64 * (20e-6 + 64 * 5120 * 2 / 16e9) + 24e-6 + 64 * 151_936 / 35.2e9
    alone = model.step_time_s(**step) - collectives
    assert 0.5 < alone / whole.step_time_s(**step) < 0.6
