"""What each estimator recovers, against slow twins, and which files are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.latency_models import random_steps

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import ESTIMATORS, LatencyModel, ModelGeometry
from workloadlab.latency.estimators import (
    linear,
    linear_kernel,
    roofline,
    roofline_kernel,
    table,
    table_kernel,
    trees,
)
from workloadlab.latency.estimators.evaluate import evaluate
from workloadlab.latency.estimators.registry import estimator_named, fit_estimator
from workloadlab.latency.hardware.gpus import find_gpu
from workloadlab.latency.step import kind_of


def test_the_roofline_recovers_its_rates_and_their_efficiencies() -> None:
    llama, gpu = ModelGeometry.named("Llama-3.1-8B"), find_gpu("H100")
    ideal = {
        "weights_s": 2 * (llama.active_parameters() - llama.vocab * llama.hidden) / 3.35e12,
        "experts_s": 0.0,
        "experts_tokens": 64.0,
        "token_s": 2 * (llama.active_parameters() - 2 * llama.vocab * llama.hidden) / 989e12,
        "seq_s": 2e-6,
        "kv_token_s": 131072 / 3.35e12,
        "mixed_kv_token_s": 8e-8,
        "pair_s": 4 * 32 * 32 * 128 / 989e12,
    }
    truth = {name: value * 2 for name, value in ideal.items()}
    steps = random_steps(1200)
    seconds = evaluate(roofline_kernel.step_time, steps, roofline.kernel_table(truth))
    rates = fit_estimator("roofline", steps, seconds)
    for name in ("weights_s", "token_s", "kv_token_s", "mixed_kv_token_s", "pair_s"):
        assert rates[name] == pytest.approx(truth[name], rel=0.02), name
    shares = roofline.efficiencies(rates, llama, gpu, dtype="bf16", tp=1)
    assert set(shares) == {"weights", "products", "kv_cache", "attention"}
    assert all(share == pytest.approx(0.5, rel=0.02) for share in shares.values())


def plain_table_time(step: np.ndarray, coefficients: dict) -> float:
    """The table by scipy: curve plus multilinear interpolation, inside its grids only."""
    from scipy.interpolate import RegularGridInterpolator

    kind = ("decode", "prefill", "mixed")[int(kind_of(step[None])[0])]
    grid = coefficients["grids"][kind]
    sizes = [len(axis) for axis in grid["nodes"]]
    values = np.array(grid["seconds"]).reshape(sizes)
    point = table.coordinates(step[None])[0, list(table.AXES[kind])]
    attention = RegularGridInterpolator([np.array(a) for a in grid["nodes"]], values)(point)[0]
    whole = table.kernel_table(coefficients)
    return float(linear_kernel.curve(np.array([step[0] + step[2]]), whole)[0] + attention)


def test_the_table_equals_a_plain_interpolation() -> None:
    steps = random_steps(1200)
    seconds = 0.01 + 1e-5 * (steps[:, 0] + steps[:, 2]) + 1e-7 * steps[:, 3] + 2e-9 * steps[:, 1]
    coefficients = fit_estimator("table", steps, seconds)
    predicted = evaluate(table_kernel.step_time, steps, table.kernel_table(coefficients))
    twins = [plain_table_time(step, coefficients) for step in steps[:150]]
    assert predicted[:150] == pytest.approx(twins, rel=1e-9)
    assert np.abs(predicted / seconds - 1).mean() < 0.005


def test_the_table_rises_along_every_axis_even_if_the_steps_do_not() -> None:
    steps = random_steps(1200)
    seconds = 0.02 + 0.02 * np.random.default_rng(0).uniform(size=len(steps))
    grids = fit_estimator("table", steps, seconds)["grids"]
    for grid in grids.values():
        values = np.array(grid["seconds"]).reshape([len(axis) for axis in grid["nodes"]])
        for axis in range(values.ndim):
            assert (np.diff(values, axis=axis) >= 0).all()


def test_a_node_that_no_step_is_near_keeps_what_the_linear_terms_say() -> None:
    """Short prefills behind long caches were not measured; neither grid nor smoothing invents them."""
    steps = random_steps(1200)
    seconds = linear.design_matrix(steps)[:, [31, 34, 36]] @ [0.01, 1e-7, 2e-9] + 0.01
    hole = (steps[:, 0] > 0) & (steps[:, 0] < 200) & (steps[:, 1] > 0)
    coefficients = fit_estimator("table", steps[~hole], seconds[~hole])
    predicted = evaluate(table_kernel.step_time, steps[hole], table.kernel_table(coefficients))
    fallback = linear.kernel_table(coefficients["fallback"])
    by_the_terms = evaluate(linear_kernel.step_time, steps[hole], fallback)
    assert predicted == pytest.approx(by_the_terms, rel=0.05)


@pytest.mark.parametrize("name", ["forest", "boosting"])
def test_exported_trees_predict_what_scikit_learn_predicts(name, monkeypatch) -> None:
    import sklearn.ensemble as ensemble

    kept = []
    for regressor in ("RandomForestRegressor", "HistGradientBoostingRegressor"):
        original = getattr(ensemble, regressor)

        class Kept(original):
            def fit(self, *given, **more):
                kept.append(self)
                return super().fit(*given, **more)

            __init__ = original.__init__

        monkeypatch.setattr(ensemble, regressor, Kept)
    steps = random_steps(1200)
    seconds = 0.01 + 1e-5 * steps[:, 0] + 1e-7 * steps[:, 3]
    estimator = estimator_named(name)
    coefficients = estimator.fit(steps, seconds)
    inputs, _, _, _ = trees.training_data(steps, seconds, coefficients["fallback"])
    base = inputs[:, 4] ** 0.75
    expected = kept[0].predict(inputs) * base
    predicted = estimator.predict(steps, estimator.table(coefficients))
    # scikit-learn's forest compares 32-bit inputs: a step on the very threshold may go the other way.
    assert np.isclose(predicted, expected, rtol=1e-5).mean() > 0.99


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
@pytest.mark.parametrize("rows", [2, 7])
def test_few_steps_are_fitted_all_the_same(name, rows) -> None:
    steps = np.array([[0.0, 0, n, 500 * n] for n in range(1, rows + 1)])
    seconds = 0.01 + 1e-4 * steps[:, 2]
    coefficients = fit_estimator(name, steps, seconds)
    estimator = estimator_named(name)
    predicted = estimator.predict(steps, estimator.table(coefficients))
    assert predicted == pytest.approx(seconds, rel=0.1)
    other = np.array([[700.0, 0, 0, 0], [700.0, 70_000, 3, 900], [0.0, 0, 0, 0]])
    assert (estimator.predict(other, estimator.table(coefficients)) >= 0).all()


def whole(name: str) -> dict:
    steps = random_steps(300)
    seconds = 0.01 + 1e-5 * steps[:, 0] + 1e-7 * steps[:, 3]
    coefficients = fit_estimator(name, steps, seconds)
    model = LatencyModel(name="m", estimator=name, coefficients=coefficients)
    return json.loads(json.dumps(model.to_dict()))


def staircase(levels: int) -> dict:
    """One tree that goes on only to the right."""
    size = 2 * levels + 1
    left = [k + 1 if k % 2 == 0 and k < size - 1 else -1 for k in range(size)]
    feature = [0 if child >= 0 else -1 for child in left]
    return {
        "roots": [0],
        "feature": feature,
        "left": left,
        "value": [float(k) for k in range(size)],
    }


def test_trees_of_twelve_levels_are_read(files) -> None:
    facts = json.loads(json.dumps(files["forest"]))
    facts["coefficients"]["trees"] = staircase(12)
    assert LatencyModel.from_dict(facts).coefficients["trees"] == staircase(12)


@pytest.fixture(scope="module")
def files() -> dict[str, dict]:
    return {name: whole(name) for name in ESTIMATORS}


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("roofline", lambda c: c.pop("token_s"), "lacks the field coefficients.token_s"),
        ("roofline", lambda c: c.update(pair_s=-1.0), "field coefficients.pair_s is -1"),
        ("roofline", lambda c: c.update(magic=1.0), "field coefficients.magic"),
        ("table", lambda c: c["fallback"].pop("decode_step"), "coefficients.fallback.decode_step"),
        ("table", lambda c: c["curve_s"].pop(), "field coefficients.curve_s is"),
        ("table", lambda c: c["curve_tokens"].insert(0, -3), r"coefficients.curve_tokens\[0\]"),
        ("table", lambda c: c["grids"].update(idle={}), "field coefficients.grids.idle"),
        (
            "table",
            lambda c: c["grids"]["mixed"]["seconds"].pop(),
            "field coefficients.grids.mixed.seconds is",
        ),
        (
            "table",
            lambda c: c["grids"]["decode"]["nodes"][0].reverse(),
            r"field coefficients.grids.decode.nodes\[0\]\[1\]",
        ),
        (
            "table",
            lambda c: c["grids"]["decode"]["seconds"].__setitem__(2, None),
            r"field coefficients.grids.decode.seconds\[2\] is None",
        ),
        ("forest", lambda c: c["trees"]["left"].__setitem__(0, 0), r"trees.left\[0\] is 0"),
        ("forest", lambda c: c["trees"]["left"].__setitem__(0, 10**9), r"trees.left\[0\]"),
        ("forest", lambda c: c["trees"]["roots"].clear(), "field coefficients.trees.roots"),
        ("forest", lambda c: c.update(trees=staircase(13)), "field coefficients.trees.left"),
        ("boosting", lambda c: c["trees"]["feature"].__setitem__(0, 9), r"trees.feature\[0\] is 9"),
        ("boosting", lambda c: c["trees"]["value"].pop(), "field coefficients.trees"),
        ("boosting", lambda c: c["boxes"].pop(), "field coefficients.boxes"),
        ("boosting", lambda c: c.update(constant="x"), "field coefficients.constant is 'x'"),
    ],
)
def test_a_hand_edited_file_names_the_field(files, name, change, message) -> None:
    facts = json.loads(json.dumps(files[name]))
    change(facts["coefficients"])
    with pytest.raises(DataError, match=message) as caught:
        LatencyModel.from_dict(facts, where="m.json")
    assert "m.json" in str(caught.value)
    assert caught.value.fix


def test_an_unknown_estimator() -> None:
    with pytest.raises(UsageError, match="no estimator 'oracle'") as caught:
        estimator_named("oracle")
    assert "auto" in str(caught.value.fix)
