"""Choice of the estimator, intervals, density, and steps that say too little."""

from __future__ import annotations

import numpy as np
import pytest
from support.latency_models import STEP_FEATURES, random_steps, samples_of

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import LatencyModel, fit
from workloadlab.latency.choice import fold_predictions
from workloadlab.latency.intervals import Intervals


def noise(rows: int, share: float) -> np.ndarray:
    return np.random.default_rng(9).lognormal(0, share, rows)


def test_auto_takes_the_simplest_of_equals_and_says_why() -> None:
    """Exactly what the linear terms say, with noise: nothing can be better than linear."""
    steps = random_steps(900)
    seconds = 0.01 + 1e-5 * steps[:, 0] + 1e-7 * steps[:, 3] + 1e-9 * steps[:, 1]
    model = fit(samples_of(steps, seconds * noise(len(steps), 0.02)), estimator="auto")
    assert model.estimator == "linear"
    why = model.provenance["choice"]
    assert why.startswith("linear has the smallest error in 3-fold cross-validation")
    assert all(name in why for name in ("table", "roofline", "forest", "boosting"))


def test_auto_leaves_the_linear_terms_when_they_do_not_fit() -> None:
    """Decodes pay for the root of their context, as no sum of the terms does."""
    steps = random_steps(3000)
    seconds = 0.005 + 1e-5 * steps[:, 0] + 4e-5 * np.sqrt(steps[:, 3])
    samples = samples_of(steps, seconds * noise(len(steps), 0.005))
    model = fit(samples, estimator="auto")
    assert model.estimator != "linear"
    assert model.card.overall.mape < 0.6 * fit(samples).card.overall.mape


def test_folds_never_predict_a_group_from_itself() -> None:
    """Each group has a time of its own; whoever saw it in the fit would know it."""
    groups = np.repeat(np.arange(40), 10)
    rng = np.random.default_rng(2)
    steps = np.column_stack([np.zeros((400, 2)), 1 + groups, 100 * (1 + groups)]).astype(float)
    seconds = rng.uniform(0.01, 0.02, 40)[groups]
    predicted = fold_predictions(steps, seconds, groups, estimator="table", folds=4, seed=0)
    assert np.abs(predicted / seconds - 1).mean() > 0.1


def test_intervals_hold_the_share_that_they_promise() -> None:
    steps, later = random_steps(3000), random_steps(3000, seed=7)

    def seconds(features: np.ndarray) -> np.ndarray:
        return 0.01 + 1e-5 * features[:, 0] + 1e-7 * features[:, 3]

    share = np.random.default_rng(3).lognormal(0, 0.1, 6000)
    model = fit(samples_of(steps, seconds(steps) * share[:3000]), intervals=True)
    asked = dict(zip(STEP_FEATURES, later.T, strict=True))
    for level in (0.5, 0.9):
        low, high = model.predict_interval(asked, level=level)
        measured = seconds(later) * share[3000:]
        assert ((low <= measured) & (measured <= high)).mean() == pytest.approx(level, abs=0.03)
        assert (low < model.predict(asked)).all()
    assert LatencyModel.from_dict(model.to_dict()) == model
    with pytest.raises(UsageError, match=r"level is 0\.999"):
        model.predict_interval(asked, level=0.999)
    with pytest.raises(UsageError, match="has no intervals"):
        LatencyModel.linear(constant_s=1.0).predict_interval(asked)


def test_interval_quantiles_by_hand() -> None:
    features = np.array([[0.0, 0, 1, 10]] * 101)
    ratio = np.linspace(0.9, 1.1, 101)
    spread = Intervals.of(features, ratio * 2.0, np.full(101, 2.0))
    low, high = spread.around(features[:1], lambda rows: np.full(len(rows), 3.0), 0.9)
    assert (low[0], high[0]) == pytest.approx((3 * 0.91, 3 * 1.09))


def test_a_hollow_box_is_not_dense_everywhere() -> None:
    """Small batches with short contexts and large ones with long: nothing on the other diagonal."""
    small = np.array([[0.0, 0, n, 100 * n] for n in range(1, 9)])
    large = np.array([[0.0, 0, n, 9000 * n] for n in range(100, 140)])
    steps = np.vstack([small, large])
    model = fit(samples_of(steps, 0.01 + 1e-4 * steps[:, 2]))
    asked = {
        "decode_seqs": [4, 120, 120, 4],
        "decode_context_tokens": [400, 120 * 9000, 12_000, 36_000],
    }
    assert model.in_domain(asked).all()
    assert model.is_dense(asked).tolist() == [True, True, False, False]
    assert LatencyModel.from_dict(model.to_dict()).is_dense(asked).tolist() == [
        True,
        True,
        False,
        False,
    ]
    assert not model.is_dense({"prefill_tokens": [100]}).any()
    assert LatencyModel.linear().is_dense(asked).all()


def test_one_batch_size_says_nothing_about_others() -> None:
    steps = np.array([[0.0, 0, 32, 32 * context] for context in range(100, 900, 100)])
    with pytest.raises(DataError, match="column decode_seqs: is 32 in every step") as caught:
        fit(samples_of(steps, np.full(len(steps), 0.02)))
    assert "two batch sizes" in str(caught.value.fix)
    chunks = np.array([[512.0, 512 * cached, 0, 0] for cached in range(0, 800, 100)])
    with pytest.raises(DataError, match="column prefill_tokens: is 512 in every step"):
        fit(samples_of(chunks, np.full(len(chunks), 0.02)))


def test_options_that_make_no_sense() -> None:
    samples = samples_of(random_steps(30), np.full(30, 0.01))
    with pytest.raises(UsageError, match="a step table holds one"):
        fit(samples, gpu="A100")
    few = samples_of(np.array([[0.0, 0, n, 10] for n in (1, 2, 4)]), np.array([0.01, 0.011, 0.013]))
    with pytest.raises(UsageError, match="intervals need held-out steps"):
        fit(few, intervals=True)
    assert "untested: only 3 groups" in fit(few, estimator="auto").provenance["choice"]
