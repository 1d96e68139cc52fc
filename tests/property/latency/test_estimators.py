"""Every estimator: same bits after a file, in Python and compiled; monotone; continuous at its edge."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.latency_models import STEP_FEATURES, any_step, bits

from workloadlab.latency import ESTIMATORS, Domain, LatencyModel, fit_requests
from workloadlab.latency.estimators.registry import estimator_named, fit_estimator
from workloadlab.latency.estimators.trees import tree_table
from workloadlab.latency.estimators.trees_kernel import tree_sum
from workloadlab.latency.requests.rows import REQUEST_FEATURES

names = st.sampled_from(sorted(ESTIMATORS))
any_steps = any_step(prefill=9000, cached=30_000, seqs=600)


def measured(rows: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """Noisy steps of all kinds, with a knee that the linear terms do not have."""
    rng = np.random.default_rng(4)
    kind = np.arange(rows) % 3
    prefill = np.where(kind > 0, rng.integers(1, 2049, rows), 0)
    seqs = np.where(kind != 1, rng.integers(1, 129, rows), 0)
    cached, context = rng.choice([0, 100, 1000, 9000], rows), rng.integers(1, 6000, rows)
    features = np.column_stack([prefill, prefill * cached, seqs, seqs * context]).astype(float)
    seconds = 0.008 + 3e-5 * np.maximum(200.0, features[:, 0] + features[:, 2])
    seconds += 2e-9 * features[:, 1] + 1e-7 * features[:, 3] ** 1.02
    return features, seconds * rng.lognormal(0, 0.02, rows)


@cache
def fitted(name: str) -> LatencyModel:
    return LatencyModel(name=name, estimator=name, coefficients=fit_estimator(name, *measured()))


INSIDE = Domain.of(measured()[0])


@settings(deadline=None)
@given(names, any_steps)
def test_file_python_and_kernel_give_the_same_bits(name, step) -> None:
    model = fitted(name)
    kernel, table = model.kernel()
    seconds = bits(kernel(*step, table))
    loaded = LatencyModel.from_dict(json.loads(json.dumps(model.to_dict())))
    again, its_table = loaded.kernel()
    assert bits(again(*step, its_table)) == seconds
    assert bits(kernel.py_func(*step, table)) == seconds
    assert bits(model.step_time_s(**dict(zip(STEP_FEATURES, step, strict=True)))) == seconds
    rows = np.array([step])
    assert bits(estimator_named(name).predict(rows, table)[0]) == seconds


@settings(deadline=None)
@given(names, any_steps, st.integers(0, 3), st.sampled_from([1, 7, 300]))
def test_more_work_never_takes_less_time(name, step, axis, more) -> None:
    """Within one kind of step: more cached context, more sequences or a longer chunk."""
    prefill, cached, seqs, context = step
    if (axis < 2 and prefill == 0) or (axis > 1 and seqs == 0):
        return
    kernel, table = fitted(name).kernel()
    mean_cached = cached / prefill if prefill else 0.0
    mean_context = context / seqs if seqs else 0.0
    grown = {
        0: (prefill + more, (prefill + more) * mean_cached, seqs, context),
        1: (prefill, cached + more * prefill, seqs, context),
        2: (prefill, cached, seqs + more, (seqs + more) * mean_context),
        3: (prefill, cached, seqs, context + more * seqs),
    }[axis]
    if name in ("forest", "boosting") and not INSIDE.contains(np.array([step, grown])).all():
        return  # the stairs of the linear terms show through where they extrapolate
    before, after = kernel(*step, table), kernel(*grown, table)
    assert after >= before * (1 - 1e-9) - 1e-12


@pytest.mark.parametrize("name", ["table", "forest", "boosting"])
@pytest.mark.parametrize("axis", [1, 3])
def test_predictions_are_continuous_where_the_fit_ends(name, axis) -> None:
    """Beyond the largest mean context seen, one token more costs what the linear terms say."""
    features, _ = measured()
    kernel, table = fitted(name).kernel()
    part = features[(features[:, 0] > 0) == (axis == 1)]
    count = part[:, axis - 1]
    edge = float((part[:, axis] / count).max())

    def at(mean: float) -> float:
        step = [0.0, 0.0, 0.0, 0.0]
        step[axis - 1], step[axis] = 100.0, 100.0 * mean
        return kernel(*step, table)

    slope = (at(edge + 4000) - at(edge + 2000)) / 2000
    assert at(edge + 1) - at(edge) == pytest.approx(slope, rel=0.3, abs=1e-9)
    assert slope > 0


@cache
def fitted_requests():
    import polars as pl

    rng = np.random.default_rng(0)
    rows = {name: rng.uniform(0, 100, 300) for name in REQUEST_FEATURES}
    rows["ttft_s"] = 0.05 + 1e-3 * rows["input_tokens"] + 1e-3 * rng.exponential(20, 300)
    return fit_requests(pl.DataFrame(rows))


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e4), min_size=7, max_size=7), st.sampled_from([0.5, 0.9]))
def test_request_models_keep_their_bits(values, quantile) -> None:
    model = fitted_requests()
    kernel, table = model.kernel("ttft_s", quantile)
    seconds = bits(kernel(np.array(values), table))
    assert bits(kernel.py_func(np.array(values), table)) == seconds
    loaded = type(model).from_dict(json.loads(json.dumps(model.to_dict())))
    again, its_table = loaded.kernel("ttft_s", quantile)
    assert bits(again(np.array(values), its_table)) == seconds


def walked(part, values):
    """Sum of leaves, each found by following the children that the file names."""
    trees, total = part["trees"], part["constant"]
    for node in trees["roots"]:
        while trees["left"][node] >= 0:
            right = values[trees["feature"][node]] > trees["value"][node]
            node = trees["left"][node] + right  # noqa: PLW2901
        total += trees["value"][node]
    return total


@settings(deadline=None)
@given(st.lists(st.floats(0, 120), min_size=7, max_size=7), st.data())
def test_trees_without_branches_equal_a_walk_from_node_to_node(values, data) -> None:
    part = fitted_requests().coefficients["ttft_s"]["0.9"]
    splits = [k for k, feature in enumerate(part["trees"]["feature"]) if feature >= 0]
    split = data.draw(st.sampled_from(splits))
    values[part["trees"]["feature"][split]] = part["trees"]["value"][split]  # then it goes left
    table = tree_table(part["trees"], part["constant"])
    assert bits(tree_sum(np.array(values), table, 0)) == bits(walked(part, values))


@settings(deadline=None)
@given(names, st.integers(1, 400), st.floats(1, 40_000), st.integers(0, 300))
def test_the_decode_line_of_every_estimator_is_its_step_time(name, seqs, mean, count) -> None:
    """Up to its last context; where there is no line it holds for the step itself."""
    model = fitted(name)
    step_time, table = model.kernel()
    decode_line = estimator_named(name).decode_line
    n, context = float(seqs), float(int(seqs * mean))
    seconds, slope, last = decode_line(n, context, table)
    assert last >= context
    later = min(context + n * count, last)
    exact = step_time(0.0, 0.0, n, later, table)
    assert seconds + slope * (later - context) == pytest.approx(exact, rel=1e-9, abs=1e-15)
    if name == "table" and last > context:
        assert slope >= 0.0
