"""How wrong the estimators are on operator grids: points left out, and steps beyond the fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from workloadlab.ingestion import ingest
from workloadlab.latency import fit, fit_requests
from workloadlab.latency.estimators.registry import estimator_named, fit_estimator
from workloadlab.latency.estimators.table import coordinates
from workloadlab.latency.importers.operator_tables import SHAPE, OperatorTables
from workloadlab.latency.requests.rows import read_request_rows
from workloadlab.scoring import score
from workloadlab.simulation import Cluster, replay

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.data

RUN = "llmservingsim/bench/RTXPRO6000/Llama-3.1-8B/vllm/requests.jsonl"
FOLDERS = {
    "RTX PRO 6000": "RTXPRO6000/meta-llama/Llama-3.1-8B/bf16/tp1",
    "RTX 4090": "RTX4090/meta-llama/Llama-3.1-8B/bf16/tp1",
}
REACH = FOLDERS | {
    "RTX PRO 6000, Qwen3-32B": "RTXPRO6000/Qwen/Qwen3-32B/bf16/tp1",
    "RTX PRO 6000, Qwen3-30B-A3B": "RTXPRO6000/Qwen/Qwen3-30B-A3B-Instruct-2507/bf16/tp1",
}


@pytest.fixture(scope="module")
def perf(shared_data) -> Path:
    return shared_data / "llmservingsim" / "perf"


def profiled_steps(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Every profiled attention shape as a step: (p, x, n, c) and seconds."""
    tables = OperatorTables.read(folder)
    shapes = pl.read_csv(folder / "attention.csv.gz")
    chunk, cached, seqs, context = shapes.select(SHAPE).to_numpy().astype(float).T
    total = chunk + seqs
    layer = np.interp(total, tables.tokens, tables.layer_us) + shapes["time_us"].to_numpy()
    step_us = tables.geometry.layers * layer + np.interp(total, tables.tokens, tables.step_us)
    step_us += np.interp(seqs + (chunk > 0), tables.sequences, tables.sequence_us)
    kept = total <= tables.tokens[-1]
    features = np.column_stack([chunk, chunk * cached, seqs, seqs * context])
    return np.ascontiguousarray(features[kept]), step_us[kept] * 1e-6


