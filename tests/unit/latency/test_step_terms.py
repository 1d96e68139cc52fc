"""The terms that a sum of kernels leaves out of a step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from workloadlab.errors import DataError
from workloadlab.latency import LatencyModel, ModelGeometry
from workloadlab.latency.importers.beyond_kernels import terms_beyond_kernels
from workloadlab.latency.step_terms import NO_TERMS, StepTerms, Term
from workloadlab.latency.step_terms_kernel import captured_tokens

LLAMA = ModelGeometry.named("Llama-3.1-8B")
TOKENS = np.array([128.0, 256.0, 512.0, 1024.0])


def known(value: float) -> Term:
    return Term(value, value, value, "by hand")


TERMS = StepTerms(
    graph_saving_s=known(0.001),
    longest_context_s=known(1e-6),
    whole_context_seqs=known(10.0),
    dense_factor=known(1.1),
    decode_beside_prompt_s=known(1e-5),
    dense_tokens=(256.0, 512.0),
    dense_s=(0.01, 0.03),
)
MODEL = replace(LatencyModel.linear(constant_s=0.01, decode_seq_s=0.0001), terms=TERMS)


def test_a_captured_step_is_padded_and_saves_the_gaps_between_kernels():
    assert MODEL.step_time_s(decode_seqs=9) == pytest.approx(0.01 + 16 * 0.0001 - 0.001)
    assert MODEL.step_time_s(decode_seqs=9, max_cudagraph_capture_size=8) == pytest.approx(0.0109)
    beside = MODEL.step_time_s(decode_seqs=9, fullest_batch_tokens=30)
    assert beside == pytest.approx(0.01 + 32 * 0.0001 - 0.001)
    # A rank whose batch is captured runs eager beside one whose batch is not.
    assert MODEL.step_time_s(decode_seqs=8, fullest_batch_tokens=600) == pytest.approx(0.0108)


def test_a_step_waits_for_the_longest_context_where_contexts_are_walked_whole():
    def longer(**step):
        return MODEL.step_time_s(**step, longest_context_tokens=900) - MODEL.step_time_s(**step)

    assert longer(decode_seqs=8, decode_context_tokens=800) == 0.0  # cut into parts
    assert longer(decode_seqs=10, decode_context_tokens=1000) == pytest.approx(800e-6)
    beside = {"prefill_tokens": 16, "decode_seqs": 8, "decode_context_tokens": 800}
    assert longer(**beside) == pytest.approx(8e-4)
    assert longer(**beside, prefill_context_tokens=16 * 883) == pytest.approx(8e-4)
    assert longer(**beside, prefill_context_tokens=16 * 884) == 0.0  # the prompt's walk is as long
    assert longer(decode_seqs=10, decode_context_tokens=9500) == 0.0  # as long as the mean or less


def test_dense_work_is_slower_in_large_steps():
    eager = {"max_cudagraph_capture_size": 0}
    plain = replace(MODEL, terms=NO_TERMS)
    for tokens, dense_s in ((256, 0.0), (384, 0.02), (512, 0.03), (1024, 0.07)):
        step = {"prefill_tokens": tokens}
        more = MODEL.step_time_s(**step, **eager) - plain.step_time_s(**step)
        assert more == pytest.approx(0.1 * dense_s)


def test_decodes_beside_a_whole_tile_of_a_prompt_take_longer():
    eager = {"max_cudagraph_capture_size": 0, "decode_seqs": 20}
    few, tile = (MODEL.step_time_s(prefill_tokens=p, **eager) for p in (127, 128))
    assert tile - few == pytest.approx(20e-5)


def test_predictions_of_many_steps_are_those_of_each():
    steps = {"prefill_tokens": [0, 0, 40, 300, 2], "decode_seqs": [3, 30, 7, 9, 600]}
    each = [
        MODEL.step_time_s(prefill_tokens=p, decode_seqs=n)
        for p, n in zip(*steps.values(), strict=True)
    ]
    assert MODEL.predict(steps).tolist() == each


@pytest.mark.parametrize(
    ("tokens", "most", "size"),
    [(1, 512, 1), (3, 512, 4), (5, 512, 8), (200, 512, 200), (250, 512, 256), (257, 512, 272),
     (512, 512, 512), (513, 512, 0), (5, 6, 0), (4, 6, 4), (1, 0, 0)],
)  # fmt: skip
def test_sizes_of_captured_graphs_are_those_of_vllm(tokens, most, size):
    assert captured_tokens(tokens, most) == size


def test_a_file_keeps_the_terms(tmp_path):
    MODEL.save(tmp_path / "model.json")
    loaded = LatencyModel.load(tmp_path / "model.json")
    assert loaded.terms == TERMS
    assert "graph saving s" in str(loaded)
    assert "by hand" in str(loaded)


def test_a_file_of_before_has_none():
    facts = LatencyModel.linear(constant_s=0.01).to_dict() | {"format_version": 1}
    assert "terms" not in facts
    assert LatencyModel.from_dict(facts).terms == NO_TERMS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"graph_saving_s": {"value": 2, "low": 0, "high": 1, "source": ""}}, "low <= value <= high"),
        ({"graph_saving_s": {"value": 2, "low": 0, "high": 3}}, "terms.graph_saving_s.source"),
        ({"longest_context_s": None}, "terms.longest_context_s"),
        ({"friction_s": {}}, "no such field"),
        ({"dense": {"tokens": [256], "seconds": [1]}}, "at least two"),
        ({"dense": {"tokens": [256, 512], "seconds": [1]}}, "write 2 numbers"),
    ],
)  # fmt: skip
def test_a_damaged_term_is_named(change, said):
    facts = MODEL.to_dict()
    facts["terms"] = facts["terms"] | change
    with pytest.raises(DataError, match=said):
        LatencyModel.from_dict(facts, where="m.json")


def test_twice_the_time_is_twice_the_terms():
    step = {"prefill_tokens": 300, "decode_seqs": 20, "longest_context_tokens": 500}
    assert MODEL.scaled(2.0, 0.0).step_time_s(**step) == pytest.approx(
        2 * MODEL.step_time_s(**step)
    )


def test_contexts_are_split_until_the_blocks_fill_the_multiprocessors():
    for gpu, tp, seqs in (
        ("RTX PRO 6000", 1, 37.6),
        ("RTX PRO 6000", 2, 75.2),
        ("RTX 4090", 1, 25.6),
    ):
        terms = terms_beyond_kernels(gpu, LLAMA, tp, TOKENS, TOKENS)
        assert terms.whole_context_seqs.value == seqs


def test_what_was_not_measured_is_said_and_has_an_interval():
    terms = terms_beyond_kernels("A100", LLAMA, 1, TOKENS, TOKENS)
    for term in (terms.dense_factor, terms.longest_context_s):
        assert "not measured" in term.source
        assert term.low <= term.value < term.high
    assert terms.dense_factor.value == 1.0
    unknown = terms_beyond_kernels("no such GPU", LLAMA, 1, TOKENS, TOKENS)
    assert "not measured" in unknown.dense_factor.source


def test_only_kernels_that_were_launched_one_by_one_have_gaps_to_save():
    timed = terms_beyond_kernels("RTX PRO 6000", LLAMA, 1, TOKENS, TOKENS)
    eager = terms_beyond_kernels("RTX PRO 6000", LLAMA, 1, TOKENS, TOKENS, eager=True)
    assert timed.graph_saving_s.value == 0.0
    assert eager.graph_saving_s.value == pytest.approx(32 * 17e-6)


def test_decodes_fill_tiles_where_the_kernel_is_that_of_hopper():
    hopper, ada = (
        terms_beyond_kernels(gpu, LLAMA, 1, TOKENS, TOKENS).decode_beside_prompt_s
        for gpu in ("H100", "RTX 4090")
    )
    assert hopper.value == pytest.approx(12e-6)
    assert hopper.low == 0.0
    assert ada.value == 0.0
