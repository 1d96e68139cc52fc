"""Calibration: known parameters come back, and a log that cannot give them is told so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from support.calibrations import TRUTH, hasty, means_alone, parameters_of, simulated

import workloadlab as wl
from workloadlab.calibration import calibrate, describe
from workloadlab.calibration.findings import _Evidence
from workloadlab.calibration.observe import observe
from workloadlab.calibration.parameters import EXTRA, from_scratch, from_start
from workloadlab.calibration.problem import Problem
from workloadlab.calibration.reconstruction import chunk_context, reconstruct
from workloadlab.cli.calibrate import command
from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.routing import SHELF

KNOWN_SIZE = {"kv_blocks": 100_000}
"""A KV cache that is never full, and is not sought."""


@pytest.fixture(scope="module")
def served():
    return simulated()


@pytest.fixture(scope="module")
def model(served):
    return calibrate(*served)


def test_identified_parameters_come_back_within_3_percent(model):
    found = parameters_of(model)
    identified = [name for name, row in found.items() if row["identifiable"]]
    assert {"constant_s", "prefill_token_s", "prefill_context_s"} <= set(identified)
    for name in identified:
        assert found[name]["estimate"] == pytest.approx(TRUTH[name], rel=0.03), name


def test_the_model_replays_the_log(served, model):
    log, cluster = served
    again = replace(cluster, pools=(replace(cluster.pools[0], latency=model),))
    board = wl.score(wl.replay(log, again, routers=["round_robin"]), observed=log)
    for name in ("ttft_s", "tpot_s", "e2e_s"):
        assert abs(board.runs[0].fidelity[name]["mean_error"]) < 0.01


def test_card_and_report_judge_later_requests(model):
    report = model.system["calibration"]
    assert [(cut["share"], cut["fitted"]) for cut in report["cuts"]] == [
        (0.3, 42), (0.4, 56), (0.5, 70), (0.6, 84), (0.7, 98)
    ]  # fmt: skip
    for name, worst in report["held_out"].items():
        errors = [cut["held_out"][name]["mean_error"] for cut in report["cuts"]]
        assert abs(worst["mean_error"]) == max(map(abs, errors)) < 0.05
    assert report["likely_causes"] == []
    assert model.card.overall.slice == "e2e_s"
    assert model.card.fitted_rows == 42
    text = describe(model)
    assert "constant_s" in text
    assert "mean after    30%    40%" in text
    assert max(map(len, text.splitlines())) <= 80
    assert describe(wl.LatencyModel.linear(constant_s=1.0)) == ""


def test_saved_and_loaded_it_predicts_the_same_bits(model, tmp_path):
    model.save(tmp_path / "model.json")
    again = wl.LatencyModel.load(tmp_path / "model.json")
    step = {"prefill_tokens": 700, "decode_seqs": 9, "decode_context_tokens": 9000}
    assert again.step_time_s(**step) == model.step_time_s(**step)
    assert again.system == model.system


def test_same_log_same_model():
    log, cluster = simulated(40, **KNOWN_SIZE)
    with hasty():
        once, twice = (calibrate(log, cluster).to_dict() for _ in range(2))
    assert once == twice


def test_domain_holds_the_steps_of_the_log_only(model):
    assert "the log decoded batches of 1 to " in describe(model)
    inside, outside = model.in_domain(
        {"decode_seqs": [2, 5000], "decode_context_tokens": [9000, 30_000_000]}
    )
    assert inside
    assert not outside


def test_a_start_model_is_scaled_only(served):
    log, cluster = served
    known = cluster.pools[0].latency
    twice = replace(
        known, coefficients={name: value * 2 for name, value in known.coefficients.items()}
    )
    with means_alone():
        found = parameters_of(calibrate(log, cluster, start=twice))
    assert list(found) == ["scale", "overhead_s"]
    assert found["scale"]["estimate"] == pytest.approx(0.5, rel=0.02)
    assert found["overhead_s"]["share"] < 0.02


def test_a_search_sees_the_decodes_that_cost_nothing_in_its_start(served):
    log, cluster = served
    observed = observe(log, cluster, routed=False)
    work = reconstruct(observed, cluster.pools[0], observed.scored)
    parameters = from_start(wl.LatencyModel.linear(prefill_token_s=1e-9), work)
    problem = Problem(observed, cluster, SHELF["round_robin"], parameters, observed.scored)
    tpot = [problem.residuals(start)[problem.groups == 1] for start in parameters.starts]
    assert min(np.abs(one).mean() for one in tpot) < 1


def test_recorded_placement_is_used_without_any_router():
    log, cluster = simulated(70, 5, instances=2, **KNOWN_SIZE)
    with hasty():
        model = calibrate(log, cluster)
    assert model.system["calibration"]["placement"] == "as recorded"
    assert parameters_of(model)["prefill_token_s"]["estimate"] == pytest.approx(6e-5, rel=0.03)


def test_a_window_of_a_log_is_known_to_be_cut(served):
    log, cluster = served
    observed = observe(log.window(0, log.span_s / 2), cluster, routed=False)
    assert observed.cut
    lane = observed.lanes[0]
    assert len(lane.continued) >= len(lane.stopped)
    assert not observe(log, cluster, routed=False).cut


def test_what_the_log_never_did_is_not_identified():
    log, cluster = simulated(60, 1.0, longest=400, **KNOWN_SIZE)
    with hasty():
        found = parameters_of(calibrate(log, cluster))["prefill_context_s"]
    assert not found["identifiable"]
    assert found["estimate"] == 0
    assert "nothing in the log depends on it" in found["why"]


def test_a_doubt_about_a_small_share_names_both_figures():
    one = np.array([0.004])
    evidence = _Evidence(
        names=("constant_s",), shares=one, spread=one, tie=np.eye(1), reach=one, disagreement=one,
        silent=np.array([False]), erratic=False, unexplained=0.0123,
    )  # fmt: skip
    assert evidence.doubt(0) == (
        "takes 0.40% of the busy time, less than the 1.23% that the fit leaves unexplained"
    )


def test_unknown_placement_is_refused_with_what_is_missing():
    log, cluster = simulated(60, 4, instances=2)
    blind = wl.Trace.from_frame(log.frame.drop("instance_id"))
    with pytest.raises(UnsupportedError, match="instance_id"):
        calibrate(blind, cluster)


def test_more_instances_in_the_log_than_in_the_cluster():
    log, cluster = simulated(60, 4, instances=2)
    with pytest.raises(UsageError, match="2 instances and the cluster has 1"):
        calibrate(log, wl.Cluster.uniform(1, cluster.pools[0].latency))


def test_two_pools_are_refused(served):
    log, cluster = served
    pool = cluster.pools[0]
    with pytest.raises(UsageError, match="one kind of instance"):
        calibrate(log, replace(cluster, pools=(pool, replace(pool, name="other"))))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda f: f.drop("e2e_ns"), UnsupportedError, "e2e_ns"),
        (lambda f: f.head(20), DataError, "20 requests"),
        (lambda f: f.with_columns(e2e_ns=pl.col("ttft_ns")), DataError, "streamed"),
        (
            lambda f: f.with_columns(
                ttft_ns=pl.col("ttft_ns") * 1000, e2e_ns=pl.col("e2e_ns") * 1000
            ),
            DataError,
            "units",
        ),
    ],
)
def test_unusable_logs_are_refused_in_a_sentence(served, change, error, words):
    log, cluster = served
    with pytest.raises(error, match=words):
        calibrate(wl.Trace.from_frame(change(log.frame)), cluster)


def test_failed_requests_load_the_engine_but_are_not_fitted(served):
    log, cluster = served
    failed = pl.when(pl.col("row_id") % 10 == 0).then(pl.lit("error")).otherwise(pl.lit("ok"))
    observed = observe(
        wl.Trace.from_frame(log.frame.with_columns(outcome=failed)), cluster, routed=False
    )
    assert len(observed.lanes[0].stopped) == 140
    assert observed.scored.sum() == 126
    assert "14 requests" in observed.notes[0]


def test_reconstruction_is_near_before_any_simulation(served):
    log, cluster = served
    observed = observe(log, cluster, routed=False)
    work = reconstruct(observed, cluster.pools[0], observed.scored)
    truth = np.array(list(TRUTH.values()))
    truth[0] += cluster.pools[0].step_overhead_s
    explained = work.totals @ truth / work.busy_s
    assert explained == pytest.approx(1.0, abs=0.05)
    assert work.coefficients[1] == pytest.approx(6e-5, rel=0.35)


def test_reconstruction_knows_how_long_an_asynchronous_engine_lets_arrivals_wait():
    log, cluster = simulated(400, 1.0, async_scheduling=True)
    observed = observe(log, cluster, routed=False)
    found = reconstruct(observed, cluster.pools[0], observed.scored).coefficients
    assert found[:3] == pytest.approx(list(TRUTH.values())[:3], rel=0.05)
    assert found[3] == pytest.approx(TRUTH["decode_seq_s"], rel=0.1)


def test_chunk_context_is_the_sum_over_chunks():
    def plainly(tokens, budget):
        done, total = 0, 0
        while done < tokens:
            chunk = min(budget, tokens - done)
            total += chunk * done
            done += chunk
        return total

    for tokens in (1, 511, 512, 513, 5000):
        assert chunk_context(np.array([tokens]), 512)[0] == plainly(tokens, 512)


def test_trials_of_the_search_are_the_models_they_stand_for(served):
    log, cluster = served
    observed = observe(log, cluster, routed=False)
    work = reconstruct(observed, cluster.pools[0], observed.scored)
    start = wl.LatencyModel.load("rtxpro6000-llama-3.1-8b")
    for parameters in (from_scratch(work, 0.001), from_start(start, work)):
        shares = parameters.starts[0]
        ours, model = parameters.trial(shares), parameters.model(shares)
        step, table = ours.kernel()
        shape = (300.0, 50.0, 7.0, 9000.0)
        seconds = model.kernel()[0](*shape, model.kernel()[1])
        assert step(*shape, table) == pytest.approx(seconds, rel=1e-4)


def test_help_names_every_extra_parameter():
    """As text, since reading them takes the simulator and help does not."""
    said = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert f"Move it too: {' or '.join(EXTRA)};" in said


def test_a_log_in_which_nothing_differs_is_calibrated():
    trace = wl.Trace.of([(0.1 * number, 10, 5) for number in range(60)])
    cluster = wl.Cluster.uniform(2, wl.LatencyModel.linear(constant_s=0.01))
    found = wl.calibrate(wl.replay(trace, cluster).traces[0], cluster)
    assert found.step_time_s(decode_seqs=1, decode_context_tokens=12) > 0
