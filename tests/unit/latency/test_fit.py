"""Fitting: what it recovers, how it splits, how it extrapolates, what it refuses."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from support.latency_models import random_steps, samples_of

from workloadlab.errors import UsageError
from workloadlab.latency import ErrorCard, LatencyModel, fit, write_samples
from workloadlab.latency.estimators.linear import (
    TERMS,
    design_matrix,
    fit_coefficients,
    kernel_table,
)


def test_known_coefficients_are_recovered() -> None:
    truth = dict.fromkeys(TERMS, 0.0) | {
        "total_tokens_above_512": 1.5e-5,
        "total_tokens_step_128": 1e-3,
        "decode_step": 8e-3,
        "decode_context": 9e-8,
        "decode_seqs": 1e-5,
        "prefill_step": 9e-3,
        "prefill_context": 3e-9,
        "mixed_context": 2e-7,
        "mixed_seqs": 3e-5,
    }
    features = random_steps(1500)
    seconds = design_matrix(features) @ np.array(list(truth.values()))
    fitted = fit_coefficients(features, seconds)
    for name, value in truth.items():
        assert fitted[name] == pytest.approx(value, rel=2e-4, abs=2e-12), name


def test_coefficients_are_never_negative_even_when_the_truth_is() -> None:
    features = random_steps(1500)
    seconds = 0.1 - 2e-5 * features[:, 0] - 1e-4 * features[:, 2]
    assert min(fit_coefficients(features, seconds).values()) >= 0.0


def test_a_rich_kind_of_step_does_not_spoil_the_others() -> None:
    """Twenty decode steps among thousands of prefills that no term explains."""
    features = random_steps(1500)
    decode, prefill = features[features[:, 0] == 0][:20], features[features[:, 2] == 0]
    rng = np.random.default_rng(1)
    noise = rng.uniform(0.5, 2.0, 20 * len(prefill))
    prefill = np.vstack([prefill] * 20)
    steps = np.vstack([decode, prefill])
    seconds = np.concatenate([5e-3 + 1e-7 * decode[:, 3], 0.02 * noise])
    model = fit(samples_of(steps, seconds), holdout=0)
    assert model.card.find("kind", "decode").mape < 0.02


def test_groups_are_never_on_both_sides() -> None:
    """Every group has a latency of its own that no term knows: only held-out groups show it."""
    features = np.vstack([random_steps(300)] * 4)
    group = pl.Series(np.tile(np.arange(300), 4).astype(str))
    model = fit(samples_of(features, np.full(1200, 0.02), group=group), holdout=0.25, seed=3)
    assert model.card.judged_rows == 75 * 4
    assert model.card.fitted_rows == 225 * 4
    assert "75 of 300 groups held out, grouped by the column group, seed 3" in model.card.split
    assert "fitted on all steps" in model.card.split
    assert fit(samples_of(features, np.full(1200, 0.02), group=group), seed=4).card.split.endswith(
        "seed 4; the model itself is fitted on all steps"
    )


def test_the_card_is_about_the_fit_that_did_not_see_the_steps() -> None:
    """Held-out error exceeds in-sample error when there are as many terms as steps."""
    features = random_steps(60, seed=5)
    seconds = np.random.default_rng(5).uniform(0.01, 0.03, 60)
    samples = samples_of(features, seconds)
    seen, unseen = fit(samples, holdout=0).card, fit(samples, holdout=0.3).card
    assert "in-sample" in seen.split
    assert unseen.overall.mape > seen.overall.mape


def test_the_model_itself_sees_every_step() -> None:
    samples = samples_of(random_steps(1500), 0.01 + 1e-5 * random_steps(1500)[:, 0])
    held, all_rows = fit(samples, holdout=0.5), fit(samples, holdout=0)
    assert held.coefficients == all_rows.coefficients


def test_few_groups_are_not_split() -> None:
    features = np.array([[0.0, 0, 1, 10], [0, 0, 2, 20], [0, 0, 4, 40]])
    model = fit(samples_of(features, np.array([0.010, 0.011, 0.013])))
    assert "only 3 groups" in model.card.split
    assert model.card.fitted_rows == model.card.judged_rows == 3
    assert not model.in_domain({"prefill_tokens": 5}).any()


def test_the_curve_goes_on_beyond_the_data_at_its_mean_slope() -> None:
    """Stairs alone would leave it flat."""
    total = np.arange(16.0, 2049.0, 16.0)
    features = np.column_stack([total, 0 * total, 0 * total, 0 * total])
    stairs = 0.01 + 0.002 * np.ceil(total / 128)
    model = fit(samples_of(features, stairs))
    at = [model.step_time_s(prefill_tokens=t) for t in (1024, 2048, 3072, 16384)]
    assert at[1] == pytest.approx(0.01 + 0.002 * 16, rel=0.02)
    slope = (at[1] - at[0]) / 1024
    assert at[2] == pytest.approx(at[1] + 1024 * slope, rel=0.05)
    assert at[3] == pytest.approx(at[1] + 14336 * slope, rel=0.05)
    assert not model.in_domain({"prefill_tokens": [3072, 16384]}).any()


def test_sources_names_and_provenance(tmp_path) -> None:
    samples = samples_of(random_steps(90), 0.01 + 1e-5 * random_steps(90)[:, 0])
    path = tmp_path / "steps.parquet"
    write_samples(samples, path)
    from_file, from_frame = fit(path), fit(samples, name="mine")
    assert from_file.coefficients == from_frame.coefficients
    assert (from_file.name, from_frame.name) == ("a100-llama-8b", "mine")
    assert from_file.provenance == {"source": "step table steps.parquet"}
    assert from_file.dtype is None


@pytest.mark.parametrize("arguments", [{"estimator": "oracle"}, {"holdout": 0.95}, {"holdout": -1}])
def test_bad_options_are_usage_errors(arguments) -> None:
    with pytest.raises(UsageError):
        fit(samples_of(random_steps(30), np.full(30, 0.01)), **arguments)


def test_error_card_by_hand() -> None:
    features = np.array(
        [[0, 0, 8, 100], [0, 0, 300, 90_000], [512.0, 0, 0, 0], [1000, 5, 20, 40_000]]
    )
    measured = np.array([0.010, 0.020, 0.040, 0.050])
    predicted = np.array([0.011, 0.018, 0.040, 0.060])
    card = ErrorCard.of(features, measured, predicted, split="x", fitted_rows=1)
    overall = card.overall
    assert (overall.rows, overall.mape, overall.bias) == (4, 0.1, 0.05)
    assert overall.p95 == pytest.approx(0.185)  # linear quantile of 0, 0.1, 0.1, 0.2 at 0.95
    assert card.find("kind", "decode").mape == 0.1
    assert card.find("kind", "mixed").bias == 0.2
    assert card.find("decode_seqs", "over 256").bias == -0.1
    assert card.find("decode_seqs", "1 to 16").rows == 1
    assert card.find("decode_context_tokens", "16,385 to 65,536").rows == 1
    assert card.find("total_tokens", "257 to 1,024").rows == 3
    assert card.find("kind", "idle") is None
    assert ErrorCard.from_dict(card.to_dict()) == card
    lines = str(card).splitlines()
    assert lines[0] == "errors on x"
    assert len(lines) == 2 + len(card.slices)


def test_the_fit_is_what_the_kernel_computes() -> None:
    features = random_steps(600)
    seconds = 0.01 + 1e-5 * features[:, 0] + 1e-7 * features[:, 3]
    coefficients = fit_coefficients(features, seconds)
    model = LatencyModel(name="m", coefficients=coefficients)
    names = ("prefill_tokens", "prefill_context_tokens", "decode_seqs", "decode_context_tokens")
    terms = design_matrix(features) @ np.array([coefficients[name] for name in TERMS])
    assert model.predict(dict(zip(names, features.T, strict=True))) == pytest.approx(
        terms, rel=1e-9
    )
    assert model.kernel()[1].tobytes() == kernel_table(coefficients).tobytes()
