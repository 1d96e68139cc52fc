"""Parts of a run: token gaps, classes with targets of their own, tenants, slices, balance, cost."""

from __future__ import annotations

import numpy as np
import pytest
from support.runs import outcome_of, runs_of
from support.traces import SECOND_NS

import workloadlab as wl
from workloadlab.errors import UsageError
from workloadlab.scoring import Rent
from workloadlab.scoring.service_level import targets_words
from workloadlab.scoring.timings import read_timings

N = 120


def outcome(**columns):
    ttft = np.where(np.arange(N) % 2, 0.5, 1.5)
    return outcome_of(ttft, ttft + 1, **columns)


def scored(trace, **options):
    return wl.score(runs_of(trace), **options)


def test_gaps_between_tokens_are_pooled_over_requests():
    second = SECOND_NS
    offsets = [[second, 2 * second, 5 * second], [second], [], None, *[None] * (N - 4)]
    run = scored(outcome(token_offsets_ns=offsets)).runs[0]
    assert (run.itl_s.mean, run.itl_s.p50) == (2.0, 2.0)
    assert scored(outcome()).runs[0].itl_s.mean is None


def test_a_part_keeps_the_gaps_of_its_own_requests():
    offsets = [[0, SECOND_NS], [0, 3 * SECOND_NS], *[[0]] * (N - 2)]
    timings = read_timings(outcome(token_offsets_ns=offsets))
    part = timings.of(np.arange(N) == 1)
    assert part.itl_s.tolist() == [3.0]
    assert part.itl_of.tolist() == [0]
    assert len(part) == 1


def test_a_class_has_targets_of_its_own():
    trace = outcome(slo_class=["chat", "batch"] * (N // 2))
    slo = wl.SLO(ttft_s=1.0, classes={"batch": wl.SLO(ttft_s=0.1), "nobody": wl.SLO(ttft_s=9.0)})
    assert slo.met(read_timings(trace)).sum() == 0
    slo = wl.SLO(ttft_s=1.0, classes={"chat": wl.SLO(e2e_s=60.0)})
    assert slo.met(read_timings(trace)).all()
    assert wl.SLO.of(slo.to_dict()) == slo


def test_long_prompts_may_take_longer():
    trace = outcome(input_tokens=[1000, 10] * (N // 2))
    slo = wl.SLO(ttft_s=0.5, ttft_s_per_token=0.001)
    assert slo.met(read_timings(trace)).all()
    assert targets_words(slo.to_dict()) == "TTFT ≤ 0.5 s + 1 ms per prompt token".replace(
        "0.5 s", "500 ms"
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: wl.SLO(ttft_s_per_token=0.1), "ttft_s_per_token without ttft_s"),
        (lambda: wl.SLO.of({"batch:speed": 1.0}), "'speed' is no latency"),
        (lambda: wl.SLO(classes={"a": wl.SLO(classes={"b": wl.SLO()})}), "classes of its own"),
    ],
    ids=["length alone", "unknown", "nested"],
)
def test_a_level_that_says_nothing_is_refused(make, said):
    with pytest.raises(UsageError, match=said):
        make()


def test_tenants_are_compared():
    run = scored(outcome(tenant_id=["slow", "fast"] * (N // 2)), slo=wl.SLO(ttft_s=1.0)).runs[0]
    assert run.worst_tenant_ttft_s == 1.5
    assert run.worst_tenant_met == 0.0
    assert run.tenant_fairness == pytest.approx(2.0**2 / (2 * (1.5**2 + 0.5**2)))
    assert scored(outcome()).runs[0].tenant_fairness is None


@pytest.mark.parametrize("by", ["tenant", "class", "model", "task", "input", "hour"])
def test_slices_add_up_to_the_run(by):
    column = {"tenant": "tenant_id", "class": "slo_class"}.get(by, by)
    more = {column: ["a", "b"] * (N // 2)} if by in ("tenant", "class", "model", "task") else {}
    board = scored(outcome(**more), slices=[by], slo=wl.SLO(ttft_s=1.0))
    assert sum(each.metrics["requests"] for each in board.slices) == N
    mean = sum(s.metrics["requests"] * s.metrics["ttft_s"].mean for s in board.slices) / N
    assert mean == pytest.approx(board.runs[0].ttft_s.mean)
    assert f"Requests by {by}" in str(board)
    assert board.to_dict()["slices"][0]["by"] == by


def test_many_tenants_become_the_rest():
    names = [f"t{min(number // 4, 20)}" for number in range(N)]
    board = scored(outcome(tenant_id=names), slices=["tenant"])
    assert len(board.slices) == 13
    assert board.slices[0].value == "t20"
    assert board.slices[-1].value == "the rest"


@pytest.mark.parametrize(
    ("by", "said"), [("moon", "no slice is called 'moon'"), ("tenant", "records no tenant")]
)
def test_a_slice_that_cannot_be_made_is_refused(by, said):
    with pytest.raises(UsageError, match=said):
        scored(outcome(), slices=[by])


def test_balance_over_time_sees_what_a_sum_hides():
    """Each instance serves one half of the run: the sums are equal, no moment is."""
    halves = outcome(instance_id=["a"] * (N // 2) + ["b"] * (N // 2))
    mixed = outcome(instance_id=["a", "a", "b", "b"] * (N // 4))
    assert scored(halves).runs[0].load_cv == 0
    assert scored(halves).runs[0].in_flight_cv > 0.9 > scored(mixed).runs[0].in_flight_cv


def test_rent_is_told_by_million_tokens():
    run = scored(outcome(), rent=Rent(gpus=2, usd_per_hour=7.2, kilowatts=3.6)).runs[0]
    tokens = 11 * N
    assert run.gpu_seconds == 2 * run.makespan_s
    assert run.usd_per_mtok == pytest.approx(0.002 * run.makespan_s / tokens * 1e6)
    assert run.kwh_per_mtok == pytest.approx(run.usd_per_mtok / 2)
    assert scored(outcome()).runs[0].gpu_seconds is None