def left_out(features: np.ndarray, columns: list[int]) -> np.ndarray:
    """A fifth of the groups of rows that agree in some columns."""
    group = np.unique(features[:, columns], axis=0, return_inverse=True)[1].ravel()
    count = group.max() + 1
    return np.isin(group, np.random.default_rng(0).permutation(count)[: count // 5])


def held_out_error(name: str, features: np.ndarray, seconds: np.ndarray, held: np.ndarray) -> float:
    coefficients = fit_estimator(name, features[~held], seconds[~held])
    estimator = estimator_named(name)
    predicted = estimator.predict(features[held], estimator.table(coefficients))
    return float(np.abs(predicted / seconds[held] - 1).mean())


def plain_forest_error(features: np.ndarray, seconds: np.ndarray, held: np.ndarray) -> float:
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(50, random_state=0).fit(features[~held], seconds[~held])
    return float(np.abs(forest.predict(features[held]) / seconds[held] - 1).mean())


@pytest.mark.parametrize("gpu", sorted(FOLDERS))
@pytest.mark.parametrize(("by", "columns"), [("shape", [0, 1, 2, 3]), ("chunk and batch", [0, 2])])
def test_operator_points_left_out(perf, gpu, by, columns) -> None:
    features, seconds = profiled_steps(perf / FOLDERS[gpu])
    held = left_out(features, columns)
    errors = {
        name: held_out_error(name, features, seconds, held)
        for name in ("table", "linear", "roofline", "boosting", "forest")
    }
    plain = plain_forest_error(features, seconds, held)
    said = ", ".join(f"{name} {error:.2%}" for name, error in errors.items())
    print(f"\n{gpu}, {held.sum()} of {len(held)} steps held out by {by}: MAPE {said}; "
          f"random forest on raw columns {plain:.2%}")  # fmt: skip
    assert errors["table"] <= 0.03
    assert errors["table"] <= plain


@pytest.mark.parametrize("gpu", sorted(FOLDERS))
def test_auto_on_a_whole_profile(perf, gpu) -> None:
    model = fit(perf / FOLDERS[gpu], estimator="auto")
    print(f"\n{gpu}: {model.provenance['choice']}; held-out MAPE {model.card.overall.mape:.2%}")
    assert model.card.overall.mape <= 0.01
    assert model.estimator == "table"


@pytest.mark.parametrize("gpu", sorted(REACH))
def test_extrapolation_beyond_contexts_and_batches(perf, gpu) -> None:
    features, seconds = profiled_steps(perf / REACH[gpu])
    points = coordinates(features)
    beyond = (points[:, 1] > 4096) | (points[:, 3] > 4096) | (points[:, 2] > 64)
    errors = {name: held_out_error(name, features, seconds, beyond) for name in ("table", "linear")}
    print(f"\n{gpu}: fitted on contexts to 4096 and batches to 64, {beyond.sum()} steps beyond: "
          f"MAPE table {errors['table']:.2%}, linear {errors['linear']:.2%}")  # fmt: skip
    assert errors["table"] <= 0.10


@pytest.mark.parametrize(
    ("name", "ttft", "tpot"),
    [("sharegpt-h200", 0.13, 0.05), ("chatbot-synthetic-h200", 0.32, 0.08)],
)
def test_request_predictors_on_real_rows(shared_data, name, ttft, tpot) -> None:
    model = fit_requests(shared_data / "llmd_latency_predictor" / f"{name}.jsonl.gz", name=name)
    print(f"\n{model}")
    assert model.card.find("ttft_s").mape < ttft
    assert model.card.find("tpot_s").mape < tpot
    for target in ("ttft_s", "tpot_s"):
        assert model.coverage[f"{target} 0.9"] == pytest.approx(0.9, abs=0.05)
        assert model.coverage[f"{target} 0.5"] == pytest.approx(0.5, abs=0.06)


def test_a_request_predictor_says_where_it_knows_nothing(shared_data) -> None:
    """Chats of short prompts and of long ones on one cluster: of one, the other is foreign ground."""
    names = ("sharegpt-h200", "chatbot-synthetic-h200")
    mixes = {
        name: read_request_rows(shared_data / "llmd_latency_predictor" / f"{name}.jsonl.gz")
        for name in names
    }
    both = fit_requests(mixes)
    print(f"\n{both}")
    for target in ("ttft_s", "tpot_s"):
        blocks = both.card.find(target).mape
        assert all(both.card.find(f"{target} by left-out mix", n).mape > 2 * blocks for n in names)
    short, long = mixes.values()
    held = pl.int_range(pl.len()) // 50 % 5 == 0
    model = fit_requests(short.filter(~held))
    known = model.predict(short.filter(held))["in_domain"].mean()
    foreign = model.predict(long)["in_domain"].mean()
    print(f"inside the domain: {known:.1%} of held-out short prompts, {foreign:.1%} of long ones")
    assert known > 0.95
    assert foreign < 0.05


@pytest.mark.parametrize("estimator", ["linear", "auto"])
def test_replay_of_a_real_run_meets_its_targets(shared_data, perf, estimator) -> None:
    """By the log's own facts, which name no prompt blocks: nothing is shared but by preemption."""
    observed = ingest(shared_data / RUN)
    model = fit(perf / FOLDERS["RTX PRO 6000"], estimator=estimator)
    cluster = Cluster.from_trace(observed, model)
    board = score(replay(observed, cluster, routers=["round_robin"]), observed=observed)
    errors = board.runs[0].fidelity
    said = ", ".join(
        f"{name} mean {errors[name]['mean_error']:+.2%} p99 {errors[name]['p99_error']:+.2%}"
        for name in ("ttft_s", "tpot_s", "e2e_s")
    )
    print(f"\n{model.estimator}: {said}")
    for name, bound in (("ttft_s", 0.04), ("tpot_s", 0.02), ("e2e_s", 0.025)):
        assert abs(errors[name]["mean_error"]) <= bound, name
        assert abs(errors[name]["p99_error"]) <= 0.055, name
