"""The least and the most that a step may take, near the steps of a log and far from them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import LatencyModel
from workloadlab.latency.envelope import DRIFT, Drift, Envelope, ends

PRICES = {
    "prefill_token_s": 5e-5,
    "prefill_context_s": 2e-8,
    "decode_seq_s": 1e-4,
    "decode_context_s": 8e-8,
}
KNOWN = Envelope(
    error=0.05,
    low=(0, 0, 0, 0),
    high=(2048, 1e6, 16, 40e3),
    most_s=(6e-5, 3e-8, 2e-4, 1e-7),
    beside_prompt_s=8e-7,
)
MODEL = replace(LatencyModel.linear(constant_s=0.01, **PRICES), intervals=KNOWN)

SCALED = Drift(error=0.05, high=(2048, 1e6, 16, 40e3))

STEPS = st.tuples(
    st.sampled_from([0, 1, 100, 2048, 8192]),
    st.sampled_from([0.0, 40.0, 4000.0]),
    st.sampled_from([0, 1, 16, 17, 100, 700]),
    st.sampled_from([1.0, 900.0, 2500.0, 30e3]),
).filter(lambda step: step[0] + step[2] > 0)


def plainly(p, x, n, c):
    """Bounds of one step, term by term."""
    g = [min(value, most) for value, most in zip((p, x, n, c), KNOWN.high, strict=True)]
    seconds = 0.01 + sum(price * each for price, each in zip(PRICES.values(), g, strict=True))
    most = list(KNOWN.most_s)
    if p > 0:
        most[3] = KNOWN.beside_prompt_s
    beyond = sum(price * (f - near) for price, f, near in zip(most, (p, x, n, c), g, strict=True))
    return 0.95 * seconds, 1.05 * seconds + beyond


@given(STEPS)
def test_bounds_are_as_documented_and_hold_the_prediction(step):
    p, cached, n, context = step
    row = np.array([[p, p * cached, n, n * context]], float)
    least, most = KNOWN.around(row, MODEL.seconds)
    assert [least[0], most[0]] == pytest.approx(plainly(*row[0]))
    assert least[0] <= MODEL.seconds(row)[0] <= most[0]


@cache
def both_ends(bounds):
    return ends(replace(MODEL, intervals=bounds))


@given(STEPS)
def test_replays_of_the_ends_take_no_less_room_than_the_bounds(step):
    p, cached, n, context = step
    row = np.array([[p, p * cached, n, n * context]], float)
    shorter, longer = (end.seconds(row)[0] for end in both_ends(KNOWN))
    least, most = (bound[0] for bound in KNOWN.around(row, MODEL.seconds))
    assert shorter <= least + 1e-9
    assert longer >= most - 1e-9
    if p == 0:
        assert [shorter, longer] == pytest.approx([least, most], rel=0.02)


def test_intervals_widen_with_the_distance_from_the_log():
    seqs = np.array([4, 16, 32, 64, 128, 512])
    low, high = MODEL.predict_interval({"decode_seqs": seqs, "decode_context_tokens": 2500 * seqs})
    width = high / low
    assert width[0] == pytest.approx(width[1]) == pytest.approx(1.05 / 0.95)
    assert (np.diff(width[1:]) > 0.2).all()


def test_a_smaller_step_than_any_of_the_log_takes_less_by_its_price_at_most():
    crowded = replace(KNOWN, low=(0, 0, 8, 8e3))
    row = np.array([[0.0, 0, 1, 100]])
    least, most = crowded.around(row, MODEL.seconds)
    seconds = 0.01 + 8e-4 + 6.4e-4
    assert least[0] == pytest.approx(0.95 * seconds - 7 * 2e-4 - 7900 * 1e-7)
    assert most[0] == pytest.approx(1.05 * seconds)
    assert least[0] <= MODEL.seconds(row)[0] <= most[0]


def test_a_level_beyond_what_is_known_is_refused():
    with pytest.raises(UsageError, match=r"level is 0\.99"):
        MODEL.predict_interval({"decode_seqs": [1]}, level=0.99)


def test_saved_and_loaded_it_is_the_same():
    assert LatencyModel.from_dict(MODEL.to_dict()).intervals == KNOWN


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("high", [1.0]),
        ("low", [0.0, 0.0, 17.0, 0.0]),
        ("error", -1.0),
        ("most_s", "none"),
        ("x", 1),
    ],
)
def test_a_damaged_file_names_the_field(name, value):
    facts = MODEL.to_dict()
    facts["intervals"] = facts["intervals"] | {name: value}
    with pytest.raises(DataError, match=rf"intervals\.{name}"):
        LatencyModel.from_dict(facts)


def test_a_scaled_model_is_less_sure_the_more_often_a_batch_doubles():
    model = replace(MODEL, intervals=SCALED)
    seqs = np.array([4, 16, 64, 1024])
    low, high = model.predict_interval({"decode_seqs": seqs, "decode_context_tokens": 2500 * seqs})
    sides = DRIFT * np.sqrt([0, 0, 2, 6])
    assert high / low == pytest.approx(1.05 / 0.95 * np.exp(2 * sides))
    with pytest.raises(UsageError, match="above 0, at most"):
        model.predict_interval({"decode_seqs": [1]}, level=0.99)


@given(STEPS)
def test_replays_of_the_ends_of_a_scaled_model_take_its_bounds(step):
    p, cached, n, context = step
    row = np.array([[p, p * cached, n, n * context]], float)
    shorter, longer = (end.seconds(row)[0] for end in both_ends(SCALED))
    least, most = (bound[0] for bound in SCALED.around(row, MODEL.seconds))
    assert shorter < MODEL.seconds(row)[0] < longer
    # A table is a line between its sizes: of decodes alone at most 2.33 % off, 2 of 20,000 tokens each.
    assert [shorter, longer] == pytest.approx([least, most], rel=0.025 if p == 0 else 0.15)


def test_a_scaled_model_is_saved_with_its_drift(tmp_path):
    model = replace(MODEL, intervals=SCALED)
    model.save(tmp_path / "scaled.json")
    assert LatencyModel.load(tmp_path / "scaled.json").intervals == SCALED
    facts = model.to_dict()
    facts["intervals"]["high"] = [1, 0, 99]
    with pytest.raises(DataError, match="high"):
        LatencyModel.from_dict(facts)
