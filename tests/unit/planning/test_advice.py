"""What stands beside a plan's answer: what could be met instead, one instance, an autoscaler."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.traces import requests_at, requests_every

import workloadlab as wl
from workloadlab.planning import Plan, plan
from workloadlab.scoring.timings import read_timings

STEP_S = 0.01


def planned(slo, n=600, rate_rps=10.0, tokens=50, **options):
    arrival = np.cumsum(np.random.default_rng(0).exponential(1 / rate_rps, n))
    trace = requests_at(arrival, input_tokens=10, output_tokens=tokens)
    model = wl.LatencyModel.linear(constant_s=STEP_S)
    cluster = wl.Cluster.uniform(1, model, step_overhead_s=0.0, max_num_seqs=4)
    given = {"growth": [2], "threads": 1, "routers": ["round_robin", "least_requests"]}
    return plan(trace, cluster, slo=slo, **{**given, **options})


def test_what_nobody_can_meet_is_said_with_what_could_be_met(tmp_path):
    found = planned("ttft=5ms,tpot=50ms")
    assert found.reach["ttft_s"] == pytest.approx(STEP_S, abs=STEP_S)
    assert found.reach["tpot_s"] == pytest.approx(STEP_S, abs=1e-3)
    assert "At best 99% are within TTFT ≤ " in found.sentence
    assert "loosen what is missed, or take faster GPUs" in found.sentence
    (tmp_path / "plan.json").write_text(found.to_json())
    assert Plan.load(tmp_path / "plan.json") == found
    assert planned(f"ttft={found.reach['ttft_s'] * 1.05},tpot=50ms").instances is not None


def test_one_instance_leaves_nothing_to_route():
    found = planned("ttft=1", rate_rps=1.0, n=300)
    assert found.instances == 1
    assert "holds the whole trace, " in found.sentence
    assert ",," not in found.sentence
    assert found.router not in found.sentence
    assert found.more[0] == "One instance leaves nothing to route."


def test_an_autoscaler_starts_nothing_that_a_fixed_number_does_not_start():
    found = planned("ttft=1", rate_rps=1.0, n=300)
    same = replace(found, hours=(found.peak, found.peak))
    assert same.autoscaled_gpu_hours(start_up=True) == same.autoscaled_gpu_hours(start_up=False)
    more = replace(found.peak, instances=found.peak.instances + 2)
    rising = replace(found, hours=(found.peak, more), start_up_s=90.0)
    extra = rising.autoscaled_gpu_hours(start_up=True) - rising.autoscaled_gpu_hours(start_up=False)
    assert extra == pytest.approx(2 * 90 / 3600)


def test_growth_is_named_by_its_factor():
    found = planned("ttft=1", growth=[1.1, 2.0, 8.0])
    assert [each.change for each in found.growth][:2] == [
        "1.1 times the traffic",
        "2 times the traffic",
    ]
    assert f"{found.growth[-1].instances} at x8" in " ".join(found.more)


def test_targets_that_are_reached_are_the_least_that_a_share_meets():
    ttft = np.arange(1, 101) * 10_000_000
    trace = requests_every(0.1, 100, ttft_ns=ttft, e2e_ns=2 * ttft, output_tokens=1)
    timings = read_timings(trace)
    assert wl.SLO(ttft_s=9, tpot_s=9, e2e_s=9).reached(timings, 0.9) == {
        "ttft_s": 0.9,
        "e2e_s": 1.8,
    }
    per_token = wl.SLO(ttft_s=9, ttft_s_per_token=0.001)
    reached = per_token.reached(timings, 0.9)
    assert wl.SLO.of(reached).met(timings).mean() == pytest.approx(0.9, abs=0.01)
    assert wl.SLO(ttft_s=9, classes={"batch": wl.SLO(e2e_s=60)}).reached(timings, 0.9) == {}


def test_the_table_shows_what_is_met_where_nothing_is_enough():
    found = planned("e2e=1", tokens=[20, 20, 20, 200] * 150)
    assert [row[1] for row in found.tables()[0].rows] == ["none", "none"]
    assert found.tables()[0].rows[0][4] == "75.0%"
