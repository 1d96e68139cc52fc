"""The steps that an error card keeps to be drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest

from workloadlab import LatencyModel
from workloadlab.errors import DataError
from workloadlab.latency import ErrorCard
from workloadlab.latency.card import sample_points
from workloadlab.latency.step import kind_of


@pytest.fixture(scope="module")
def steps():
    """1,000 steps of all kinds, decodes being few, with their durations."""
    draw = np.random.default_rng(0)
    features = draw.integers(1, 5000, (1000, 4)).astype(float)
    features[:10, :2] = 0
    features[10:500, 2:] = 0
    return features, draw.uniform(0.001, 1.0, 1000)


def test_points_are_few_of_every_kind_and_reach_both_ends(steps):
    features, seconds = steps
    points = np.array(sample_points(features, seconds, seconds * 1.1))
    kinds = kind_of(points[:, :4])
    assert np.bincount(kinds).tolist() == [10, 40, 40]
    for kind in range(3):
        drawn, all_of = points[kinds == kind][:, 4], seconds[kind_of(features) == kind]
        assert drawn[[0, -1]] == pytest.approx([all_of.min(), all_of.max()], rel=1e-3)
        assert (np.diff(drawn) >= 0).all()


def test_points_do_not_depend_on_the_order_of_rows(steps):
    features, seconds = steps
    seconds = seconds.round(1) + 0.1  # many ties
    order = np.random.default_rng(1).permutation(len(seconds))
    shuffled = sample_points(features[order], seconds[order], seconds[order])
    assert shuffled == sample_points(features, seconds, seconds)


def test_points_are_steps_that_were_judged_to_four_digits(steps):
    features, seconds = steps
    table = np.column_stack([features, seconds, seconds * 1.1])
    known = {tuple(float(f"{value:.3e}") for value in row) for row in table}
    assert set(sample_points(features, seconds, seconds * 1.1)) <= known


def test_a_card_without_points_has_no_field_for_them(steps):
    features, seconds = steps
    card = ErrorCard.of(features, seconds, seconds, split="a test", fitted_rows=1)
    facts = card.to_dict()
    assert ErrorCard.from_dict(json.loads(json.dumps(facts))) == card
    del facts["points"]
    older = ErrorCard.from_dict(facts)
    assert older.points == ()
    assert older.to_dict() == facts


def test_a_model_file_without_points_still_loads():
    model = LatencyModel.load(LatencyModel.catalog()[0])
    facts = json.loads(json.dumps(model.to_dict()))
    assert LatencyModel.from_dict(facts) == model
    del facts["card"]["points"]
    older = LatencyModel.from_dict(facts)
    assert older.to_dict() == facts | {"domain": older.to_dict()["domain"]}
    assert older.card.points == ()


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ("many", "field card.points is 'many'"),
        ([[0, 0, 1, 1, 0.1]], r"field card.points\[0\] is \[0, 0, 1, 1, 0.1\]"),
        ([[0, 0, 1, 1, 0.1, 0.1], [0, 0, 1, -1, 0.1, 0.1]], r"field card.points\[1\]\[3\] is -1"),
        ([[0, 0, 1, 1, 0, 0.1]], r"field card.points\[0\] is \[0, 0, 1, 1, 0, 0.1\]"),
        ([[0, 5, 0, 1, 0.1, 0.1]], r"field card.points\[0\] is"),
        ([[0, 0, "one", 1, 0.1, 0.1]], r"field card.points\[0\]\[2\] is 'one'"),
    ],
)
def test_points_that_are_no_steps_are_refused(points, said):
    facts = json.loads(json.dumps(LatencyModel.load(LatencyModel.catalog()[0]).to_dict()))
    facts["card"]["points"] = points
    with pytest.raises(DataError, match=said):
        LatencyModel.from_dict(facts)


def test_catalogue_files_stay_small_with_their_points():
    for name in LatencyModel.catalog():
        model = LatencyModel.load(name)
        assert len(model.card.points) == 120
        assert len(json.dumps(model.to_dict())) < 240_000
