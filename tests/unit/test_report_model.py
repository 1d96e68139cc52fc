"""A latency model's facts: errors, domain, origin and curves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workloadlab import LatencyModel
from workloadlab.latency import ErrorCard, ErrorSlice
from workloadlab.reporting import summarise


@pytest.fixture(scope="module")
def by_hand():
    return LatencyModel.linear(
        constant_s=0.01, prefill_token_s=1e-5, decode_seq_s=1e-4, name="by hand"
    )


def section_of(model):
    return summarise(model)["sections"][0]


def test_a_model_made_by_hand_says_that_nothing_stands_behind_it(by_hand):
    section = section_of(by_hand)
    assert "made by hand and held against no measurement" in section["summary"]
    assert [finding["severity"] for finding in section["findings"]] == ["info"]
    assert section["grids"] == ()
    assert {plot["n"] for plot in section["plots"]} == {"no measurement behind it"}


def test_curves_are_the_models_predictions(by_hand):
    prefill, decode = section_of(by_hand)["plots"]
    cold = prefill["data"]["curves"][0]
    assert cold["step_s"] == pytest.approx([0.01 + 1e-5 * x for x in cold["x"]], rel=1e-5)
    assert all(cold["inside"])
    assert "one of 2,048 takes 30.5 ms: 67,192 tokens/s" in prefill["reading"]
    assert (
        "one sequence gets a token every 10.1 ms, 256 sequences one every 35.6 ms"
        in (decode["reading"])
    )


@pytest.mark.parametrize("name", LatencyModel.catalog())
def test_catalogue_models_show_card_domain_and_what_lies_outside(name):
    model = LatencyModel.load(name)
    section = section_of(model)
    card, domain = section["grids"]
    assert len(card["rows"]) == len(model.card.slices)
    assert card["rows"][0][0]["text"] == "all steps"
    assert card["rows"][0][3]["text"] == f"{model.card.overall.mape:.2%}"
    assert [row[0]["text"] for row in domain["rows"]] == list(model.domain.boxes)
    assert dict(section["facts"])["Licence"] == model.provenance["licence"]
    for plot in section["plots"]:
        inside = plot["data"]["curves"][0]["inside"]
        assert inside[0], "the smallest step was measured"
        assert not inside[-1], "the curve goes on beyond the fit"


def test_a_region_with_a_large_error_is_a_warning(by_hand):
    slices = (
        ErrorSlice(by="all steps", slice="", rows=100, mape=0.02, bias=0.0, p95=0.05),
        ErrorSlice(by="decode_seqs", slice="65 to 128", rows=7, mape=0.31, bias=0.3, p95=0.4),
    )
    card = ErrorCard(split="by hand", fitted_rows=400, judged_rows=100, slices=slices)
    findings = summarise(replace(by_hand, card=card))["findings"]
    assert [finding["severity"] for finding in findings] == ["warning"]
    assert "over 10.0% for decode seqs 65 to 128 (31.0% of 7 steps)" in findings[0]["message"]
