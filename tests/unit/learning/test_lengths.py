"""Output lengths: predicted from what comes before them, where there is something to predict from."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.traces import requests_at

import workloadlab as wl
from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.learning.lengths.features import FEATURES, encodings_of, features_of, for_fitting
from workloadlab.learning.lengths.predictor import TARGETS, LengthPredictor, fit_lengths
from workloadlab.learning.lengths.train import degraded, train_lengths


def log(requests=1600, seed=0, told=True):
    """Two tasks, of which one answers at length; or lengths that nothing tells."""
    rng = np.random.default_rng(seed)
    long = rng.random(requests) < 0.5
    outputs = rng.gamma(4, np.where(long, 150, 10)).astype(int) + 1
    return requests_at(
        np.arange(requests) * 0.5,
        input_tokens=np.where(long & told, 900, 100) + rng.integers(0, 50, requests),
        output_tokens=outputs,
        session_id=[f"s{k % 9}" for k in range(requests)],
    )


def test_where_the_prompt_tells_it_is_learned():
    card = train_lengths(log()).card
    assert card["quartiles"]["accuracy"] > card["quartiles"]["majority"] + 0.15  # at most 0.25
    assert card["paper"]["accuracy"] > 0.9
    assert card["mae_tokens"] < 0.6 * card["mae_of_the_median"]
    assert card["pinball"]["q90"] < card["pinball_of_quantiles"]["q90"]
    assert abs(card["below"]["q90"] - 0.9) < 0.12
    assert "points above the majority class" in card["verdict"]
    assert "nothing" not in card["verdict"]


def test_where_nothing_tells_it_says_so():
    assert train_lengths(log(told=False)).verdict.startswith("nothing to predict from here")


def test_a_row_sees_only_what_was_before_it():
    trace = log(60)
    whole = features_of(trace, encodings_of(trace))
    head = wl.Trace.from_frame(trace.frame.head(20).collect())
    np.testing.assert_array_equal(features_of(head, encodings_of(trace)), whole[:20])
    tokens = trace.read("output_tokens")["output_tokens"].to_list()
    at = FEATURES.index("last_of_session_id")
    assert np.isnan(whole[:9, at]).all()
    assert whole[20, at] == tokens[11]
    assert whole[20, at + 1] == pytest.approx((tokens[2] + tokens[11]) / 2)


def test_the_file_predicts_as_what_was_fitted(tmp_path):
    from sklearn.ensemble import HistGradientBoostingRegressor

    trace = log(600)
    predictor = fit_lengths(trace)
    predictor.save(tmp_path / "lengths.json")
    again = LengthPredictor.load(tmp_path / "lengths.json")
    inputs = features_of(trace, predictor.encodings)
    tokens = trace.read("output_tokens")["output_tokens"].to_numpy()
    for name, loss in TARGETS.items():
        fitted = HistGradientBoostingRegressor(
            **loss, max_iter=80, max_leaf_nodes=31, learning_rate=0.1, min_samples_leaf=30,
            early_stopping=False, random_state=0,
        ).fit(for_fitting(inputs), tokens)  # fmt: skip
        np.testing.assert_allclose(
            again.predict(trace, name), np.maximum(1, fitted.predict(inputs)), atol=1e-9
        )


def test_predictions_become_what_routers_see():
    trace = log(500)
    filled = fit_lengths(trace).apply(trace, "q50")
    assert filled.supports("predicted_output")
    told = filled.read("predicted_output_tokens")["predicted_output_tokens"].to_numpy()
    np.testing.assert_array_equal(told, np.rint(fit_lengths(trace).predict(trace, "q50")))


def test_errors_can_be_dosed():
    trace = log(2000)
    tokens = trace.read("output_tokens")["output_tokens"].to_numpy()

    def told(**options):
        column = degraded(trace, **options).read("predicted_output_tokens")
        return column["predicted_output_tokens"].to_numpy()

    np.testing.assert_array_equal(told(), tokens)
    np.testing.assert_allclose(told(bias=2.0), 2 * tokens)
    assert 0.5 < (told(accuracy=0.6) == tokens).mean() < 0.7
    spread = np.log(told(noise=0.5)[tokens > 50] / tokens[tokens > 50])
    assert 0.4 < spread.std() < 0.6
    with pytest.raises(UsageError, match="accuracy 2"):
        degraded(trace, accuracy=2)


def test_what_cannot_be_trained_or_read_is_refused(tmp_path):
    with pytest.raises(UnsupportedError, match="needs output_tokens"):
        train_lengths(wl.Trace.of([(k, 5, None) for k in range(900)]))
    with pytest.raises(UsageError, match="too few"):
        train_lengths(log(200))
    path = tmp_path / "lengths.json"
    fit_lengths(log(200)).save(path)
    whole = path.read_text()
    path.write_text(whole[:100])
    with pytest.raises(DataError, match="cut off"):
        LengthPredictor.load(path)
    facts = json.loads(whole)
    facts["trees"]["q50"]["trees"][0]["left"][0] = 0
    path.write_text(json.dumps(facts))
    with pytest.raises(DataError, match=r"left\[0\]"):
        LengthPredictor.load(path)
    with pytest.raises(UsageError, match="no target 'q99'"):
        fit_lengths(log(200)).predict(log(200), "q99")
