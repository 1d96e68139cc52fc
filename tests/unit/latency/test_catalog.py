"""The models that ship: their cards keep the promises made about them."""

from __future__ import annotations

import numpy as np
import pytest

from workloadlab.latency import LatencyModel, ModelGeometry, catalog
from workloadlab.latency.catalog.build import COMMITS, MODELS
from workloadlab.latency.hardware.gpus import find_gpu
from workloadlab.latency.hardware.limits import kv_bytes_per_token, least_step_s

WHOLE = [name for name, recipe in MODELS.items() if "llmservingsim/perf/" in recipe.path]
"""Measured with prefill and decode in one kernel, on the grid that engines visit."""


def test_the_catalogue_holds_what_the_builder_names() -> None:
    assert LatencyModel.catalog() == sorted(MODELS)


def test_the_catalogue_covers_the_gpus_and_models_that_people_ask_for() -> None:
    models = [LatencyModel.load(name) for name in MODELS]
    assert {find_gpu(model.gpu).name for model in models} == {
        *("A100-80GB", "H100-SXM", "H200", "RTX PRO 6000", "RTX 4090", "A6000"),
    }
    served = " ".join(model.model for model in models)
    for name in ("Llama-2-7b", "Llama-3.1-8B", "Llama-3-70B", "Qwen3-32B", "CodeLlama-34b"):
        assert name in served


@pytest.mark.parametrize("name", sorted(MODELS))
def test_held_out_errors_stay_within_bounds(name) -> None:
    card = LatencyModel.load(name).card
    assert "groups held out" in card.split
    assert card.overall.mape < 0.03
    assert card.overall.p95 < 0.08
    for kind in ("decode", "prefill", "mixed"):
        part = card.find("kind", kind)
        # The decodes of A6000 run a kernel that does not split long contexts: stairs of waves.
        assert part.mape < (0.08 if name.startswith("a6000") else 0.045), kind
        assert abs(part.bias) < 0.025, kind


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_errors_of_whole_profiles_stay_within_tighter_bounds(name) -> None:
    card = LatencyModel.load(name).card
    bounds = {"decode": 0.02, "prefill": 0.01, "mixed": 0.02}
    for kind, bound in bounds.items():
        part = card.find("kind", kind)
        assert part.mape < bound, kind
        assert abs(part.bias) < 0.01, kind
    assert card.overall.p95 < 0.07
    # The honest part: beyond 262,144 cached tokens in a mixed batch the form does not follow.
    assert card.find("decode_context_tokens", "over 262,144").mape < 0.08


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_says_where_it_comes_from(name) -> None:
    model = LatencyModel.load(name)
    assert any(commit in model.provenance["commit"] for commit in COMMITS.values())
    assert {"source", "url", "licence", "notes", "commit"} <= set(model.provenance)
    assert "whole steps not measured" in model.card.split
    assert all(term.source for _, term in model.terms.named())
    assert ("all-reduces" in model.provenance["notes"]) == (model.tp > 1)
    assert model.system["kv_bytes_per_token"] == kv_bytes_per_token(
        ModelGeometry.named(model.model)
    )
    assert catalog.locate(name).stat().st_size < 240_000


@pytest.mark.parametrize("name", sorted(MODELS))
def test_no_model_is_faster_than_its_hardware(name) -> None:
    model = LatencyModel.load(name)
    steps = {
        "prefill_tokens": [0, 0, 0, 512, 2048, 2048, 1024],
        "prefill_context_tokens": [0, 0, 0, 0, 0, 2_000_000, 0],
        "decode_seqs": [1, 16, 64, 0, 0, 0, 32],
        "decode_context_tokens": [512, 16_000, 60_000, 0, 0, 0, 30_000],
    }
    features = np.array(list(steps.values()), float).T
    bound = least_step_s(ModelGeometry.named(model.model), model.gpu, features, tp=model.tp)
    ratio = model.predict(steps) / bound
    assert ratio.min() > 1.0
    assert ratio.max() < 20
