"""A latency model's facts: errors, domain, origin and curves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from workloadlab import LatencyModel
from workloadlab.latency import ErrorCard, ErrorSlice, ModelGeometry
from workloadlab.latency.domain import Domain
from workloadlab.reporting import summarise
from workloadlab.reporting.figures import draw
from workloadlab.reporting.latency_model.operations import operations_and_bytes
from workloadlab.reporting.latency_model.section import model_section
from workloadlab.reporting.summary import summary_of


@pytest.fixture(scope="module")
def by_hand():
    return LatencyModel.linear(
        constant_s=0.01, prefill_token_s=1e-5, decode_seq_s=1e-4, name="by hand"
    )


def section_of(model):
    return summarise(model)["sections"][0]


def plots_of(section):
    return {plot["id"].rsplit("-", 1)[1]: plot for plot in section["plots"]}


def test_a_model_made_by_hand_says_that_nothing_stands_behind_it(by_hand):
    section = section_of(by_hand)
    assert "made by hand and held against no measurement" in section["summary"]
    assert [finding["severity"] for finding in section["findings"]] == ["info"]
    assert section["grids"] == ()
    plots = plots_of(section)
    assert {plots[name]["n"] for name in ("prefill", "decode")} == {"no measurement behind it"}
    assert {plots[name]["kind"] for name in ("predicted", "roofline")} == {"absent"}
    assert "no step was measured" in plots["predicted"]["reading"]
    assert "no figures for the GPU 'unknown'" in plots["roofline"]["reading"]


def test_curves_are_the_models_predictions(by_hand):
    plots = plots_of(section_of(by_hand))
    prefill, decode = plots["prefill"], plots["decode"]
    assert prefill["data"]["points"] == []
    assert "Dots" not in prefill["definition"]
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
    plots = plots_of(section)
    assert list(plots) == ["predicted", "regions", "roofline", "prefill", "decode"]
    assert "absent" not in {plot["kind"] for plot in plots.values()}
    for name in ("prefill", "decode"):
        inside = plots[name]["data"]["curves"][0]["inside"]
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


STEPS = np.array([
    [0, 0, 8, 8 * 2048], [0, 0, 8, 8 * 2500], [0, 0, 8, 8 * 2600], [0, 0, 4, 4 * 1000],
    [256, 0, 0, 0], [512, 512 * 4096, 0, 0], [128, 128 * 1024, 0, 0], [256, 0, 4, 4 * 2048],
], float)  # fmt: skip


@pytest.fixture(scope="module")
def judged(by_hand):
    """A model whose card is of `STEPS`; the last is predicted a quarter too long."""
    measured = np.linspace(0.02, 0.09, len(STEPS))
    predicted = measured * np.array([1.0] * 7 + [1.25])
    card = ErrorCard.of(STEPS, measured, predicted, split="a test", fitted_rows=1)
    return replace(
        by_hand, card=card, domain=Domain.of(STEPS), gpu="H100", model="Llama-3.1-8B", dtype="bf16"
    )


def test_measured_against_predicted_draws_every_kind(judged):
    plot = plots_of(section_of(judged))["predicted"]
    series = {one["label"]: one["points"] for one in plot["data"]["series"]}
    assert {kind: len(points) for kind, points in series.items()} == {
        "decode": 4, "prefill": 3, "mixed": 1,
    }  # fmt: skip
    assert series["mixed"] == [[0.09, 0.1125]]
    assert plot["reading"] == (
        "7 of the 8 steps drawn are predicted within 10%. "
        "The worst took 90 ms and is predicted 25.0% too long."
    )
    assert "Judged on a test." in plot["definition"]
    assert plot["n"] == "8 of 8 judged steps"


def test_error_by_region_repeats_the_card(judged):
    plot = plots_of(section_of(judged))["regions"]
    rows = plot["data"]["rows"]
    assert [row["mape"] for row in rows] == [part.mape for part in judged.card.slices]
    assert [row["region"] for row in rows[:4]] == [
        "all steps", "decode steps", "prefill steps", "mixed steps",
    ]  # fmt: skip
    assert "over all and largest, 25.0%, for kind mixed" in plot["reading"]


def test_curves_carry_the_measured_steps_of_about_their_context(judged):
    plots = plots_of(section_of(judged))
    decode, prefill = plots["decode"]["data"]["points"], plots["prefill"]["data"]["points"]
    assert decode == [{"style": 1, "x": 8, "step_s": 0.02}, {"style": 1, "x": 8, "step_s": 0.03}]
    assert prefill == [
        {"style": 0, "x": 256, "step_s": 0.06},
        {"style": 1, "x": 512, "step_s": 0.07},
    ]
    assert "Dots" in plots["decode"]["definition"]


def test_a_model_file_without_points_says_so(judged):
    older = replace(judged, card=replace(judged.card, points=()))
    plots = plots_of(section_of(older))
    assert plots["predicted"]["kind"] == "absent"
    assert "keeps no measured steps" in plots["predicted"]["reading"]
    assert plots["regions"]["kind"] == "regions"
    assert plots["roofline"]["data"]["series"] == []
    drawable = {plot.id.rsplit("-", 1)[1]: plot for plot in summary_of(older).sections[0].plots}
    assert draw(drawable["roofline"]).startswith("<svg")


def test_a_model_judged_on_requests_shows_their_errors_and_no_steps(judged):
    slices = tuple(
        ErrorSlice(by="requests", slice=name, rows=50, mape=mape, bias=-0.01, p95=0.2)
        for name, mape in (("e2e", 0.02), ("ttft", 0.08))
    )
    card = ErrorCard(split="later requests", fitted_rows=50, judged_rows=50, slices=slices)
    plots = plots_of(section_of(replace(judged, card=card)))
    assert "judged on requests, so no step was measured" in plots["predicted"]["reading"]
    regions = plots["regions"]["data"]["rows"]
    assert [row["region"] for row in regions] == ["requests e2e", "requests ttft"]


def test_operations_and_bytes_are_those_counted_matrix_by_matrix():
    qwen = ModelGeometry.named("Qwen3-30B-A3B")
    for model in (qwen, ModelGeometry.named("Llama-3.1-8B")):
        chunk, cached, seqs, context = 3, 5, 2, 7
        step = np.array([[chunk, chunk * cached, seqs, seqs * context]], float)
        operations, weights = 0.0, 0.0
        heads, kv = model.heads * model.head_dim, model.kv_heads * model.head_dim
        shapes = [
            (model.hidden, heads),
            (model.hidden, kv),
            (model.hidden, kv),
            (heads, model.hidden),
        ]
        expert = [(model.hidden, model.intermediate)] * 3
        router = [(model.hidden, model.experts)] if model.experts else []
        used = max(model.experts_per_token, 1)
        tokens = chunk + seqs
        touched = model.experts * (1 - (1 - used / model.experts) ** tokens) if router else 1
        for _ in range(model.layers):
            operations += sum(2 * tokens * a * b for a, b in shapes + router + expert * used)
            weights += sum(a * b for a, b in shapes + router)
            weights += touched * sum(a * b for a, b in expert)
            for token in range(chunk):
                operations += 2 * 2 * heads * (cached + token + 1)
            operations += 2 * 2 * heads * seqs * context
        head = model.hidden * model.vocab
        operations += 2 * head * (seqs + 1)
        cache = (cached + chunk + seqs * context + seqs) * 2 * kv * model.layers * 2
        found, moved = operations_and_bytes(model, step, dtype="bf16")
        assert found[0] == pytest.approx(operations, rel=1e-12)
        assert moved[0] == pytest.approx(2 * (weights + head) + cache, rel=1e-12)


def test_the_roofline_bends_where_memory_and_arithmetic_meet(judged):
    plot = plots_of(section_of(judged))["roofline"]
    assert plot["reading"].startswith("Under 295 operations per byte the memory is the limit")
    assert "% with 8 decodes and " in plot["reading"]
    assert "% with a chunk of 512 tokens." in plot["reading"]
    labels = [one["label"] for one in plot["data"]["series"]]
    assert labels == ["decode", "prefill", "mixed"]
    operations, moved = operations_and_bytes(
        ModelGeometry.named("Llama-3.1-8B"), STEPS[-1:], dtype="bf16"
    )
    (place,) = plot["data"]["series"][2]["points"]
    assert place == pytest.approx([operations[0] / moved[0], operations[0] / 0.09])
    shared = plots_of(section_of(replace(judged, tp=2)))["roofline"]["data"]["series"][2]["points"]
    assert shared[0] == pytest.approx([place[0], place[1] / 2])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"gpu": "a toaster"}, "no figures for the GPU 'a toaster'"),
        ({"model": "mine"}, "the shape of 'mine' is not built in"),
        ({"gpu": "V100", "dtype": "fp8"}, "V100 has no published FLOP/s in fp8"),
        ({"coefficients": LatencyModel.linear().coefficients}, "steps that take no time"),
    ],
)
def test_a_roofline_that_cannot_be_drawn_says_why(judged, change, why):
    plot = plots_of(section_of(replace(judged, **change)))["roofline"]
    assert plot["kind"] == "absent"
    assert why in plot["reading"]


def test_no_catalogue_step_beats_its_hardware():
    for name in LatencyModel.catalog():
        data = plots_of(section_of(LatencyModel.load(name)))["roofline"]["data"]
        points = np.concatenate([one["points"] for one in data["series"]])
        roof = np.minimum(data["peak_flops"], data["bandwidth_bytes_s"] * points[:, 0])
        assert (points[:, 1] <= roof * 1.02).all(), name


def test_a_calibration_shows_its_parameters_errors_and_notes():
    held_out = {"ttft_s": {"mean_error": 0.05, "p99_error": 0.07, "mape": 0.03}}
    row = {"name": "constant_s", "estimate": 0.008, "low": 0.007, "high": 0.009, "share": 0.04}
    found = {
        "parameters": [row | {"identifiable": False, "why": "flat direction"}],
        "cuts": [{"share": 0.3, "held_out": held_out}],
        "held_out": held_out,
        "likely_causes": ["the queue is never empty"],
        "notes": ["the log is short"],
    }
    model = replace(LatencyModel.linear(constant_s=0.008), system={"calibration": found, "tp": 1})
    section = model_section(model, "model-1")
    parameters, errors = section.grids
    assert [cell.text for cell in parameters.rows[0]] == [
        "constant_s", "0.008000", "0.007 to 0.009", "4.0%", "no",
    ]  # fmt: skip
    assert parameters.note == "Not identified: constant_s (flat direction)."
    assert [cell.text for cell in errors.rows[0]] == ["ttft", "+5.0%", "+7.0%", "3.0%"]
    said = [finding.message for finding in section.findings]
    assert "Likely cause of errors: the queue is never empty." in said
    assert "The log is short." in said
    assert all("{" not in value for _, value in section.facts)
