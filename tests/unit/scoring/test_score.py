from __future__ import annotations

import json

import numpy as np
import pytest
from support.runs import outcome_of, run_info, runs_of

import workloadlab as wl
from workloadlab.digests import sealed
from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.scoring import KeptScore, LatencySummary, request_errors
from workloadlab.scoring.run_score import plain_score
from workloadlab.trace import Runs


def test_metrics_by_hand():
    run = wl.score(
        runs_of(outcome_of([1, 2, 3], [2, 4, 8], output_tokens=[11, 21, 1], instance_id=["a", "a", "b"]),
                instances=2),
        slo=wl.SLO(ttft_s=2.5, tpot_s=0.1),
    ).runs[0]  # fmt: skip
    assert run.makespan_s == 10.0  # the third arrives at 2 s and takes 8
    assert run.throughput_rps == 0.3
    assert run.output_tokens_per_s == 3.3
    assert run.ttft_s == LatencySummary(mean=2.0, p50=2.0, p90=2.8, p95=2.9, p99=2.98)
    assert run.tpot_s.mean == pytest.approx(0.1)  # one token has no TPOT
    assert run.slo_attainment == pytest.approx(2 / 3)
    assert run.goodput_rps == pytest.approx(0.2)
    loads = np.array([100 + 11 + 100 + 21, 100 + 1])
    assert run.load_cv == pytest.approx(loads.std() / loads.mean())


def test_idle_instances_count_in_the_imbalance():
    run = wl.score(runs_of(outcome_of([1], [2]), instances=4)).runs[0]
    assert run.load_cv == pytest.approx(np.sqrt(3))


def test_a_slo_of_tpot_is_met_by_one_token_and_missed_by_the_rejected():
    board = wl.score(
        runs_of(outcome_of([1, None], [1, None], output_tokens=[1, 9], outcome=["ok", "rejected"])),
        slo=wl.SLO(tpot_s=0.01),
    )
    assert board.runs[0].slo_attainment == 0.5
    assert board.runs[0].served == 1


def test_a_latency_equal_to_its_target_meets_it():
    """In nanoseconds it is the target to the last bit, so dividing must not round it away."""
    tokens = list(range(2, 200))
    for tpot_s in (0.01, 0.03, 0.05, 0.1):
        ends = [0.3 + tpot_s * (n - 1) for n in tokens]
        board = wl.score(
            runs_of(outcome_of([0.3] * len(tokens), ends, output_tokens=tokens)),
            slo=wl.SLO(ttft_s=0.3, tpot_s=tpot_s),
        )
        assert board.runs[0].slo_attainment == 1.0


def test_warm_up_requests_are_left_out():
    run = wl.score(runs_of(outcome_of([9, 1], [9, 2], warmup=[True, False]))).runs[0]
    assert run.requests == 1
    assert run.ttft_s.mean == 1.0


def test_nothing_served_gives_nulls_not_nan():
    board = wl.score(
        runs_of(outcome_of([None], [None], outcome=["rejected"])), slo=wl.SLO(ttft_s=1)
    )
    facts = json.loads(board.to_json())
    assert facts["runs"][0]["ttft_s"]["p99"] is None
    assert facts["runs"][0]["makespan_s"] is None
    assert facts["schema_version"] == 1
    assert "SLO met" in str(board)


def test_frame_has_one_row_per_run_and_flat_columns():
    frame = wl.score(runs_of(outcome_of([1], [2]), outcome_of([2], [3]))).frame
    assert frame["ttft_s_p99"].to_list() == [1.0, 2.0]


def test_paired_differences_find_a_small_constant_gain_in_noise():
    rng = np.random.default_rng(1)
    noise = rng.exponential(5, 2000)
    slow, fast = outcome_of(noise + 1, noise + 2), outcome_of(noise + 0.9, noise + 1.8)
    found = wl.score(runs_of(slow, fast)).pairs
    pairs = {pair.metric: pair for pair in found if pair.part == "mean"}
    assert pairs["ttft_s"].mean_difference == pytest.approx(0.1)
    assert pairs["ttft_s"].significant
    assert pairs["e2e_s"].low <= pairs["e2e_s"].mean_difference <= pairs["e2e_s"].high


def test_paired_interval_covers_zero_for_equals_as_often_as_it_says():
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(60):
        a, b = (outcome_of(rng.exponential(5, 300), rng.exponential(5, 300) + 50) for _ in range(2))
        wrong += wl.score(runs_of(a, b)).pairs[0].significant
    assert wrong <= 8  # 3 expected; more than 8 has a chance of 0.3 %


def test_fidelity_is_signed_and_per_request():
    simulated, observed = outcome_of([1.1, 2.2], [2.2, 4.4]), outcome_of([1, 2], [2, 4])
    board = wl.score(runs_of(simulated), observed=observed)
    errors = board.runs[0].fidelity
    assert errors["ttft_s"]["mean_error"] == pytest.approx(0.1)
    assert errors["e2e_s"]["p99_error"] == pytest.approx(0.1)
    assert errors["e2e_s"]["request_error"] == pytest.approx(0.1)
    assert errors["queue_s"] is None
    assert request_errors(simulated, observed)["ttft_s_error"].to_list() == pytest.approx(
        [0.1, 0.1]
    )
    assert "+10.0%" in str(board)


def test_observed_times_are_not_compared_with_a_replay_at_another_rate():
    outcomes = [outcome_of([1.1, 2.2], [2.2, 4.4]) for _ in range(2)]
    infos = [run_info("r0"), run_info("r0", rate_scale=4.0)]
    observed = outcome_of([1, 2], [2, 4])
    both = wl.score(Runs(tuple(infos), tuple(outcomes)), observed=observed).runs
    assert [run.fidelity is None for run in both] == [False, True]
    with pytest.raises(UsageError, match="no run is at that"):
        wl.score(Runs(tuple(infos[1:]), tuple(outcomes[1:])), observed=observed)
    with pytest.raises(UsageError):
        wl.score(Runs(tuple(infos[:1]), tuple(outcomes[:1])), observed=outcome_of([], []))


def test_a_kept_fidelity_that_is_a_number_is_damage():
    board = wl.score(
        runs_of(outcome_of([1.1, 2.2], [2.2, 4.4])), observed=outcome_of([1, 2], [2, 4])
    )
    facts = plain_score(run_info("r0"), board.runs[0], None)
    assert KeptScore.of(facts, "a score").score.fidelity == board.runs[0].fidelity
    with pytest.raises(DataError, match=r"is damaged: .*ttft_s"):
        KeptScore.of(sealed({**facts, "score": {**facts["score"], "fidelity": {"ttft_s": 5}}}), "x")


def test_fidelity_refuses_other_requests_and_missing_timings():
    simulated = outcome_of([1, 2], [2, 4])
    with pytest.raises(UsageError, match="do not hold the same requests"):
        wl.score(runs_of(simulated), observed=outcome_of([1], [2]))
    with pytest.raises(UnsupportedError, match="needs ttft_ns and e2e_ns"):
        wl.score(runs_of(simulated), observed=outcome_of([None] * 2, [None] * 2))


@pytest.mark.parametrize("target", [0, -1.0, float("nan")])
def test_slo_targets_must_be_positive(target):
    with pytest.raises(UsageError, match="is not above 0"):
        wl.SLO(ttft_s=target)


def test_no_runs():
    with pytest.raises(UsageError, match="no runs"):
        wl.score(wl.Runs((), ()))
