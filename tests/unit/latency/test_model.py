"""LatencyModel: made by hand, asked, saved, loaded, and refused when its file is wrong."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import Domain, ErrorCard, LatencyModel
from workloadlab.latency.domain_kernel import inside_domain
from workloadlab.latency.estimators.linear import TERMS, describe_terms


def whole_model() -> LatencyModel:
    """A model with every field filled."""
    features = np.array([[0, 0, 1, 0], [0, 0, 64, 50_000], [512.0, 0, 0, 0], [2048.0, 9e6, 0, 0]])
    measured = np.array([0.010, 0.015, 0.02, 0.08])
    card = ErrorCard.of(features, measured, measured * 1.02, split="a test", fitted_rows=9)
    return LatencyModel(
        name="whole",
        coefficients={name: 1e-9 * (i + 1) / 3 for i, name in enumerate(TERMS)},
        domain=Domain.of(features),
        card=card,
        gpu="A100",
        model="llama",
        tp=2,
        dtype="bf16",
        provenance={"source": "here", "licence": "MIT"},
        system={"layers": 32},
    )


@pytest.mark.parametrize(
    ("coefficient", "step", "expected"),
    [
        ({"constant_s": 0.5}, {"decode_seqs": 3}, 0.5),
        ({"constant_s": 0.5}, {"prefill_tokens": 3}, 0.5),
        ({"prefill_token_s": 2.0}, {"prefill_tokens": 300, "decode_seqs": 9}, 600.0),
        ({"prefill_token_s": 2.0}, {"decode_seqs": 9, "decode_context_tokens": 5}, 0.0),
        ({"prefill_context_s": 2.0}, {"prefill_tokens": 4, "prefill_context_tokens": 40}, 80.0),
        ({"decode_seq_s": 2.0}, {"decode_seqs": 300, "decode_context_tokens": 10**6}, 600.0),
        ({"decode_seq_s": 2.0}, {"decode_seqs": 300, "prefill_tokens": 7}, 600.0),
        ({"decode_context_s": 2.0}, {"decode_seqs": 2, "decode_context_tokens": 10**6}, 2e6),
        (
            {"decode_context_s": 2.0},
            {"prefill_tokens": 1, "decode_seqs": 200, "decode_context_tokens": 10**6},
            2e6,
        ),
        ({}, {"prefill_tokens": 9000, "decode_seqs": 300, "decode_context_tokens": 10**6}, 0.0),
    ],
)
def test_a_model_made_by_hand_takes_exactly_the_given_seconds(coefficient, step, expected) -> None:
    model = LatencyModel.linear(**coefficient)
    assert model.step_time_s(**step) == expected
    assert model.in_domain(step).all()


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_model_made_by_hand_refuses_nonsense(value) -> None:
    with pytest.raises(UsageError, match="decode_seq_s is"):
        LatencyModel.linear(decode_seq_s=value)


def test_predict_takes_frames_and_mappings() -> None:
    model = whole_model()
    frame = pl.DataFrame(
        {
            "prefill_tokens": [0, 700],
            "prefill_context_tokens": [0, 70_000],
            "decode_seqs": [5, 6],
            "decode_context_tokens": [900, 1800],
            "other": ["x", "y"],
        }
    )
    expected = [model.step_time_s(**row) for row in frame.drop("other").iter_rows(named=True)]
    assert model.predict(frame).tolist() == expected
    assert model.predict(frame.drop("other").to_dict()).tolist() == expected
    assert model.predict({"decode_seqs": 5}).tolist() == [model.step_time_s(decode_seqs=5)]


def test_predict_refuses_what_is_no_step() -> None:
    model = whole_model()
    with pytest.raises(UsageError, match="the frame lacks prefill_tokens"):
        model.predict(pl.DataFrame({"decode_seqs": [1]}))
    with pytest.raises(UsageError, match="unknown step features: batch"):
        model.predict({"batch": [1]})
    with pytest.raises(UsageError, match="no steps given"):
        model.predict({})
    with pytest.raises(UsageError, match="different lengths"):
        model.predict({"decode_seqs": [1, 2], "prefill_tokens": [1, 2, 3]})
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(DataError, match="row 2, column decode_seqs"):
            model.predict({"decode_seqs": [1, bad]})


def test_the_domain_has_one_box_per_kind_of_step() -> None:
    model = whole_model()
    steps = {
        "prefill_tokens": [0, 0, 600, 600, 3000, 100],
        "prefill_context_tokens": [0, 0, 0, 0, 0, 0],
        "decode_seqs": [8, 8, 0, 8, 0, 0],
        "decode_context_tokens": [4000, 50_001, 0, 4000, 0, 0],
    }
    expected = [True, False, True, False, False, False]
    assert model.in_domain(steps).tolist() == expected
    rows = np.array(list(steps.values()), dtype=float).T
    bounds = model.domain.bounds()
    assert [inside_domain(*row, bounds) for row in rows] == expected


def test_a_saved_model_is_the_same_model(tmp_path) -> None:
    model = whole_model()
    path = tmp_path / "m.json"
    model.save(path)
    loaded = LatencyModel.load(path)
    assert loaded == model
    assert loaded.kernel()[1].tobytes() == model.kernel()[1].tobytes()
    again = tmp_path / "again.json"
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()
    by_hand = LatencyModel.linear(constant_s=0.1)
    by_hand.save(path)
    assert LatencyModel.load(path) == by_hand


def test_the_kernel_table_is_a_copy() -> None:
    model = LatencyModel.linear(constant_s=0.25)
    model.kernel()[1][:] = 9.0
    assert model.step_time_s(decode_seqs=1) == 0.25


def edited(change) -> dict:
    facts = json.loads(json.dumps(whole_model().to_dict()))
    change(facts)
    return facts


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.update(format="something"), "is not a latency model"),
        (lambda f: f.update(format_version=7), "has format version 7; this version reads 1"),
        (lambda f: f.pop("gpu"), "lacks the field gpu"),
        (lambda f: f.update(tp="two"), "field tp is 'two'"),
        (lambda f: f.update(tp=0), "field tp is 0"),
        (lambda f: f.update(estimator="oracle"), "field estimator is 'oracle'"),
        (
            lambda f: f["coefficients"].pop("decode_seqs"),
            "lacks the field coefficients.decode_seqs",
        ),
        (lambda f: f["coefficients"].update(magic=1.0), "field coefficients.magic is 1.0"),
        (lambda f: f["coefficients"].update(decode_seqs=-1e-6), "field coefficients.decode_seqs"),
        (lambda f: f["coefficients"].update(decode_seqs="x"), "field coefficients.decode_seqs"),
        (
            lambda f: f["coefficients"].update(decode_seqs=float("nan")),
            "field coefficients.decode_seqs is nan",
        ),
        (lambda f: f["domain"].update(idle={}), "field domain.idle"),
        (
            lambda f: f["domain"]["decode"].update(decode_seqs=[9, 1]),
            r"field domain.decode.decode_seqs is \[9, 1\]",
        ),
        (lambda f: f["card"].pop("split"), "field card is"),
        (lambda f: f["card"]["slices"][0].update(mape="low"), r"field card.slices\[0\].mape"),
        (lambda f: f["card"]["slices"][0].pop("rows"), r"field card.slices\[0\] is"),
    ],
)
def test_a_hand_edited_file_names_the_field(change, message) -> None:
    with pytest.raises(DataError, match=message) as caught:
        LatencyModel.from_dict(edited(change), where="m.json")
    assert "m.json" in str(caught.value)
    assert caught.value.fix


def test_a_truncated_file_and_an_unknown_name(tmp_path) -> None:
    path = tmp_path / "m.json"
    whole_model().save(path)
    path.write_text(path.read_text(encoding="utf-8")[:500], encoding="utf-8")
    with pytest.raises(DataError, match="is not JSON"):
        LatencyModel.load(path)
    with pytest.raises(UsageError, match="no latency model file") as caught:
        LatencyModel.load("rtxpro6000-lama-3.1-8b")
    assert "rtxpro6000-llama-3.1-8b" in str(caught.value.fix)


def test_a_model_shows_itself() -> None:
    model = whole_model()
    assert repr(model) == "<LatencyModel whole: llama on 2 x A100, held-out MAPE 2.0%>"
    text = str(model)
    assert "errors on a test" in text
    assert "decode steps" in text
    assert "2.00%" in model._repr_html_()
    by_hand = LatencyModel.linear(name="<b>")
    assert "&lt;b&gt;" in by_hand._repr_html_()
    assert "MAPE" not in repr(by_hand)


def test_every_term_is_described() -> None:
    formulas = describe_terms()
    for term in TERMS:
        generic = term.rstrip("0123456789") + "K" if term[-1].isdigit() else term
        assert generic in formulas or term in formulas
